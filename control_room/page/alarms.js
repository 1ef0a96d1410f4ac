// The list of alarms, and past ones. Knows nothing about how they are found.

import { drawDetails, drawRows, endMs, stateOf } from "./alarm_details.js";
import { button as makeButton, element, fill, setText } from "./dom.js";
import { drawHidden, isWanted, onFilter } from "./filters.js";
import { gatewayName } from "./gateway_names.js";
import { msOf, parse } from "./json.js";
import { byLandmark } from "./landmarks.js";
import { oncePerFrame } from "./later.js";
import {
  alarmKey, howAlarmsAreKnown, isOpen, isUnacknowledged, mayAct, model, on, raiseOf, selectAlarm, takeHistory, weight,
  whoOf,
} from "./model.js";
import { chainageOf } from "./roadway.js";
import { SIGN } from "./signs.js";
import { clockTime, duration } from "./times.js";
import { whereNow } from "./where_now.js";
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
/** The lines of groups: `{ item, keys }`, the keys of its alarms when it was drawn last. */
let groupLines = [];
/** How many open alarms the filters hide. */
let hiddenCount = 0;
/** How many past alarms are shown. */
let most = PAST;
const later = oncePerFrame(draw);

/** Start showing alarms. */
export function start() {
  for (const about of ["alarms", "language", "gateways", "me"]) on(about, later);
  // At once: until the next frame the desk would still be another alarm's, and take words for it.
  on("selected", draw);
  for (const about of ["link", "replay"]) on(about, drawNone);
  onFilter(later);
  older.addEventListener("click", loadOlder);
  setInterval(drawTimes, 1000);
}

/** Tell whom an alarm is about, if anybody, where it is, and where they are now, in words. */
export function whoAndWhereOf(entry) {
  const { anomaly, gateway } = entry;
  const { xyz_m } = raiseOf(entry);
  const place = `${entry.site}/${gateway}`;
  const who = whoOf(entry);
  const parts = who === null ? [] : [who];
  if (xyz_m !== null) {
    const site = model.gateways.get(place)?.site;
    const near = byLandmark(site, xyz_m);
    parts.push(word("at", chainageOf(site, xyz_m).toFixed(1)), ...(near === null ? [] : [near]));
  }
  if (anomaly.zone !== null) parts.push(anomaly.zone);
  if (anomaly.camera !== null) parts.push(`${word("camera")} ${anomaly.camera}`);
  // Of one gateway alone everybody knows which; but an alarm may be of one that is not heard.
  if (parts.length === 0 || model.gateways.size > 1 || !model.gateways.has(place)) {
    parts.push(gatewayName(entry.site, gateway));
  }
  const now = whereNow(entry);
  if (now !== null) parts.push(now);
  return parts.join(" · ");
}

function draw() {
  const focused = focusedNow();
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
  const many = linesOfGroups(groups.filter((group) => group.length > 1));
  fill(list, groups.map((group) => many.get(group) ?? lineOf(group[0])));
  fill(shelf, shelved.map(lineOf));
  fill(past, closed.map(lineOf));
  setText(shelfTitle, word("shelved_count", shelved.length));
  shelfTitle.classList.toggle("some", shelved.length > 0);
  const shown = new Set([...groups.flat(), ...shelved, ...closed].map(alarmKey));
  for (const key of lines.keys()) if (!shown.has(key)) lines.delete(key);
  drawDetails(groups);
  focusAgain(focused);
}

/** Which alarm's line has the focus: { key, element }; null where none has. */
function focusedNow() {
  const element = document.activeElement;
  const key = element?.closest?.("#alarms, #shelved-alarms, #past-alarms") ? element.dataset.key : undefined;
  return key === undefined ? null : { key, element };
}

/** A line may have gone into a group, or come out of one: the focus goes with the alarm. */
function focusAgain(focused) {
  if (focused === null) return;
  const { key, element } = focused;
  if (element === document.activeElement && element.dataset.key === key) return;
  const all = [...document.querySelectorAll("#alarms button, #shelved-alarms button, #past-alarms button")];
  const own = all.find((one) => one.dataset.key === key && one.checkVisibility());
  const group = groupLines.find(({ keys }) => keys.has(key))?.item.firstChild;
  (own ?? group)?.focus({ preventScroll: true });
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
  const known = howAlarmsAreKnown();
  const isEmpty = openGroups().length === 0;
  none.hidden = !isEmpty && known === "judged";
  if (!model.link.open) setText(none, word("alarms_unknown"));
  else if (known === "") setText(none, word("alarms_not_judged"));
  else if (known === "recorded") setText(none, word(isEmpty ? "none_recorded" : "alarms_as_recorded"));
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
  const item = lines.get(key) ?? newLine();
  lines.set(key, item);
  fillLine(item.firstChild, entry, [entry]);
  return item;
}

/** Map of a group to its line: one that had one of its alarms, so that an open group stays open. */
function linesOfGroups(groups) {
  const left = new Map(groupLines.flatMap((line) => [...line.keys].map((key) => [key, line])));
  groupLines = groups.map((group) => {
    const keys = new Set(group.map(alarmKey));
    const before = left.get([...keys].find((key) => left.has(key)));
    for (const key of before?.keys ?? []) left.delete(key);
    return { item: before?.item ?? newGroupLine(), keys, group };
  });
  for (const { item, group } of groupLines) fillGroupLine(item, group);
  return new Map(groupLines.map(({ item, group }) => [group, item]));
}

function newGroupLine() {
  const item = newLine();
  const members = element("ol", "members");
  members.hidden = true;
  const more = makeButton("more", "", () => {
    members.hidden = !members.hidden;
    more.setAttribute("aria-expanded", String(!members.hidden));
    later();
  });
  item.append(more, members);
  return item;
}

/** The line of several alarms of one cause: the worst, how many more, and under it every one. */
function fillGroupLine(item, group) {
  const [button, more, members] = item.children;
  fillLine(button, group[0], group);
  setText(more, word(members.hidden ? "group_open" : "group_close", group.length));
  more.setAttribute("aria-expanded", String(!members.hidden));
  fill(members, group.map(lineOf));
}

function newLine() {
  const item = document.createElement("li");
  const button = makeButton("alarm", null, () => selectAlarm(button.dataset.key));
  button.append(
    element("span", "icon"), element("span", "kind"), element("span", "where"),
    element("span", "since"), element("span", "state"),
  );
  item.append(button);
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
  setText(where, whoAndWhereOf(entry));
  setText(since, sinceOf(entry));
  setText(words, stateOf(entry, group.length > 1 ? unseen : 0));
}

function sinceOf({ anomaly, cleared_at_ns }) {
  const raised = msOf(anomaly.raised_at_ns);
  const until = cleared_at_ns === null ? endMs(anomaly) : msOf(cleared_at_ns);
  return word("since", clockTime(raised), duration(Math.max(0, until - raised) / 1000));
}

function drawTimes() {
  for (const item of [...lines.values(), ...groupLines.map((line) => line.item)]) {
    const entry = model.alarms.get(item.firstChild.dataset.key);
    if (entry === undefined) continue;
    const [, , where, since] = item.firstChild.children;
    setText(where, whoAndWhereOf(entry)); // somebody may have got a name since, or walked on
    setText(since, sinceOf(entry));
  }
  drawRows();
}

