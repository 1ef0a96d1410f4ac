// Who is logged in, and a way out; and whoever is logged out is led to the login. The rest of the
// page asks `mayAct`. Shows nothing where the control room knows no users.

import { button, element } from "./dom.js";
import { parse } from "./json.js";
import { changed, model, on } from "./model.js";
import { word } from "./words.js";

const AGAIN_MS = 10_000;
const ANSWER_MS = 5_000;

const place = document.getElementById("me");
let asking = false;

/** Start. */
export function start() {
  for (const about of ["language", "me"]) on(about, draw);
  on("linked", ask);
  on("unlinked", ask);
  on("refused", ask);
  // Who may act now may not at the end of the shift, while the line stays open.
  setInterval(ask, AGAIN_MS);
}

/** The address of the login, and from there back to this page. */
export function loginPath() {
  return `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
}

/** Ask who looks. A control room that doesn't answer says nothing about that. */
async function ask() {
  if (asking) return;
  asking = true;
  let said = null;
  try {
    const answer = await fetch("/api/me", { signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.ok) said = parse(await answer.text());
  } catch {
    // The banner tells that the control room does not answer.
  }
  asking = false;
  if (said === null) return;
  if (said.role === null) {
    location.replace(loginPath());
    return;
  }
  const same = JSON.stringify(said) === JSON.stringify(model.me);
  model.me = said;
  if (!same) changed("me");
}

function draw() {
  const { me } = model;
  place.hidden = me === null || !me.login;
  if (place.hidden) return;
  const name = element("span", "", [me.name, word(`role_${me.role}`)].filter(Boolean).join(" · "));
  const users = element("a", "users", word("users"));
  users.href = "/users";
  users.hidden = me.role !== "admin";
  place.replaceChildren(name, users, button("logout", word("logout"), leave));
}

async function leave() {
  const answer = await fetch("/logout", { method: "POST" }).catch(() => null);
  // Who could not log out goes on seeing alarms.
  if (answer?.ok) location.replace(loginPath());
}
