// Calls for as long as an alarm is not acknowledged. That the sound is off can't be overlooked.
// A browser lets no page sound before somebody has touched it.

import { element, setText } from "./dom.js";
import { alarmKey, isUnacknowledged, model, nowMs, on } from "./model.js";
import { clockTime } from "./times.js";
import { play } from "./tones.js";
import { word } from "./words.js";

const STORED = "lamproom.mutedUntil";
const STORED_ALARMS = "lamproom.mutedAlarms";
const MUTE_MIN = [2, 5, 10];
/** So often a call is repeated, seconds. */
const EVERY_S = { critical: 2.5, lost: 4, warning: 10, notice: 60 };

const place = document.getElementById("sound");
const toggle = element("button", "sound-state");
toggle.type = "button";
const mute = element("select", "mute");
place.append(toggle, mute);

let context = null;
let mutedUntilMs = 0;
/** Keys of the critical alarms that whoever muted has heard of. */
let mutedAlarms = new Set();
let calledAt = -Infinity;
let calling = null;
/** What has been played, for whoever looks from outside. */
export const sounded = { calls: 0, last: null, get state() { return stateOf(); } };

/** Start calling. */
export function start() {
  try {
    mutedUntilMs = Math.min(Number(localStorage.getItem(STORED) ?? 0), Date.now() + 60_000 * MUTE_MIN.at(-1));
    mutedAlarms = new Set(JSON.parse(localStorage.getItem(STORED_ALARMS) ?? "[]"));
  } catch {
    // A browser that stores nothing forgets that it is muted.
  }
  toggle.addEventListener("click", () => { turnOn(); muteFor(0); });
  mute.addEventListener("change", () => { muteFor(Number(mute.value)); mute.value = ""; });
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, turnOn, { capture: true });
  on("alarms", look);
  on("link", look);
  on("language", draw);
  // Where the browser says that a page may sound at once, it does.
  if (navigator.getAutoplayPolicy?.("audiocontext") === "allowed") turnOn();
  setInterval(look, 250);
  draw();
}

/** Silence what is calling now for some minutes; the next critical alarm is heard all the same. */
export function muteFor(minutes) {
  mutedUntilMs = minutes > 0 ? Date.now() + 60_000 * minutes : 0;
  remember(criticalNow());
  draw();
}

function remember(keys) {
  mutedAlarms = new Set(keys);
  try {
    localStorage.setItem(STORED, String(mutedUntilMs));
    localStorage.setItem(STORED_ALARMS, JSON.stringify(keys));
  } catch {
    // As above.
  }
}

function criticalNow() {
  return [...model.alarms.values()]
    .filter((entry) => isUnacknowledged(entry) && entry.anomaly.severity === "critical").map(alarmKey);
}

/**
 * Whoever muted one critical alarm has not heard of the next: one that is new, has got as bad as
 * that, comes off the shelf, or came while this page was away ends the silence.
 */
function unmuteForNew() {
  if (Date.now() >= mutedUntilMs || !model.link.open) return;
  const keys = criticalNow();
  if (keys.some((key) => !mutedAlarms.has(key))) muteFor(0);
  else if (keys.length < mutedAlarms.size) remember(keys);
}

function turnOn() {
  if (model.prefix === "replay" || !("AudioContext" in globalThis)) return;
  if (context === null) {
    context = new AudioContext();
    context.onstatechange = draw;
  }
  if (context.state !== "running") context.resume().then(draw, draw);
}

function stateOf() {
  if (model.prefix === "replay") return "replay";
  if (context === null || context.state !== "running") return "off";
  return Date.now() < mutedUntilMs ? "muted" : "on";
}

/** Tell what must be heard now: a lost line, or the worst alarm that nobody has acknowledged. */
function wanted() {
  if (!model.link.open && performance.now() - model.link.lostAt > 3000) return "lost";
  const open = [...model.alarms.values()].filter(isUnacknowledged).map((entry) => entry.anomaly.severity);
  return ["critical", "warning", "notice"].find((severity) => open.includes(severity)) ?? null;
}

function look() {
  unmuteForNew();
  const state = stateOf();
  if (toggle.dataset.state !== state) draw();
  const call = wanted();
  place.classList.toggle("calling", call !== null);
  if (state !== "on" || call === null) {
    calling = call;
    return;
  }
  const worse = call !== calling;
  calling = call;
  const now = performance.now();
  if (!worse && now - calledAt < EVERY_S[call] * 1000) return;
  // However fast alarms come and go, calls do not tumble over each other.
  if (now - calledAt < 1200) { calling = null; return; }
  calledAt = now;
  sounded.calls += 1;
  sounded.last = call;
  play(context, call);
}

function draw() {
  const state = stateOf();
  toggle.dataset.state = state;
  place.hidden = state === "replay";
  place.className = state;
  const until = clockTime(mutedUntilMs + nowMs() - Date.now());
  setText(toggle, word(`sound_${state}`, until));
  toggle.setAttribute("aria-pressed", String(state === "on"));
  mute.hidden = state === "off";
  mute.setAttribute("aria-label", word("mute"));
  const texts = [word("mute"), ...MUTE_MIN.map((time) => word("mute_for", time))];
  if ([...mute.options].map((option) => option.text).join() === texts.join()) return;
  mute.replaceChildren(...texts.map((text, i) => new Option(text, i === 0 ? "" : MUTE_MIN[i - 1])));
}
