// Tells a screen reader what matters, and never floods it: what comes together is told together.

import { kindName } from "./words_of_alarms.js";
import { whoAndWhereOf } from "./alarms.js";
import { setText } from "./dom.js";
import { on, weight } from "./model.js";
import { word } from "./words.js";

const AGAIN_MS = 3000;

const loud = document.getElementById("announcer");
const calm = document.getElementById("calm-announcer");
let waiting = [];
let dueAt = 0;
let timer = null;
/** What was told of alarms last. */
let told = "";

/** Start telling new alarms. */
export function start() {
  on("new alarm", (entry) => {
    waiting.push(entry);
    timer ??= setTimeout(tell, Math.max(0, dueAt - performance.now()));
  });
  // What was told in one language does not stay among words of the other.
  on("language", () => {
    for (const place of [loud, calm]) if (place.textContent === told) setText(place, "");
  });
}

/** Say something when nothing else is being said. */
export function say(text) {
  calm.textContent = text;
}

function tell() {
  timer = null;
  dueAt = performance.now() + AGAIN_MS;
  const worst = waiting.reduce((a, b) => (weight(b) > weight(a) ? b : a));
  const one = word("new_alarm", `${kindName(worst.anomaly)}, ${whoAndWhereOf(worst)}`);
  told = waiting.length === 1 ? one : word("new_alarms", waiting.length, one);
  (worst.anomaly.severity === "critical" ? loud : calm).textContent = told;
  waiting = [];
}
