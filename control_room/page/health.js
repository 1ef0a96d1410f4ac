// Head-count, and the strip of gateways and cameras. Knows nothing about how pictures come.

import { countText } from "./counts.js";
import { coverageOf } from "./coverage.js";
import { button, element, fill, setText } from "./dom.js";
import { msOf } from "./json.js";
import { oncePerFrame } from "./later.js";
import { PREDICTED_AFTER_S, SILENT_AFTER_S, model, nowMs, on, show, silentFor } from "./model.js";
import { locale } from "./times.js";
import { kindName } from "./words_of_alarms.js";
import { technical, word } from "./words.js";

const COUNT_OLD_S = 3;
const HEADS_OLD_S = 6;

const strip = document.getElementById("health-strip");
const count = document.getElementById("count");
const rateLine = document.getElementById("alarm-rate");
const chooser = document.getElementById("gateways");
let picture = null;

/** Start showing. */
export function start() {
  const later = oncePerFrame(draw);
  for (const about of ["health", "state", "alarms", "heads"]) on(about, later);
  on("gateways", () => { later(); drawChooser(); });
  on("positions", oncePerFrame(drawCount));
  on("alarm rate", drawRate);
  on("picture", (state) => { picture = state; });
  on("language", () => { draw(); drawChooser(); drawRate(); });
  setInterval(later, 1000);
}

function draw() {
  drawCount();
  drawStrip();
  const recorded = model.prefix === "replay" ? picture?.captured_ms : null;
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
  const partly = floor.unseen > 0 || floor.unknown.length > 0 || floor.metres === 0 || now === null;
  const parts = [word("count_unknown")];
  if (now !== null) {
    // However many are seen, where cameras can't see there may be more.
    parts[0] = now.people === 1 && !now.text ? word("count_one") : word("count", now.text || now.people);
    if (now.lately > 0) parts.push(word("count_lately", now.lately));
  }
  if (unplaced > 0) parts.push(word("count_unplaced", unplaced));
  if (floor.unseen > 0) parts.push(word("unseen_of", floor.unseen, floor.metres));
  else if (floor.metres > 0) parts.push(word("all_seen", floor.metres));
  if (floor.unknown.length > 0 && floor.metres > 0) {
    parts.push(word("coverage_unknown_of", floor.unknown.join(", ")));
  } else if (floor.metres === 0) parts.push(word("coverage_unknown"));
  setText(count, parts.join("; "));
  count.classList.toggle("partly", partly);
}

/** Who is seen now: { people, lately, text }; null while that is not known. */
function peopleSeen() {
  if (!model.link.open) return null;
  const speaking = [...model.gateways.values()].filter((known) =>
    known.positions !== undefined && silentFor(known, "positions") < COUNT_OLD_S);
  if (speaking.length === 0) return null;
  let people = 0;
  let lately = 0;
  let certain = 0;
  for (const { positions } of speaking) {
    const seen = positions.people.filter((person) => isSeenNow(person, positions));
    people += seen.length;
    certain += seen.filter(({ certainty }) => certainty === "certainly").length;
    lately += positions.people.length - seen.length;
  }
  const isOld = performance.now() - model.headsAt > HEADS_OLD_S * 1000;
  // Of one gateway the positions say all; who is only possibly there is not counted as if surely.
  if (isOld || model.gateways.size < 2) return { people, lately, text: maybe(people, certain) };
  // Whom two gateways see is one person: only the control room's count knows. It counts as in view
  // who is followed, also where the place is only predicted just now.
  const sum = (name) => model.heads.reduce((all, told) => all + told[name], 0);
  const seen = Math.min(people, sum("people"));
  return {
    people: seen, lately: sum("people") - seen + sum("unknown"), text: maybe(seen, sum("at_least")),
  };
}

function maybe(people, surely) {
  return surely < people ? countText(people, surely, true) : "";
}

/** Tell whether a gateway says nothing of its cameras any more, or never did. */
function isSilent(known) {
  return silentFor(known, "health") > SILENT_AFTER_S;
}

/** How much of all roadways is not seen: { metres, unseen, unknown }; `unknown` names gateways. */
function floorSeen() {
  const found = { metres: 0, unseen: 0, unknown: [] };
  for (const known of model.gateways.values()) {
    const coverage = coverageOf(known);
    found.metres += coverage.length;
    found.unseen += coverage.filter(({ seen }) => !seen).length;
    if (coverage.length === 0) found.unknown.push(known.gateway);
  }
  return found;
}

/** Whose place is only predicted is not seen, and must not be counted as if. */
function isSeenNow(person, positions) {
  return msOf(positions.captured_at_ns) - msOf(person.seen_at_ns) <= PREDICTED_AFTER_S * 1000;
}

function drawStrip() {
  const about = camerasAlarms();
  const chips = [];
  for (const known of model.gateways.values()) {
    const [quiet, silent] = [silentFor(known, "health"), isSilent(known)];
    chips.push(gatewayChip(known, quiet, silent));
    for (const camera of known.health?.cameras ?? known.site?.cameras ?? []) {
      chips.push(cameraChip(known, camera, silent, about));
    }
  }
  const text = JSON.stringify(chips);
  if (strip.dataset.text === text) return;
  strip.dataset.text = text;
  strip.replaceChildren(...chips.map(([name, said, state]) => chip(name, said, state)));
}

function gatewayChip({ place, gateway, health, state, siteName }, quiet, silent) {
  const offline = state !== undefined && !state.online;
  const words = [];
  if (offline) words.push(word("offline"));
  else if (silent && Number.isFinite(quiet)) words.push(word("silent", quiet.toFixed(0)));
  else if (!silent) words.push(word("online"));
  if (health !== undefined && !silent) {
    words.push(word("panorama_rate", health.panorama_fps.toFixed(1)));
    words.push(word("detection_rate", health.detection_fps.toFixed(1)));
    words.push(health.detection_age_s === null ? word("no_detection")
      : word("detection_age", health.detection_age_s.toFixed(1)));
    words.push(health.detection_provider.replace("ExecutionProvider", ""));
    if (health.alarms_waiting > 0) words.push(word("alarms_waiting", health.alarms_waiting));
    if (health.degraded) words.push(word("degraded", technical(health.degraded)));
  }
  const lost = Object.hasOwn(model.positionsLost, place) ? model.positionsLost[place] : 0;
  if (lost > 0) words.push(word("positions_lost", (100 * lost).toFixed(1)));
  const off_s = clockOff(siteName, gateway);
  if (off_s !== 0) words.push(word("clock_off", off_s));
  const doubtful = health?.degraded || lost > 0 || off_s !== 0;
  return [gateway, words.join(" · "), offline || silent ? "bad" : doubtful ? "doubtful" : "good"];
}

function clockOff(siteName, gateway) {
  const told = model.heads.find((one) => one.site === siteName)?.clocks_off ?? [];
  return told.find(([name]) => name === gateway)?.[1] ?? 0;
}

/** What is wrong with a camera stands in its state, or, as dust and less light do, in an alarm. */
function cameraChip({ place }, camera, silent, about) {
  if (silent) return [camera.name, "?", "bad"];
  const kinds = (about.get(`${place}/${camera.name}`) ?? [])
    .filter((kind) => !kind.endsWith(`_${camera.state}`));
  const parts = [word(camera.state), ...kinds.map((kind) => kindName({ kind })),
    `${camera.fps.toFixed(1)}/s`];
  if (camera.detail) parts.push(technical(camera.detail));
  const state = camera.state !== "ok" ? "bad" : kinds.length > 0 ? "doubtful" : "good";
  return [camera.name, parts.join(" · "), state];
}

/** The kinds of active alarms about each camera, by "site/gateway/camera". */
function camerasAlarms() {
  const found = new Map();
  for (const { site, gateway, anomaly } of model.alarms.values()) {
    if (anomaly.state !== "active" || anomaly.camera === null) continue;
    const key = `${site}/${gateway}/${anomaly.camera}`;
    found.set(key, [...new Set([...(found.get(key) ?? []), anomaly.kind])]);
  }
  return found;
}

function chip(name, text, state) {
  const made = element("span", `chip ${state}`);
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
    parts.push(word("rate_most", `${kindName(worst)} ${worst.place || worst.gateway} ×${worst.count}`));
  }
  rateLine.className = state;
  setText(rateLine, parts.join(" · "));
}

function drawChooser() {
  chooser.hidden = model.gateways.size < 2;
  const had = new Map([...chooser.children].map((one) => [one.textContent, one]));
  // Kept, so that whoever chose one by keyboard stays there.
  fill(chooser, [...model.gateways.keys()].map(
    (place) => had.get(place) ?? button("", place, () => show(place)),
  ));
  for (const one of chooser.children) {
    one.setAttribute("aria-pressed", String(one.textContent === model.shown));
  }
}
