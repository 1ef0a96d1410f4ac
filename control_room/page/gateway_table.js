// All gateways in a table, who needs somebody first, and those that are out of service. An admin may
// take one that is silent out of service: its silence is meant then.

import { button, element, fill, setText } from "./dom.js";
import { gatewayName } from "./gateway_names.js";
import { byLook, camerasAlarms, clockOf, stateOf } from "./gateway_state.js";
import { msOf } from "./json.js";
import { changed, model, on, show, silentFor } from "./model.js";
import { locale } from "./times.js";
import { word } from "./words.js";

const SIGNS = { good: "✓", doubtful: "!", bad: "✕" };
const MAY_GO_S = 4;

const dialog = document.getElementById("all-gateways");
const table = document.getElementById("gateway-table");
const out = document.getElementById("gateways-out");
const form = document.getElementById("take-out");
const trouble = document.getElementById("take-out-trouble");
const reason = document.getElementById("take-out-reason");
const head = element("tr");
/** Map of "site/gateway" to its row. */
const rows = new Map();
/** The gateway that is to be taken out; null while none is. */
let leaving = null;

/** Start. */
export function start() {
  document.getElementById("gateways-open").addEventListener("click", () => { draw(); dialog.showModal(); });
  document.getElementById("gateways-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => ask(null));
  document.getElementById("take-out-no").addEventListener("click", () => ask(null));
  form.addEventListener("submit", (event) => { event.preventDefault(); takeOut(); });
  for (const about of ["gateways", "language", "me"]) on(about, () => { if (dialog.open) draw(); });
  setInterval(() => { if (dialog.open) draw(); }, 1000);
}

function draw() {
  const about = camerasAlarms();
  const states = [...model.gateways.values()].map((known) => ({ known, ...stateOf(known, about) })).sort(byLook);
  const mayTakeOut = model.me?.role === "admin" && model.prefix !== "replay";
  const cells = states.map(({ known, name, text, look, cameras }) => {
    const well = cameras.filter(([, , state]) => state === "good").length;
    const not = cameras.filter(([, , state]) => state !== "good").map(([camera, how]) => `${camera}: ${how}`);
    const both = look === "good" && not.length > 0 ? "doubtful" : look;
    return [known.place, both, name, text, `${well} / ${cameras.length}`, look === "bad" ? "" : not.join("; "),
      clockText(clockOf(known)), mayTakeOut && silentFor(known, "health") > MAY_GO_S];
  });
  if (head.dataset.language !== word("gateway")) {
    head.dataset.language = word("gateway");
    head.replaceChildren(...["gateway", "how_it_is", "cameras", "clock"].map((one) => {
      const cell = element("th", "", word(one));
      cell.scope = "col";
      return cell;
    }), element("td"));
  }
  // Rows are kept and only changed: whoever points at one, or is there by keyboard, stays there.
  fill(table, [head, ...cells.map(rowOf)]);
  const shown = new Set(cells.map(([place]) => place));
  for (const place of rows.keys()) if (!shown.has(place)) rows.delete(place);
  drawOut();
}

function rowOf([place, look, name, text, count, not, clock, mayGo]) {
  const row = rows.get(place) ?? newRow(place);
  rows.set(place, row);
  row.className = look;
  const [title, state, cameras, time, last] = row.children;
  setText(title.querySelector("b"), SIGNS[look]);
  setText(title.querySelector("button"), name);
  setText(state, text);
  cameras.className = not === "" ? "" : "not";
  setText(cameras, not === "" ? count : `${count} · ${not}`);
  setText(time, clock);
  setText(last.firstChild, word("take_out"));
  last.firstChild.hidden = !mayGo;
  return row;
}

function newRow(place) {
  const row = element("tr");
  const title = element("th");
  title.scope = "row";
  title.append(element("b"), " ", button("link", "", () => { dialog.close(); show(place); }));
  const last = element("td");
  last.append(button("", "", () => ask(place)));
  row.append(title, element("td"), element("td"), element("td"), last);
  return row;
}

/** How far a gateway's clock is from the control room's, and how far apart its messages say so. */
function clockText(clock) {
  if (clock === null) return word("clock_unknown");
  return word("clock_told", (clock.off_s > 0 ? "−" : "+") + Math.abs(clock.off_s).toFixed(2), clock.spread_s.toFixed(2));
}

function drawOut() {
  out.hidden = model.outOfService.length === 0;
  const text = JSON.stringify([word("out_of_service"), model.outOfService]);
  if (out.dataset.text === text) return;
  out.dataset.text = text;
  out.replaceChildren(element("h3", "", word("out_of_service")), ...model.outOfService.map(
    ({ site, gateway, by, reason: why, at_ns, room }) => element("p", "", word(
      room ? "was_taken_out_at" : "was_taken_out",
      gatewayName(site, gateway), by, new Date(msOf(at_ns)).toLocaleString(locale()), why, room,
    )),
  ));
}

function ask(place) {
  leaving = place;
  form.hidden = place === null;
  setText(trouble, "");
  if (place === null) return;
  const { siteName, gateway } = model.gateways.get(place);
  setText(document.getElementById("take-out-what"), word("take_out_what", gatewayName(siteName, gateway)));
  reason.value = "";
  reason.focus();
}

async function takeOut() {
  const known = model.gateways.get(leaving);
  if (known === undefined) return;
  const body = JSON.stringify({ site: known.siteName, gateway: known.gateway, reason: reason.value });
  let said = word("no_answer");
  try {
    const answer = await fetch("/api/gateways/take-out", { method: "POST", body });
    if (answer.ok) return ask(null);
    if (answer.status === 401 || answer.status === 403) changed("refused");
    said = (await answer.json()).error ?? said;
  } catch {
    // Said below.
  }
  setText(trouble, said);
}
