// The list of alarms and the details of the selected one. Knows nothing about how they are found.

import { msOf } from "./json.js";
import { acknowledge } from "./link.js";
import {
  alarmKey, isOpen, model, nowMs, on, personOf, select, selectAlarm, weight,
} from "./model.js";
import { language, word } from "./words.js";

const PAST = 50;

const list = document.getElementById("alarms");
const past = document.getElementById("past-alarms");
const none = document.getElementById("no-alarms");
const details = document.getElementById("details");
const announcer = document.getElementById("announcer");
const buttons = new Map();
/** When the newest picture was taken. */
let capturedMs = 0;

/** Start showing alarms. */
export function start() {
  on("alarms", draw);
  on("selected", draw);
  on("language", draw);
  on("link", drawNone);
  on("picture", (state) => { capturedMs = state.captured_ms ?? 0; });
  on("new alarm", (entry) => {
    announcer.textContent = word("new_alarm", `${kindOf(entry)}, ${whereOf(entry)}`);
  });
  setInterval(drawTimes, 1000);
}

/** Name an alarm's kind in the chosen language. */
export function kindOf({ anomaly }) {
  return model.kinds[anomaly.kind]?.[language()] ?? anomaly.kind;
}

function whereOf({ anomaly, gateway }) {
  const parts = [];
  if (anomaly.xyz_m !== null) parts.push(word("at", anomaly.xyz_m[0].toFixed(1)));
  if (anomaly.zone !== null) parts.push(anomaly.zone);
  if (anomaly.camera !== null) parts.push(`${word("camera")} ${anomaly.camera}`);
  if (parts.length === 0 || model.gateways.size > 1) parts.push(gateway);
  return parts.join(" · ");
}

function draw() {
  const entries = [...model.alarms.values()];
  const newest = (a, b) => msOf(b.anomaly.raised_at_ns) - msOf(a.anomaly.raised_at_ns);
  const active = (entry) => Number(entry.anomaly.state === "active");
  const open = entries.filter(isOpen).sort(
    (a, b) => active(b) - active(a) || weight(b) - weight(a) || newest(a, b),
  );
  const closed = entries.filter((entry) => !isOpen(entry)).sort(newest).slice(0, PAST);
  drawNone();
  fill(list, open);
  fill(past, closed);
  const shown = new Set([...open, ...closed].map(alarmKey));
  for (const key of buttons.keys()) if (!shown.has(key)) buttons.delete(key);
  drawDetails();
}

/** "No alarms" is only said while the connection stands. */
function drawNone() {
  none.hidden = [...model.alarms.values()].some(isOpen);
  none.textContent = word(model.link.open ? "no_alarms" : "alarms_unknown");
}

function fill(into, entries) {
  const items = entries.map((entry) => itemOf(entry));
  const same = items.length === into.children.length
    && items.every((item, i) => into.children[i] === item);
  if (same) return;
  const focused = document.activeElement;
  into.replaceChildren(...items);
  if (focused instanceof HTMLElement && into.contains(focused)) focused.focus();
}

function itemOf(entry) {
  const key = alarmKey(entry);
  let item = buttons.get(key);
  if (item === undefined) {
    item = document.createElement("li");
    const button = element("button", "alarm");
    button.type = "button";
    button.append(
      element("span", "icon"), element("span", "kind"), element("span", "where"),
      element("span", "since"), element("span", "state"),
    );
    button.addEventListener("click", () => selectAlarm(key));
    item.append(button);
    buttons.set(key, item);
  }
  const button = item.firstChild;
  const { anomaly } = entry;
  button.className = `alarm ${anomaly.severity} ${anomaly.state}`;
  button.dataset.alarm = anomaly.id;
  button.dataset.kind = anomaly.kind;
  button.setAttribute("aria-pressed", String(model.selected?.alarm === key));
  const [icon, kind, where, since, state] = button.children;
  setText(icon, { critical: "▲", warning: "◆", notice: "●" }[anomaly.severity] ?? "●");
  icon.setAttribute("aria-hidden", "true");
  setText(kind, kindOf(entry));
  setText(where, whereOf(entry));
  setText(since, sinceOf(entry));
  setText(state, stateOf(entry));
  return item;
}

function stateOf(entry) {
  const parts = [word(entry.anomaly.severity), word(entry.anomaly.state)];
  if (entry.anomaly.certainty === "possibly") parts.push(word("possibly"));
  if (entry.acknowledged_at_ns !== null) parts.push(word("acknowledged"));
  else if (entry.anomaly.state === "cleared") parts.push(word("not_acknowledged"));
  return parts.join(" · ");
}

function sinceOf({ anomaly, cleared_at_ns }) {
  const raised = msOf(anomaly.raised_at_ns);
  const until = cleared_at_ns === null ? endMs(anomaly) : msOf(cleared_at_ns);
  return word("since", clockTime(raised), duration(Math.max(0, until - raised) / 1000));
}

/** In a replay time is the recording's: alarms last until the newest captured frame. */
function endMs(anomaly) {
  if (model.prefix !== "replay") return nowMs();
  return Math.max(msOf(anomaly.captured_at_ns), capturedMs);
}

function drawTimes() {
  for (const entry of model.alarms.values()) {
    const item = buttons.get(alarmKey(entry));
    if (item !== undefined) setText(item.firstChild.children[3], sinceOf(entry));
  }
}

function drawDetails() {
  const entry = model.selected?.alarm ? model.alarms.get(model.selected.alarm) : undefined;
  details.hidden = entry === undefined;
  if (entry === undefined) {
    details.replaceChildren();
    return;
  }
  const { anomaly } = entry;
  const person = anomaly.track === null ? null
    : personOf(`${entry.site}/${entry.gateway}`, anomaly.track)?.worker ?? `#${anomaly.track}`;
  const rows = [
    ["severity", `${word(anomaly.severity)} · ${word(anomaly.certainty)}`],
    ["state", stateOf(entry)],
    ["where", anomaly.xyz_m === null ? null
      : anomaly.xyz_m.map((value, i) => `${"xyz"[i]} ${value.toFixed(2)}`).join("  ") + " m"],
    ["zone", anomaly.zone],
    ["person", person],
    ["camera", anomaly.camera],
    ["gateway", `${entry.site} / ${entry.gateway}`],
    ["raised", clockTime(msOf(anomaly.raised_at_ns), true)],
    ["cleared_at", entry.cleared_at_ns === null ? null : clockTime(msOf(entry.cleared_at_ns), true)],
    ["stored", clockTime(msOf(entry.stored_at_ns), true)],
    ["probability", `${(anomaly.probability * 100).toFixed(0)} %`],
    ["evidence", anomaly.evidence || null],
    ["alarm_id", anomaly.id],
  ].filter(([, value]) => value !== null);
  const table = element("dl");
  for (const [name, value] of rows) {
    table.append(element("dt", "", word(name)), element("dd", "", value));
  }
  const actions = element("p", "actions");
  if (entry.acknowledged_at_ns === null) {
    const button = element("button", "acknowledge", word("acknowledge"));
    button.addEventListener("click", () => acknowledge(entry));
    actions.append(button);
  }
  const close = element("button", "close", word("close"));
  close.addEventListener("click", () => select(null));
  actions.append(close);
  const had = details.contains(document.activeElement) ? document.activeElement.className : null;
  details.replaceChildren(element("h3", "", kindOf(entry)), table, actions);
  if (had !== null) details.querySelector(`.${had || "close"}`)?.focus();
}

function clockTime(ms, withDate = false) {
  const locale = language() === "zh" ? "zh-CN" : "en-GB";
  const date = new Date(ms);
  const time = date.toLocaleTimeString(locale, { hour12: false });
  return withDate ? `${date.toLocaleDateString(locale)} ${time}` : time;
}

function duration(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function element(name, className = "", text = null) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== null) made.textContent = text;
  return made;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
