// The list of alarms, and past ones. Knows nothing about how they are found.

import { drawDetails, endMs, stateOf } from "./alarm_details.js";
import { button as makeButton, element, fill, setText } from "./dom.js";
import { drawHidden, isWanted, onFilter } from "./filters.js";
import { msOf, parse } from "./json.js";
import { byLandmark } from "./landmarks.js";
import { oncePerFrame } from "./later.js";
import {
  alarmKey, isOpen, isUnacknowledged, mayAct, model, on, raiseOf, selectAlarm, takeHistory, weight,
} from "./model.js";
import { SIGN } from "./signs.js";
import { clockTime, duration } from "./times.js";
import { kindName } from "./words_of_alarms.js";
import { word } from "./words.js";

const PAST = 50;
const PAST_LOADED = 1000;

const list = document.getElementById("alarms");
const past = document.getElementById("past-alarms");
const older = document.getElementById("older-alarms");
const copy = document.getElementById("copy-alarms");
const pastTrouble = document.getElementById("past-trouble");
const shelf = document.getElementById("shelved-alarms");
const shelfTitle = document.getElementById("shelved-count");
const none = document.getElementById("no-alarms");
/** Map of an alarm's key to its line. */
const lines = new Map();
/** Map of an alarm's key to the line of the group that it leads. */
const groupLines = new Map();
/** How many open alarms the filters hide. */
let hiddenCount = 0;
/** How many past alarms are shown. */
let most = PAST;
const later = oncePerFrame(draw);

/** Start showing alarms. */
export function start() {
  for (const about of ["alarms", "selected", "language", "gateways", "me"]) on(about, later);
  on("link", drawNone);
  onFilter(later);
  older.addEventListener("click", loadOlder);
  setInterval(drawTimes, 1000);
}

/** Tell where an alarm is, in words. */
export function whereOf(entry) {
  const { anomaly, gateway } = entry;
  const { xyz_m } = raiseOf(entry);
  const parts = [];
  if (xyz_m !== null) {
    const near = byLandmark(model.gateways.get(`${entry.site}/${gateway}`)?.site, xyz_m);
    parts.push(word("at", xyz_m[0].toFixed(1)), ...(near === null ? [] : [near]));
  }
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
  const closed = entries.filter((entry) => !isOpen(entry) && isWanted(entry)).sort(newest)
    .slice(0, most);
  hiddenCount = drawHidden(entries.filter(
    (entry) => isOpen(entry) && entry.phase !== "shelved" && !isWanted(entry),
  ));
  drawNone();
  copy.hidden = !mayAct() || model.prefix === "replay";
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
    ([, entry]) => isOpen(entry) && entry.phase !== "shelved" && isWanted(entry),
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

/** "No alarms" is only said while the connection stands, and nothing is hidden. */
function drawNone() {
  none.hidden = openGroups().length > 0;
  if (!model.link.open) setText(none, word("alarms_unknown"));
  else setText(none, hiddenCount > 0 ? word("none_shown") : word("no_alarms"));
}

/** Fetch what was before the page was opened. */
async function loadOlder() {
  pastTrouble.textContent = "";
  try {
    const answer = await fetch(`/api/alarms/history?limit=${PAST_LOADED}`);
    if (!answer.ok) throw new Error(await answer.text());
    most = PAST_LOADED;
    takeHistory(parse(await answer.text()));
  } catch {
    pastTrouble.textContent = word("no_history");
  }
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
    const members = element("ol", "members");
    members.hidden = true;
    const more = makeButton("more", "", () => { members.hidden = !members.hidden; later(); });
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
  const button = makeButton("alarm", null, () => selectAlarm(key));
  button.append(
    element("span", "icon"), element("span", "kind"), element("span", "where"),
    element("span", "since"), element("span", "state"),
  );
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
  button.dataset.key = alarmKey(entry);
  button.setAttribute("aria-pressed", String(model.selected?.alarm === alarmKey(entry)));
  const [icon, kind, where, since, words] = button.children;
  setText(icon, SIGN[anomaly.severity] ?? SIGN.notice);
  icon.setAttribute("aria-hidden", "true");
  setText(kind, group.length > 1 ? `${kindName(entry.anomaly)} +${group.length - 1}` : kindName(entry.anomaly));
  setText(where, whereOf(entry));
  setText(since, sinceOf(entry));
  setText(words, stateOf(entry, group.length > 1 ? unseen : 0));
}

function sinceOf({ anomaly, cleared_at_ns }) {
  const raised = msOf(anomaly.raised_at_ns);
  const until = cleared_at_ns === null ? endMs(anomaly) : msOf(cleared_at_ns);
  return word("since", clockTime(raised), duration(Math.max(0, until - raised) / 1000));
}

function drawTimes() {
  for (const entry of model.alarms.values()) {
    for (const known of [lines, groupLines]) {
      const item = known.get(alarmKey(entry));
      if (item !== undefined) setText(item.firstChild.children[3], sinceOf(entry));
    }
  }
}

