// The list of alarms and the details of the selected one. Knows nothing about how they are found.

import { actText, desk, show as showDesk } from "./desk.js";
import { msOf } from "./json.js";
import {
  alarmKey, isOpen, isUnacknowledged, model, nowMs, on, personOf, select, selectAlarm, weight,
} from "./model.js";
import { language, word } from "./words.js";

const PAST = 50;

const list = document.getElementById("alarms");
const past = document.getElementById("past-alarms");
const shelf = document.getElementById("shelved-alarms");
const shelfTitle = document.getElementById("shelved-count");
const none = document.getElementById("no-alarms");
const details = document.getElementById("details");
const announcer = document.getElementById("announcer");
const title = element("h3");
const table = element("dl");
details.append(title, table, desk);
/** Map of an alarm's key to its line. */
const lines = new Map();
/** Map of an alarm's key to the line of the group that it leads. */
const groupLines = new Map();
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
  const groups = openGroups().sort((a, b) => weightOf(b) - weightOf(a) || newest(a[0], b[0]));
  const shelved = entries.filter((entry) => entry.phase === "shelved").sort(newest);
  const closed = entries.filter((entry) => !isOpen(entry)).sort(newest).slice(0, PAST);
  drawNone();
  fill(list, groups.map((group) => (group.length > 1 ? groupLineOf(group) : lineOf(group[0]))));
  fill(shelf, shelved.map(lineOf));
  fill(past, closed.map(lineOf));
  setText(shelfTitle, word("shelved_count", shelved.length));
  shelfTitle.classList.toggle("some", shelved.length > 0);
  const shown = new Set([...groups.flat(), ...shelved, ...closed].map(alarmKey));
  for (const key of lines.keys()) if (!shown.has(key)) lines.delete(key);
  const leads = new Set(groups.filter((group) => group.length > 1).map(([one]) => alarmKey(one)));
  for (const key of groupLines.keys()) if (!leads.has(key)) groupLines.delete(key);
  drawDetails(groups);
}

/** The open alarms that are not shelved, by cause; one that is in no group yet stands alone. */
function openGroups() {
  const left = new Map([...model.alarms].filter(
    ([, entry]) => isOpen(entry) && entry.phase !== "shelved",
  ));
  const groups = [];
  for (const keys of model.groups) {
    const group = keys.map((key) => left.get(key)).filter((entry) => entry !== undefined);
    for (const entry of group) left.delete(alarmKey(entry));
    // The worst may have changed since the control room has grouped them.
    if (group.length > 0) groups.push(group.sort((a, b) => weightOf([b]) - weightOf([a])));
  }
  return [...groups, ...[...left.values()].map((entry) => [entry])];
}

/** A group weighs what its heaviest member does; one that is over less than any active one. */
function weightOf(group) {
  return Math.max(...group.map((entry) => 100 * Number(entry.anomaly.state === "active")
    + 10 * weight(entry) + Number(isUnacknowledged(entry))));
}

/** "No alarms" is only said while the connection stands. */
function drawNone() {
  none.hidden = openGroups().length > 0;
  none.textContent = word(model.link.open ? "no_alarms" : "alarms_unknown");
}

function fill(into, items) {
  const same = items.length === into.children.length
    && items.every((item, i) => into.children[i] === item);
  if (same) return;
  const focused = document.activeElement;
  into.replaceChildren(...items);
  if (focused instanceof HTMLElement && into.contains(focused)) focused.focus();
}

function lineOf(entry) {
  const key = alarmKey(entry);
  const item = lines.get(key) ?? newLine(lines, key);
  fillLine(item.firstChild, entry, [entry]);
  return item;
}

/** The line of several alarms of one cause: the worst, how many more, and under it every one. */
function groupLineOf(group) {
  const key = alarmKey(group[0]);
  const item = groupLines.get(key) ?? newLine(groupLines, key);
  if (item.children.length === 1) {
    const more = element("button", "more");
    more.type = "button";
    const members = element("ol", "members");
    members.hidden = true;
    more.addEventListener("click", () => { members.hidden = !members.hidden; draw(); });
    item.append(more, members);
  }
  const [button, more, members] = item.children;
  fillLine(button, group[0], group);
  setText(more, word(members.hidden ? "group_open" : "group_close", group.length));
  more.setAttribute("aria-expanded", String(!members.hidden));
  fill(members, group.map(lineOf));
  return item;
}

function newLine(into, key) {
  const item = document.createElement("li");
  const button = element("button", "alarm");
  button.type = "button";
  button.append(
    element("span", "icon"), element("span", "kind"), element("span", "where"),
    element("span", "since"), element("span", "state"),
  );
  button.addEventListener("click", () => selectAlarm(key));
  item.append(button);
  into.set(key, item);
  return item;
}

function fillLine(button, entry, group) {
  const { anomaly } = entry;
  const unseen = group.filter(isUnacknowledged).length;
  const state = group.some((one) => one.anomaly.state === "active") ? "active" : "cleared";
  button.className = `alarm ${anomaly.severity} ${state}${unseen > 0 ? " unacknowledged" : ""}`;
  button.dataset.alarm = anomaly.id;
  button.dataset.kind = anomaly.kind;
  button.setAttribute("aria-pressed", String(model.selected?.alarm === alarmKey(entry)));
  const [icon, kind, where, since, words] = button.children;
  setText(icon, { critical: "▲", warning: "◆", notice: "●" }[anomaly.severity] ?? "●");
  icon.setAttribute("aria-hidden", "true");
  setText(kind, group.length > 1 ? `${kindOf(entry)} +${group.length - 1}` : kindOf(entry));
  setText(where, whereOf(entry));
  setText(since, sinceOf(entry));
  setText(words, stateOf(entry, group.length > 1 ? unseen : 0));
}

/** Tell the state of an alarm; of the group that it leads, how many nobody has seen. */
function stateOf(entry, unseen = 0) {
  const parts = [word(entry.anomaly.severity), word(entry.anomaly.state)];
  if (entry.anomaly.certainty === "possibly") parts.push(word("possibly"));
  if (entry.ending !== null && entry.anomaly.state === "active") parts.push(word("ending"));
  if (entry.phase === "shelved") {
    parts.push(word("shelved_until", clockTime(msOf(entry.shelved.until_ns))));
  } else if (unseen > 0) parts.push(word("group_unseen", unseen));
  else if (isUnacknowledged(entry)) parts.push(word("not_acknowledged"));
  else if (entry.acknowledged_at_ns !== null) parts.push(word("acknowledged"));
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
    for (const known of [lines, groupLines]) {
      const item = known.get(alarmKey(entry));
      if (item !== undefined) setText(item.firstChild.children[3], sinceOf(entry));
    }
  }
}

function drawDetails(groups) {
  const entry = model.selected?.alarm ? model.alarms.get(model.selected.alarm) : undefined;
  details.hidden = entry === undefined;
  if (entry === undefined) return;
  const { anomaly } = entry;
  const person = anomaly.track === null ? null
    : personOf(`${entry.site}/${entry.gateway}`, anomaly.track)?.worker ?? anomaly.worker
      ?? `#${anomaly.track}`;
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
    ["seen_by", entry.acknowledged_at_ns === null ? null
      : `${clockTime(msOf(entry.acknowledged_at_ns))} · ${entry.acknowledged_by}`],
    ["shelved", entry.phase === "shelved" ? actText(entry.shelved, clockTime) : null],
    ["ended", entry.ending === null ? null : actText(entry.ending, clockTime)],
    ["stored", clockTime(msOf(entry.stored_at_ns), true)],
    ["probability", `${(anomaly.probability * 100).toFixed(0)} %`],
    ["evidence", anomaly.evidence || null],
    ["alarm_id", anomaly.id],
  ].filter(([, value]) => value !== null);
  table.replaceChildren(...rows.flatMap(
    ([name, value]) => [element("dt", "", word(name)), element("dd", "", value)],
  ));
  setText(title, kindOf(entry));
  showDesk(entry, groups.find((group) => group.includes(entry)) ?? [entry], () => select(null));
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
