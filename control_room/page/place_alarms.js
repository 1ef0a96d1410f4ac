// The alarms that share a label on panorama or plan, one by one, to choose from.

import { stateOf } from "./alarm_details.js";
import { whoAndWhereOf } from "./alarms.js";
import { button, element, fill, setText } from "./dom.js";
import { alarmKey, changed, model, on, selectAlarm, weight } from "./model.js";
import { SIGN } from "./signs.js";
import { kindName } from "./words_of_alarms.js";
import { word } from "./words.js";

const dialog = document.getElementById("place-alarms");
const list = document.getElementById("place-alarms-list");
/** What gives the lists of keys of alarms that share a label now; one for each picture. */
const sources = [];
/** Lists of keys of alarms, one for each place that is listed. */
let places = [];
/** Which of `sources` they are from; null where it is not known. */
let source = null;
/** Map of an alarm's key to its line. */
const lines = new Map();

/** Start: whoever says "place alarms" with lists of keys has them shown. */
export function start() {
  on("place alarms", open);
  document.getElementById("place-alarms-close").addEventListener("click", () => dialog.close());
  // A click beside the list closes it, as everybody expects.
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  for (const about of ["alarms", "language"]) on(about, () => { if (dialog.open) draw(); });
  // Pictures gather a new alarm only when they are drawn.
  setInterval(() => { if (dialog.open) draw(); }, 500);
}

/** Have `element` open, and follow, what `groups()` gives, lists of keys, on Enter. */
export function openOnEnter(element, groups) {
  sources.push(groups);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // or it would press what gets the focus
    const found = groups();
    if (found.length > 0) changed("place alarms", found);
  });
}

function open(found) {
  places = found;
  const told = (keys) => keys.toSorted().join("\n");
  const first = told(found[0]);
  source = sources.find((groups) => groups().some((keys) => told(keys) === first)) ?? null;
  lines.clear();
  draw();
  dialog.showModal();
  list.querySelector("button")?.focus();
}

/** Whose alarm came to a listed place since: what is listed stays, also when it is over. */
function takeNew() {
  for (const keys of source?.() ?? []) {
    places = places.map((old) => (old.some((key) => keys.includes(key)) ? [...new Set([...old, ...keys])] : old));
  }
}

function draw() {
  takeNew();
  const blocks = places.map((keys) => {
    const entries = keys.map((key) => model.alarms.get(key)).filter((entry) => entry !== undefined)
      .sort((a, b) => weight(b) - weight(a));
    return [word("alarms_at_place", entries.length), entries];
  });
  fill(list, blocks.flatMap(([title, entries], i) => [
    heading(`title ${i}`, title), ...entries.map(lineOf),
  ]));
}

function heading(key, text) {
  if (!lines.has(key)) lines.set(key, element("h3"));
  setText(lines.get(key), text);
  return lines.get(key);
}

function lineOf(entry) {
  const key = alarmKey(entry);
  let line = lines.get(key);
  if (line === undefined) {
    line = button("place-alarm", "", () => { dialog.close(); selectAlarm(key); });
    line.dataset.alarm = entry.anomaly.id;
    lines.set(key, line);
  }
  const { anomaly } = entry;
  line.className = `place-alarm ${anomaly.severity}`;
  setText(line, [`${SIGN[anomaly.severity] ?? SIGN.notice} ${kindName(anomaly)}`, whoAndWhereOf(entry),
    stateOf(entry)].join(" · "));
  return line;
}
