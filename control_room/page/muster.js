// The muster: how many are where, who is missing, where they were last. To be read, and printed.
// Counts nobody itself.

import { countText, countWhy, countWhyHere, isBlind, lostWhy, seenText, whoText } from "./counts.js";
import { button, element, setText } from "./dom.js";
import { msOf, parse } from "./json.js";
import { besideLandmark } from "./landmarks.js";
import { model, on, selectTrack } from "./model.js";
import { clockTime } from "./times.js";
import { language, word } from "./words.js";

const EVERY_MS = 2000;
/** In less than five seconds it is said that nothing new comes. */
const OLD_MS = 4000;

const dialog = document.getElementById("muster");
const body = document.getElementById("muster-body");
const trouble = document.getElementById("muster-trouble");
const sites = document.getElementById("muster-site");
/** Kept, so that it stays open or closed however often the figures are told anew. */
const unnamed = element("details", "unnamed");
let timer = null;
let told = null;
let toldAt = -Infinity;
/** When the figures that are on the screen were told. */
let shownAt = -Infinity;
/** Questions are counted: an answer that was overtaken by a newer one is old. */
let asked = 0;
let answered = 0;
/** Whether the pointer is down on the figures. */
let pressed = false;

/** Start; `open` shows it. */
export function start() {
  document.getElementById("muster-open").addEventListener("click", open);
  document.getElementById("muster-close").addEventListener("click", () => dialog.close());
  document.getElementById("muster-print").addEventListener("click", () => print());
  sites.addEventListener("change", () => { forget(); ask(); });
  dialog.addEventListener("close", () => { clearInterval(timer); timer = null; });
  body.addEventListener("pointerdown", ({ button: which }) => { pressed = which === 0; });
  // After a context menu, or in another window, nobody tells when the button is let go.
  for (const what of ["pointerup", "pointercancel", "contextmenu", "blur"]) {
    addEventListener(what, () => { pressed = false; });
  }
  on("language", () => { if (dialog.open) draw(); });
  for (const about of ["link", "unlinked"]) on(about, drawOld);
}

/** Show the muster, always the newest. */
export function open() {
  if (dialog.open) return;
  forget();
  const names = [...new Set([...model.gateways.values()].map((known) => known.siteName))].sort();
  const chosen = sites.value;
  sites.replaceChildren(...names.map((name) => new Option(name, name)));
  if (names.includes(chosen)) sites.value = chosen;
  sites.hidden = names.length < 2;
  sites.setAttribute("aria-label", word("site"));
  dialog.showModal();
  ask();
  timer = setInterval(ask, EVERY_MS);
}

/** Take from the screen what was told of another site, or long ago. */
function forget() {
  told = null;
  answered = asked;
  pressed = false;
  body.replaceChildren();
  body.classList.remove("old");
  setText(trouble, "");
}

async function ask() {
  const site = sites.value;
  asked += 1;
  const mine = asked;
  try {
    const answer = await fetch(`/api/muster/${encodeURIComponent(site)}`, {
      signal: AbortSignal.timeout(OLD_MS),
    });
    if (!answer.ok) throw new Error(await answer.text());
    const found = parse(await answer.text());
    if (mine <= answered) return;
    answered = mine;
    told = found;
    toldAt = performance.now();
  } catch {
    // What was told before stays, and is called old.
    if (mine <= answered) return;
  }
  if (dialog.open) draw();
}

/** Say that the figures are old, whether or not the control room still answers. */
function drawOld() {
  if (!dialog.open || (told === null && model.link.open)) return;
  const isOld = (at) => !model.link.open || performance.now() - at > OLD_MS;
  const old = told === null || isOld(shownAt);
  const why = told === null ? "muster_none" : isOld(toldAt) ? "muster_old" : "muster_held";
  setText(trouble, old ? word(why) : "");
  body.classList.toggle("old", old);
}

function draw() {
  if (told === null) setText(trouble, word("muster_none"));
  // Who is pressing a button presses the one that was there, and whoever goes by keyboard stays.
  if (!pressed) drawFigures();
  drawOld();
}

function drawFigures() {
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  body.replaceChildren(...(told === null ? [] : parts()));
  shownAt = toldAt;
  if (focused === null) return;
  const same = [...body.querySelectorAll("button, summary")]
    .find((one) => one.dataset.key === focused.dataset.key);
  (same ?? document.getElementById("muster-close")).focus();
}

function parts() {
  const state = told.everybody ? "all_here" : "not_all_here";
  const verdict = element("p", `verdict ${told.everybody ? "good" : "bad"}`,
    `${told.everybody ? "✓" : "✕"} ${word(state)}`);
  const heads = element("p", "heads", word("in_view", countText(told.people, told.at_least, !told.complete)));
  const found = [
    element("p", "stamp", `${told.site} · ${clockTime(msOf(told.at_ns), true)}`),
    ...told.uncounted.map((one) => warning(word(
      "uncounted", one.gateway, language() === "zh" ? one.why_zh : one.why))), verdict, heads,
    line(word("muster_rest", told.out_of_view - told.lost_numbers, told.unknown, told.unnamed)),
    ...(told.lost_numbers > 0 ? [line(word("muster_lost", told.lost_numbers))] : []),
    line(word("cameras_see", told.metres_seen, told.metres)),
    ...told.silent.map(([gateway, since_ns]) => warning(word(silence(gateway), gateway, time(since_ns)))),
    ...told.blind.map((one) => warning(blindText(one))),
    ...(told.own_clock_off_s ? [warning(word("own_clock_off", told.own_clock_off_s))] : []),
    ...told.clocks_off.map(([gateway, off_s]) => warning(word("clock_off_of", gateway, off_s))),
    element("h3", "", missingTitle()), ...missing(),
    element("h3", "", word("by_zone")), zones(),
    element("h3", "", word("in_view_title", told.here.length)), people(told.here),
    ...away(),
  ];
  heads.title = countWhy(told.people, told.at_least);
  if (told.listening_since_ns !== null) {
    found.push(line(word("listening_since", clockTime(msOf(told.listening_since_ns), true))));
  }
  return found;
}

function silence(gateway) {
  if (told.passed_over.includes(gateway)) return "passed_over";
  return told.never_heard.includes(gateway) ? "never_heard" : "silent_since";
}

function blindText({ from_x_m, to_x_m, since_ns, never_seen }) {
  if (never_seen) return word("blind_always", from_x_m, to_x_m);
  return since_ns === null ? word("blind_some_time", from_x_m, to_x_m)
    : word("blind_from", from_x_m, to_x_m, time(since_ns));
}

function missingTitle() {
  if (told.expected_by === "") return word("no_roster");
  return word("missing_of", told.missing.length, told.expected)
    + (told.expected_by === "tags" ? ` ${word("by_tags")}` : "");
}

function missing() {
  if (told.missing.length === 0) return [];
  const rows = told.missing.map((one) => [
    one.worker,
    one.last === null ? word("never_seen") : where(one.last),
    one.last === null ? "" : ago(one.last.seen_at_ns),
    one.tag === null ? "" : `${where(one.tag)} · ${ago(one.tag.seen_at_ns)}`,
  ]);
  const made = tableOf(["person", "last_place", "last_time", "tag_heard"], rows, "missing");
  return told.unnamed > 0 ? [made, line(word("one_of_unnamed", told.unnamed))] : [made];
}

function zones() {
  const made = tableOf(["zone", "people", "seen_part", "who"], told.areas.map((area) => [
    area.zone ?? word("elsewhere"), countText(area.people, area.at_least, isBlind(area, told)),
    seenText(area),
    whoText(area),
  ]), "zones");
  told.areas.forEach((area, i) => {
    const { cells } = made.rows[i + 1];
    cells[1].title = countWhyHere(area.people, area.at_least);
    cells[3].title = lostWhy(area);
  });
  return made;
}

/** Those with a name one by one; of the others how many, for every new number makes one more. */
function away() {
  const isLost = ({ worker, state }) => worker === null && state === "out_of_view";
  const named = told.away.filter((one) => !isLost(one));
  const others = told.away.filter(isLost)
    .sort((a, b) => msOf(b.last.seen_at_ns) - msOf(a.last.seen_at_ns));
  const found = [element("h3", "", word("away_title", named.length)), people(named)];
  if (others.length === 0) return found;
  const text = word("away_unnamed", others.length, ago(others[0].last.seen_at_ns));
  unnamed.replaceChildren(element("summary", "", text), people(others));
  return [...found, unnamed];
}

function people(found) {
  const made = tableOf(["person", "state", "last_place", "last_time"], found.map((one) => [
    one.worker ?? `#${one.id}`,
    word(`state_${one.state}`) + (one.certainty === "possibly" ? ` · ${word("possibly")}` : ""),
    where(one.last), ago(one.last.seen_at_ns),
  ]), "somebody");
  found.forEach((one, i) => {
    const carrier = one.tracks?.[0];
    if (carrier === undefined) return;
    const cell = made.rows[i + 1].cells[0];
    const way = button("", cell.textContent, () => {
      dialog.close();
      selectTrack(`${told.site}/${carrier[0]}`, carrier[1]);
    });
    way.dataset.key = one.id;
    cell.replaceChildren(way);
  });
  return made;
}

function tableOf(titles, rows, name) {
  const made = element("table", name);
  const head = made.insertRow();
  for (const title of titles) {
    const cell = element("th", "", word(title));
    cell.scope = "col";
    head.append(cell);
  }
  for (const texts of rows) {
    const row = made.insertRow();
    for (const text of texts) row.append(element("td", "", text));
  }
  return made;
}

function where(place) {
  const [x, y] = place.xyz_m;
  const { chainage_m, landmark } = place;
  const spot = chainage_m === null ? `x ${x.toFixed(1)}, y ${y.toFixed(1)}` : `${chainage_m.toFixed(0)} m`;
  const near = landmark && chainage_m !== null ? besideLandmark(landmark, chainage_m) : null;
  return [spot, near, place.zone, place.gateway].filter(Boolean).join(" · ");
}

function ago(ns) {
  const past_s = Math.max(0, (msOf(told.at_ns) - msOf(ns)) / 1000);
  return `${time(ns)} (${word("seconds_ago", past_s.toFixed(0))})`;
}

function time(ns) {
  return clockTime(msOf(ns));
}

function line(text) {
  return element("p", "", text);
}

function warning(text) {
  return element("p", "warning", `! ${text}`);
}
