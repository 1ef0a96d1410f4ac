// The bar of a replay: a time line with its alarms, and all that steers it. It is there only where the
// control room itself plays a recording. Knows nothing about pictures.

import { say } from "./announce.js";
import { button, element, setText } from "./dom.js";
import { msOf } from "./json.js";
import { ask } from "./link.js";
import { alarmKey, model, on, selectAlarm } from "./model.js";
import { locale } from "./times.js";
import { kindName } from "./words_of_alarms.js";
import { word } from "./words.js";

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32];
/** A mark so near to where somebody points is meant. */
const NEAR_PX = 6;
/** While somebody drags, jumps are asked for so often. */
const DRAG_MS = 120;
/** A jump that has not been made after so long was lost on its way. */
const LATE_MS = 3000;
/** Who goes on from an alarm while it plays has passed it by so much. */
const PASSED_MS = 1500;
/** What was passed over because nobody recorded it is told for so long, at the speed of 1. */
const GAP_MS = 8000;
/** Marks closer than this share of the time line are one. */
const MARKS = 400;
/** What the keys on the time line move by, seconds. */
const KEY_S = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -60, PageUp: 60 };
const RANK = ["notice", "warning", "critical"];

export const REPLAY_KEYS = [
  [" ", "key_replay_play", playOrPause],
  [",", "key_replay_step", () => step(-1)],
  [".", "key_replay_step", () => step(1)],
  ["[", "key_replay_alarm", () => goToAlarm(-1)],
  ["]", "key_replay_alarm", () => goToAlarm(1)],
  ["t", "key_replay_track", () => track.focus()],
];

const bar = document.getElementById("replay-bar");
const track = document.getElementById("replay-track");
const head = document.getElementById("replay-head");
const marks = document.getElementById("replay-marks");
const unjudged = document.getElementById("replay-unjudged");
const gaps = document.getElementById("replay-gaps");
const time = document.getElementById("replay-time");
const note = document.getElementById("replay-note");
const gapNote = document.getElementById("replay-gap-note");
const speed = element("select");
/** Map of each button's word to it. */
const buttons = new Map([
  ["replay_alarm_before", button("", "|◂ !", () => goToAlarm(-1))],
  ["replay_back", button("", "◂|", () => step(-1))],
  ["replay_play", button("", "▶", playOrPause)],
  ["replay_forward", button("", "|▸", () => step(1))],
  ["replay_alarm_next", button("", "! ▸|", () => goToAlarm(1))],
  ["replay_loop", button("", "⟲", () => ask({ replay: "loop", on: !model.replay.loop }))],
]);

/** Where somebody is dragging to, or has asked to go and is not yet: a string of ns; else null. */
let wanted = null;
/** The jump after which that is done. */
let wantedAfter = 0;
let isDragging = false;
let askedAt = -Infinity;
/** The alarm to select once it is there. */
let pending = null;

/** Start showing. */
export function start() {
  document.getElementById("replay-buttons").append(...buttons.values(), speed);
  speed.addEventListener("change", () => ask({ replay: "speed", times: Number(speed.value) }));
  on("replay", draw);
  on("replay marks", drawMarks);
  on("language", () => { draw(); drawMarks(); });
  on("alarms", selectPending);
  on("unlinked", () => { wanted = pending = null; });
  track.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    isDragging = true;
    track.setPointerCapture(event.pointerId);
    point(event);
  });
  track.addEventListener("pointermove", (event) => { if (isDragging) point(event); });
  for (const end of ["pointerup", "pointercancel"]) track.addEventListener(end, letGo);
  track.addEventListener("keydown", key);
}

function playOrPause() {
  ask({ replay: "play", on: !model.replay.playing });
}

function step(by) {
  ask({ replay: "step", by });
}

/** Go to an instant, a string of nanoseconds, and there select an alarm. */
function goTo(at_ns, alarm = null) {
  wanted = at_ns;
  wantedAfter = model.replay.jump;
  pending = alarm;
  askedAt = performance.now();
  ask({ replay: "seek", at_ns });
  draw();
}

function goToAlarm(by) {
  const now = msOf(nowNs());
  const since = model.replay.playing ? PASSED_MS : 0;
  const found = by > 0 ? model.replayMarks.find((mark) => msOf(mark.at_ns) > now)
    : model.replayMarks.findLast((mark) => msOf(mark.at_ns) < now - since);
  if (found === undefined) return;
  goTo(found.at_ns, keyOf(found));
  say(`${kindName(found)}, ${clock(found.at_ns)}`);
}

function keyOf({ site, gateway, id }) {
  return alarmKey({ site, gateway, anomaly: { id } });
}

function selectPending() {
  if (pending === null || !model.alarms.has(pending)) return;
  const key = pending;
  pending = null;
  selectAlarm(key);
}

function nowNs() {
  return wanted ?? model.replay.at_ns;
}

/** Follow a pointer on the time line; a mark close by is meant. */
function point({ clientX }) {
  const { left, width } = track.getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (clientX - left) / width));
  const near = nearest(share, NEAR_PX / width);
  const at_ns = near === null ? nsOf(share) : near.at_ns;
  if (performance.now() - askedAt >= DRAG_MS) goTo(at_ns, near === null ? null : keyOf(near));
  else {
    wanted = at_ns;
    pending = near === null ? null : keyOf(near);
    draw();
  }
}

function letGo() {
  if (!isDragging) return;
  isDragging = false;
  if (wanted !== null) goTo(wanted, pending);
}

function nearest(share, within) {
  const off = (mark) => Math.abs(shareOf(mark.at_ns) - share);
  const best = model.replayMarks.reduce((a, b) => (a === null || off(b) < off(a) ? b : a), null);
  return best !== null && off(best) <= within ? best : null;
}

function key(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const { from_ns, to_ns } = model.replay;
  if (event.key === "Home") goTo(from_ns);
  else if (event.key === "End") goTo(to_ns);
  else if (event.key in KEY_S) {
    const by_s = KEY_S[event.key] * (event.shiftKey ? 10 : 1);
    const at = BigInt(nowNs()) + BigInt(by_s) * 1_000_000_000n;
    goTo(String(at < BigInt(from_ns) ? from_ns : at > BigInt(to_ns) ? to_ns : at));
  } else return;
  event.preventDefault();
  event.stopPropagation();
}

function nsOf(share) {
  const { from_ns, to_ns } = model.replay;
  const span_us = Number((BigInt(to_ns) - BigInt(from_ns)) / 1000n);
  return String(BigInt(from_ns) + BigInt(Math.round(share * span_us)) * 1000n);
}

function shareOf(at_ns) {
  const [from, to] = [msOf(model.replay.from_ns), msOf(model.replay.to_ns)];
  return to > from ? Math.min(1, Math.max(0, (msOf(at_ns) - from) / (to - from))) : 0;
}

/** Write an instant as date and clock, to the tenth of a second. */
function clock(at_ns) {
  const date = new Date(msOf(at_ns));
  const tenth = Math.floor(date.getMilliseconds() / 100);
  return `${date.toLocaleDateString(locale())} ${date.toLocaleTimeString(locale(), { hour12: false })}.${tenth}`;
}

function draw() {
  const { replay } = model;
  bar.hidden = replay === null;
  if (replay === null) return;
  if (!isDragging && wanted !== null && isThere(replay)) wanted = null;
  for (const [name, one] of buttons) label(one, word(name));
  const isPlaying = replay.playing;
  label(buttons.get("replay_play"), word(isPlaying ? "replay_pause" : "replay_play"));
  setText(buttons.get("replay_play"), isPlaying ? "❚❚" : "▶");
  buttons.get("replay_loop").setAttribute("aria-pressed", String(replay.loop));
  drawSpeed(replay);
  const [from, to, now] = [replay.from_ns, replay.to_ns, nowNs()].map(msOf);
  head.style.left = `${100 * shareOf(nowNs())}%`;
  const text = clock(nowNs());
  setText(time, text);
  track.setAttribute("aria-valuemin", "0");
  track.setAttribute("aria-valuemax", String(Math.round((to - from) / 1000)));
  track.setAttribute("aria-valuenow", String(Math.round((now - from) / 1000)));
  track.setAttribute("aria-valuetext", text);
  drawJudged(replay, now);
  drawGaps(replay, now);
}

/** Of several jumps that were asked for the last counts; while it plays, it is soon past that. */
function isThere({ jump, playing, at_ns }) {
  return jump > wantedAfter && (playing || at_ns === wanted || performance.now() - askedAt > LATE_MS);
}

function drawSpeed(replay) {
  label(speed, word("replay_speed"));
  const speeds = SPEEDS.includes(replay.speed) ? SPEEDS : [...SPEEDS, replay.speed].sort((a, b) => a - b);
  if (speed.options.length !== speeds.length) {
    speed.replaceChildren(...speeds.map((times) => new Option(`${times}×`, times)));
  }
  if (document.activeElement !== speed || !speed.matches(":active")) speed.value = String(replay.speed);
}

/** Say how far the alarms are known: what is not known yet must not look like "no alarms". */
function drawJudged({ judged_to_ns, recorded_to_ns, to_ns, trouble, unlike }, now) {
  const isDone = judged_to_ns === to_ns;
  const isRecorded = recorded_to_ns === to_ns;
  unjudged.style.left = `${100 * shareOf(isRecorded ? judged_to_ns : recorded_to_ns)}%`;
  unjudged.hidden = isDone;
  unjudged.classList.toggle("recorded", isRecorded);
  const percent = Math.floor(100 * shareOf(judged_to_ns));
  const [isUnjudged, isUnknown] = [judged_to_ns, recorded_to_ns].map((to) => !isDone && now > msOf(to));
  let text = "";
  if (trouble && !isDone) {
    text = word(isRecorded ? "replay_checking_ended" : "replay_judging_ended", clock(judged_to_ns));
  } else if (isUnknown) text = word("replay_not_judged");
  else if (!isDone) text = word(isUnjudged ? "replay_as_recorded" : "replay_judging", percent);
  else if (unlike > 0) text = word("replay_unlike", unlike);
  else if (model.replayMarks.length === 0) text = word("replay_no_alarms");
  setText(note, text);
  note.classList.toggle("bad", isUnjudged || unlike > 0 || (trouble !== "" && !isDone));
}

/** Show where nothing was recorded, and say so there: it must not look like quiet. */
function drawGaps({ gaps: given, playing, speed: times }, now) {
  const places = JSON.stringify(given);
  if (gaps.dataset.places !== places) {
    gaps.dataset.places = places;
    gaps.replaceChildren(...given.map(({ from_ns, to_ns }) => {
      const gap = element("i");
      gap.style.left = `${100 * shareOf(from_ns)}%`;
      gap.style.right = `${100 * (1 - shareOf(to_ns))}%`;
      return gap;
    }));
  }
  const told_ms = playing ? GAP_MS * Math.max(1, times) : 0;
  const near = given.findLast(({ from_ns, to_ns }) => now > msOf(from_ns) && now < msOf(to_ns) + told_ms);
  const isIn = near !== undefined && now < msOf(near.to_ns);
  setText(gapNote, near === undefined ? ""
    : word(isIn ? "replay_gap" : "replay_gap_passed", clock(near.from_ns), clock(near.to_ns)));
}

function label(one, text) {
  if (one.getAttribute("aria-label") === text) return;
  one.setAttribute("aria-label", text);
  one.title = text;
}

/** Draw the alarms on the time line; of those that lie close together the gravest. */
function drawMarks() {
  if (model.replay === null) return;
  const found = new Map();
  for (const { at_ns, severity } of model.replayMarks) {
    const place = Math.round(shareOf(at_ns) * MARKS);
    if (RANK.indexOf(severity) >= RANK.indexOf(found.get(place))) found.set(place, severity);
  }
  marks.replaceChildren(...[...found].map(([place, severity]) => {
    const mark = element("i", severity);
    mark.style.left = `${(100 * place) / MARKS}%`;
    return mark;
  }));
  draw();
}
