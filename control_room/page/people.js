// Everybody as a list, for the keyboard and for screen readers, and what is known of the selected one.

import { button, element, fill, setText } from "./dom.js";
import { gatewayName } from "./gateway_names.js";
import { byLandmark } from "./landmarks.js";
import { oncePerFrame } from "./later.js";
import {
  PREDICTED_AFTER_S, alarmOf, isSelected, model, nameOf, on, personOf, selectTrack, silentFor, unseenFor,
} from "./model.js";
import { ellipse } from "./plan_people.js";
import { along, chainageOf } from "./roadway.js";
import { SIGN } from "./signs.js";
import { postureOf } from "./tags.js";
import { word } from "./words.js";
import { kindBeside } from "./zone_left.js";

const EVERY_MS = 500;
/** Older news of people are called old. */
const OLD_S = 3;

const box = document.getElementById("people");
const title = document.getElementById("people-title");
const list = document.getElementById("people-list");
const card = document.getElementById("person");
const heading = element("h3");
const table = element("dl");
card.append(heading, table);
/** Map of "site/gateway/track" to a line. */
const lines = new Map();
let drawnAt = -Infinity;

/** Start showing. */
export function start() {
  const later = oncePerFrame(draw);
  on("positions", () => { if (performance.now() - drawnAt > EVERY_MS) later(); });
  for (const about of ["selected", "language", "alarms"]) on(about, later);
  box.addEventListener("toggle", later);
  setInterval(later, 1000);
}

function draw() {
  drawnAt = performance.now();
  const everybody = [...model.gateways.values()].flatMap((known) =>
    (known.positions?.people ?? []).map((person) => ({ known, person })));
  // Whom an old message tells of must not look as if they were there now.
  const old_s = oldestSaid();
  // Gateways follow one person twice where they overlap: the list's length is no head-count.
  setText(title, everybody.length === 0 && old_s > OLD_S ? word("people_unknown")
    : old_s > OLD_S ? word("people_old", old_s.toFixed(0)) : word("people_list"));
  title.classList.toggle("old", old_s > OLD_S);
  if (box.open) drawList(everybody);
  drawCard();
}

function drawList(everybody) {
  everybody.sort((a, b) => a.known.place.localeCompare(b.known.place) || a.person.track - b.person.track);
  const items = everybody.map(({ known, person }) => {
    const key = `${known.place}/${person.track}`;
    let item = lines.get(key);
    if (item === undefined) {
      item = element("li");
      item.append(button("person-line", "", () => selectTrack(known.place, person.track)));
      lines.set(key, item);
    }
    const alarm = alarmOf(known.place, person.track);
    const parts = [
      nameOf(person), `${chainageOf(known.site, person.xyz_m).toFixed(1)} m`,
      byLandmark(known.site, person.xyz_m), postureOf(person),
    ].filter((part) => part !== null);
    if (alarm !== null) parts.unshift(`${SIGN[alarm.anomaly.severity] ?? ""} ${kindBeside(alarm, person, known.site)}`);
    if (model.gateways.size > 1) parts.push(gatewayName(known.siteName, known.gateway));
    const age_s = unseenFor(known, person);
    if (age_s > PREDICTED_AFTER_S) parts.push(word("seen_ago", age_s.toFixed(0)));
    setText(item.firstChild, parts.join(" · "));
    item.firstChild.setAttribute("aria-pressed", String(isSelected(known.place, person.track)));
    return item;
  });
  fill(list, items);
  const shown = new Set(items);
  for (const [key, item] of lines) if (!shown.has(item)) lines.delete(key);
}

/** For how long the gateway that has said nothing for longest has been silent, seconds. */
function oldestSaid() {
  const told = [...model.gateways.values()].filter(({ positions }) => positions !== undefined);
  if (told.length === 0) return model.link.open ? 0 : Infinity;
  return Math.max(...told.map((known) => silentFor(known, "positions")));
}

function drawCard() {
  const { selected } = model;
  const known = selected === null ? undefined : model.gateways.get(selected.place);
  const person = selected === null || selected.track === null ? null
    : personOf(selected.place, selected.track);
  card.hidden = selected === null || selected.track === null;
  if (card.hidden) return;
  setText(heading, person === null ? word("not_shown_now", `#${selected.track}`) : nameOf(person));
  const rows = person === null ? [] : rowsOf(person, known);
  const text = JSON.stringify(rows.map(([name, value]) => [word(name), value]));
  if (table.dataset.text === text) return;
  table.dataset.text = text;
  table.replaceChildren(...rows.flatMap(
    ([name, value]) => [element("dt", "", word(name)), element("dd", "", value)],
  ));
}

function rowsOf(person, known) {
  const [chainage, left] = along(known.site, person.xyz_m) ?? [person.xyz_m[0], null];
  const { rx, ry } = ellipse(person.covariance_m2);
  const age_s = unseenFor(known, person);
  const sure = person.worker_probability;
  const number = `#${person.track}${sure === null ? "" : ` (${word("name_sure", Math.round(sure * 100))})`}`;
  return [
    ["number", number],
    ["where", [`${chainage.toFixed(1)} m`, byLandmark(known.site, person.xyz_m),
      left === null ? null : sideOf(left)].filter((part) => part !== null).join(" · ")],
    ["coordinates", person.xyz_m.map((value, i) => `${"xyz"[i]} ${value.toFixed(2)}`).join("  ") + " m"],
    ["spread", `± ${rx.toFixed(2)} m × ${ry.toFixed(2)} m (2σ) · ${word(person.certainty)}`],
    ["fix_age", `${age_s.toFixed(1)} s${age_s > PREDICTED_AFTER_S ? ` · ${word("predicted")}` : ""}`],
    ["posture", postureOf(person)],
    ["helmet", person.helmet === null ? null : `${Math.round(person.helmet * 100)} %`],
    ["cameras", person.cameras.join(", ")],
    ["gateway", gatewayName(known.siteName, known.gateway)],
  ].filter(([, value]) => value !== null);
}

function sideOf(left_m) {
  return word(left_m >= 0 ? "left_of" : "right_of", Math.abs(left_m).toFixed(1));
}
