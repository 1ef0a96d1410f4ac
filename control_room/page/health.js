// Head-count, and the strip of gateways and cameras. Knows nothing about how pictures come.

import { countIsOld, countText } from "./counts.js";
import { coverageOf } from "./coverage.js";
import { button, element, fill, setText } from "./dom.js";
import { gatewayName } from "./gateway_names.js";
import { byLook, camerasAlarms, isSilent, isWell, stateOf } from "./gateway_state.js";
import { msOf } from "./json.js";
import { oncePerFrame } from "./later.js";
import { model, nowMs, on, show, silentFor } from "./model.js";
import { locale } from "./times.js";
import { kindName } from "./words_of_alarms.js";
import { word } from "./words.js";

const COUNT_OLD_S = 3;

const strip = document.getElementById("health-strip");
const count = document.getElementById("count");
const rateLine = document.getElementById("alarm-rate");
const chooser = document.getElementById("gateways");
const choice = element("select");
const all = document.getElementById("gateways-open");
/** Of so many gateways each is shown; of more, only who needs somebody, and so many of those. */
const FEW = 8;
const MOST_SHOWN = 12;
const MOST_NAMES = 5;
let picture = null;

/** Start showing. */
export function start() {
  const later = oncePerFrame(draw);
  for (const about of ["health", "state", "alarms", "heads", "replay"]) on(about, later);
  on("gateways", () => { later(); drawChooser(); drawRate(); });
  choice.addEventListener("change", () => show(choice.value));
  on("alarm rate", drawRate);
  on("picture", (state) => { picture = state; });
  on("language", () => { draw(); drawChooser(); drawRate(); });
  setInterval(later, 1000);
}

function draw() {
  drawCount();
  drawStrip();
  const captured = model.prefix === "replay" ? picture?.captured_ms : null;
  const recorded = model.replay === null ? captured : msOf(model.replay.at_ns);
  const time = new Date(recorded ?? nowMs());
  setText(document.getElementById("time"), recorded ? time.toLocaleString(locale())
    : time.toLocaleTimeString(locale()));
  const names = new Set([...model.gateways.values()].map((known) => known.siteName));
  setText(document.getElementById("place"), [...names].join(", "));
}

function drawCount() {
  const floor = floorSeen();
  const now = peopleSeen();
  let unplaced = 0;
  for (const known of model.gateways.values()) {
    if (isSilent(known)) continue;
    for (const camera of known.health?.cameras ?? []) unplaced += camera.unplaced ?? 0;
  }
  const partly = floor.unseen > 0 || floor.unknown.length > 0 || floor.metres === 0 || now === null
    || model.heads.some((told) => !told.complete);
  const parts = [word("count_unknown")];
  if (now !== null) {
    // However many are seen, where cameras can't see there may be more.
    parts[0] = now.seen === 1 && !now.text ? word("count_one") : word("count", now.text || now.seen);
    if (now.lately > 0) parts.push(word("count_lately", now.lately));
  }
  const blind = model.heads.flatMap(({ site, uncounted }) =>
    uncounted.map(({ gateway }) => gatewayName(site, gateway)));
  if (blind.length > 0 && !countIsOld()) parts.push(word("count_impossible", some(blind)));
  if (unplaced > 0) parts.push(word("count_unplaced", unplaced));
  if (floor.unseen > 0) parts.push(word("unseen_of", floor.unseen, floor.metres));
  else if (floor.metres > 0) parts.push(word("all_seen", floor.metres));
  if (floor.unknown.length > 0 && floor.metres > 0) {
    parts.push(word("coverage_unknown_of", some(floor.unknown)));
  } else if (floor.metres === 0) parts.push(word("coverage_unknown"));
  setText(count, parts.join("; "));
  count.classList.toggle("partly", partly);
}

/**
 * Who is seen now: { seen, lately, text }; null while that is not known. The control room counts, as
 * for the table of zones and the muster: a second count on the page contradicted them.
 */
function peopleSeen() {
  if (countIsOld() || ![...model.gateways.values()].some(places)) return null;
  const [seen, surely] = [sumOf("seen"), sumOf("seen_at_least")];
  // Nobody found where nobody is looked for is no nought.
  if (seen === 0 && model.heads.some(({ uncounted }) => uncounted.length > 0)) return null;
  return {
    seen, lately: sumOf("people") - seen + sumOf("unknown"),
    text: surely < seen ? countText(seen, surely, true) : "",
  };
}

/** Tell whether a gateway says where people are: not long ago, and without a goodbye since. */
function places(known) {
  const quiet_s = silentFor(known, "positions");
  return quiet_s < COUNT_OLD_S && (known.state?.online !== false || silentFor(known, "state") > quiet_s);
}

/** Write names, of many the first ones and how many more there are. */
function some(names) {
  if (names.length <= FEW) return names.join(", ");
  return `${names.slice(0, MOST_NAMES).join(", ")}, ${word("gateways_more", names.length - MOST_NAMES)}`;
}

/** Of all sites together. */
function sumOf(name) {
  return model.heads.reduce((all, told) => all + told[name], 0);
}

/**
 * How much of all roadways is not seen: { metres, unseen, unknown }; `unknown` names gateways. The
 * control room counts: gateways may share a roadway, and one sees what its neighbour does not.
 */
function floorSeen() {
  const unknown = [...model.gateways.values()].filter((known) => coverageOf(known).length === 0)
    .map(({ siteName, gateway }) => gatewayName(siteName, gateway));
  if (countIsOld()) return { metres: 0, unseen: 0, unknown };
  return { metres: sumOf("metres"), unseen: sumOf("metres") - sumOf("metres_seen"), unknown };
}

/**
 * Every gateway with its cameras: every one may have a "cam1". Of many gateways only those that are not
 * well, the worst first, and of them what is not: the others are counted, and listed by a button.
 */
function drawStrip() {
  const about = camerasAlarms();
  const states = [...model.gateways.values()].map((known) => stateOf(known, about));
  const many = states.length > FEW;
  const shown = many ? states.filter((one) => !isWell(one)).sort(byLook).slice(0, MOST_SHOWN) : states;
  const groups = shown.map((one) => [one.name, [[one.name, one.text, one.look, one.why],
    ...one.cameras.filter(([, , state]) => !many || (state !== "good" && one.look !== "bad"))]]);
  const well = states.filter(isWell).length;
  drawAll(states.length, well, states.length - well - shown.length);
  const text = JSON.stringify(groups);
  if (strip.dataset.text === text) return;
  strip.dataset.text = text;
  strip.replaceChildren(...groups.map(([name, chips]) => {
    const group = element("div", "chips");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", name);
    group.append(...chips.map((one) => chip(...one)));
    return group;
  }));
}

/** The button that lists all gateways; of many it says how they are. */
function drawAll(count, well, more) {
  const parts = [word("gateways_all")];
  if (count > FEW) parts.push(word("gateways_well", well, count));
  if (count > FEW && more > 0) parts.push(word("gateways_more", more));
  setText(all, parts.join(" · "));
  all.classList.toggle("some", well < count);
}

function chip(name, text, state, why = "") {
  const made = element("span", `chip ${state}`);
  made.title = why;
  made.append(element("b", "", { good: "✓", doubtful: "!", bad: "✕" }[state]), " ",
    element("strong", "", name), ` ${text}`);
  return made;
}

/** The load of alarms against what an operator can deal with. */
function drawRate() {
  const rate = model.alarmRate;
  rateLine.hidden = rate === null;
  if (rate === null) return;
  const short = (number) => String(Math.round(number * 10) / 10);
  const { acceptable_per_hour: acceptable, most_per_hour: most } = rate;
  let state = "good";
  let verdict = word("rate_acceptable", acceptable);
  if (rate.last_hour > acceptable) {
    state = "doubtful";
    verdict = word("rate_manageable", acceptable, most);
  }
  if (rate.last_hour > most) {
    state = "bad";
    verdict = word("rate_too_many", most);
  }
  const parts = [word("rate", short(rate.last_hour), short(rate.last_10_min)), verdict];
  if (rate.flood) {
    state = "bad";
    parts.unshift(word("rate_flood"));
  }
  const shares = Object.entries(rate.share).filter(([, share]) => share > 0)
    .map(([severity, share]) => `${word(severity)} ${Math.round(share * 100)} %`);
  if (shares.length > 0) {
    parts.push(word("rate_shift", short(rate.shift_per_hour), shares.join(", ")));
  }
  if (rate.standing.length > 0) parts.push(word("rate_standing", rate.standing.length));
  const worst = rate.offenders[0];
  if (worst !== undefined && worst.count > 1) {
    // A zone's name may be used at several sites, too.
    const where = gatewayName(worst.site, worst.place || worst.gateway);
    parts.push(word("rate_most", `${kindName(worst)} ${where} ×${worst.count}`));
  }
  rateLine.className = state;
  setText(rateLine, parts.join(" · "));
}

function drawChooser() {
  chooser.hidden = model.gateways.size < 2;
  if (model.gateways.size > FEW) return drawChoice();
  const had = new Map([...chooser.children].map((one) => [one.dataset.place, one]));
  // Kept, so that whoever chose one by keyboard stays there.
  fill(chooser, [...model.gateways.values()].map(({ place, siteName, gateway }) => {
    const one = had.get(place) ?? button("", "", () => show(place));
    one.dataset.place = place;
    setText(one, gatewayName(siteName, gateway));
    one.setAttribute("aria-pressed", String(place === model.shown));
    return one;
  }));
}

/** Of many one is chosen from a list, which is found by typing its name. */
function drawChoice() {
  const places = [...model.gateways.values()].map(({ place, siteName, gateway }) =>
    [gatewayName(siteName, gateway), place])
    .sort(([a], [b]) => a.localeCompare(b, undefined, { numeric: true }));
  const text = JSON.stringify([places, word("gateway")]);
  if (choice.dataset.text !== text) {
    choice.dataset.text = text;
    choice.setAttribute("aria-label", word("gateway"));
    choice.replaceChildren(...places.map(([name, place]) => new Option(name, place)));
  }
  if (choice.value !== model.shown) choice.value = model.shown;
  fill(chooser, [choice]);
}
