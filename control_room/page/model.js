// What this page knows: gateways, alarms, the connection, what is selected. Draws nothing.

import { msOf } from "./json.js";

export const SILENT_AFTER_S = 4;
export const OLD_PICTURE_S = 2;
/** Nobody has seen somebody for so long: their place is only predicted. */
export const PREDICTED_AFTER_S = 1;
/** The place of alarms about the control room itself, which is of no site. */
export const OURSELVES = "-/control_room";
const MOST_ALARMS = 2500;

export const model = {
  prefix: "",
  kinds: {},
  /** Map of "site/gateway" to what it said last. */
  gateways: new Map(),
  /** Map of "site/gateway/id" to the journal's entry. */
  alarms: new Map(),
  /** The names of all sites that have a gateway or an open alarm. */
  sites: new Set(),
  /** Map of "site/machine" to where a machine is; `heardAt` is when that was said. */
  machines: new Map(),
  /** How many are where, one for each site; `headsAt` is when that was said. */
  heads: [],
  headsAt: -Infinity,
  /** What part of a gateway's positions is lost on the way, by "site/gateway". */
  positionsLost: {},
  /** How far the control room is behind with positions: { late_s, left_out }. */
  shed: { late_s: 0, left_out: 0 },
  /** What it does not listen to, as there is too much of it: names and numbers, mostly none. */
  passedOver: {},
  /** Gateways that were taken out of service, and those that spoke again since. */
  outOfService: [],
  returned: [],
  /** Keys of open alarms, one list for each cause, the worst first. */
  groups: [],
  /** The load of alarms; null while it is unknown. */
  alarmRate: null,
  /** The gateway whose panorama is shown, "site/gateway". */
  shown: null,
  /** { place, track, alarm } or null; `alarm` is a key of `alarms`. */
  selected: null,
  /** Who looks, as the control room says; null while it is not known. */
  me: null,
  link: { open: false, lostAt: performance.now(), broker: true, trouble: "" },
  /** How the replay stands, as the control room that plays it says; null where none is played here. */
  replay: null,
  /** When each of its alarms is raised, by time. */
  replayMarks: [],
  /** Milliseconds to add to this machine's clock to get the control room's. */
  clockOffsetMs: 0,
};

const listeners = new Map();

/** Tell whether whoever looks may act on alarms. */
export function mayAct() {
  return ["operator", "admin"].includes(model.me?.role);
}

/** Call `listener` whenever something named `about` has changed. */
export function on(about, listener) {
  if (!listeners.has(about)) listeners.set(about, []);
  listeners.get(about).push(listener);
}

/** Say that something named `about` has changed. */
export function changed(about, detail) {
  for (const listener of listeners.get(about) ?? []) listener(detail);
}

/** A replay says when it is over; one that only comes over MQTT says goodbye. Nobody expects a picture then. */
export function replayEnded() {
  if (model.replay !== null) return model.replay.ended;
  return model.prefix === "replay" && model.gateways.get(model.shown)?.state?.online === false;
}

/** Tell the control room's time, milliseconds since the Unix epoch. */
export function nowMs() {
  return Date.now() + model.clockOffsetMs;
}

/** Take the control room's first words after connecting, or after a replay went elsewhere. */
export function takeSnapshot(said) {
  model.prefix = said.prefix;
  if (said.replay?.from_ns) beginReplay(said);
  model.kinds = said.kinds;
  const before = new Map(model.alarms);
  model.alarms.clear();
  worst = null;
  said.alarms.forEach(keep);
  countSites();
  followAlarm();
  model.groups = said.groups;
  model.alarmRate = said.alarm_rate;
  takeClock(said);
  takeOutOfService(said);
  for (const message of said.said) takeMessage(message);
  for (const machine of said.machines) takeMachine(machine);
  changed("alarms");
  changed("alarm rate");
  changed("gateways");
  if (model.replay !== null) {
    // Everything is as it was then: nothing of it is news.
    if (selectedIsGone()) select(null);
    changed("replay");
    changed("replay marks");
    return;
  }
  for (const [key, entry] of model.alarms) {
    // What came while nobody listened is heard now; what somebody has seen is no news.
    if (isUnacknowledged(entry) && isNews(before.get(key), entry)) changed("new alarm", entry);
  }
}

/** Nothing of what was known holds where a replay begins, or goes to. */
function beginReplay(said) {
  model.replay = said.replay;
  model.replayMarks = said.replay_marks;
  model.machines.clear();
  for (const known of model.gateways.values()) {
    for (const topic of Object.keys(known.heardAt)) delete known[topic];
    known.heardAt = {};
  }
}

function selectedIsGone() {
  const { selected } = model;
  if (selected === null) return false;
  if (selected.alarm !== null) return !model.alarms.has(selected.alarm);
  return personOf(selected.place, selected.track) === null;
}

/** Take how the replay stands. */
export function takeReplay({ replay }) {
  model.replay = replay;
  changed("replay");
}

/** Take which alarms its time line has. */
export function takeReplayMarks({ replay_marks }) {
  model.replayMarks = replay_marks;
  if (model.replay !== null) changed("replay marks");
}

/**
 * Tell how alarms are known at the instant that is shown: "judged", or in a replay for the time being
 * only as they were "recorded", or not at all, "".
 */
export function howAlarmsAreKnown() {
  return model.replay === null ? "judged" : model.replay.alarms;
}

/** Tell milliseconds that run as fast as time does here: in a replay the recording's. */
export function tickMs() {
  return model.replay === null ? performance.now() : msOf(model.replay.at_ns);
}

/** Take one gateway's message; `age_s` is for how long the control room has known it. */
export function takeMessage({ site, gateway, topic, envelope, plan, in_chinese, age_s = 0 }) {
  const place = `${site}/${gateway}`;
  let known = model.gateways.get(place);
  const isFirst = known === undefined;
  if (isFirst) {
    known = { place, siteName: site, gateway, heardAt: {} };
    model.gateways.set(place, known);
    if (model.shown === null) model.shown = place;
  }
  known[topic] = envelope.body;
  if (topic === "site") known.plan = plan ?? null;
  if (topic === "health") known.chinese = in_chinese ?? {};
  known.heardAt[topic] = performance.now() - age_s * 1000;
  if (isFirst) countSites();
  if (topic === "site" || topic === "state") changed("gateways");
  changed(topic, known);
}

/** Take which gateways are out of service: nobody waits for them, and they are not shown. */
export function takeOutOfService({ out_of_service: out }) {
  model.outOfService = out ?? [];
  for (const { site, gateway } of model.outOfService) model.gateways.delete(`${site}/${gateway}`);
  if (!model.gateways.has(model.shown)) model.shown = model.gateways.keys().next().value ?? null;
  countSites();
  changed("gateways");
}

/** Take where a machine is. */
export function takeMachine({ age_s = 0, ...said }) {
  said.heardAt = tickMs() - age_s * 1000;
  model.machines.set(`${said.site}/${said.machine}`, said);
  changed("machines");
}

/** Take how many are where. */
export function takeHeads({ heads }) {
  model.heads = heads;
  model.headsAt = performance.now();
  changed("heads");
}

/** Take alarms that were over long ago. */
export function takeHistory(entries) {
  for (const entry of entries) {
    if (!model.alarms.has(alarmKey(entry))) keep(entry);
  }
  forgetOldAlarms();
  worst = null;
  changed("alarms");
}

/** Take an alarm's new state. */
export function takeAlarm(entry) {
  const key = alarmKey(entry);
  const before = model.alarms.get(key);
  keep(entry);
  countSites();
  worst = null;
  forgetOldAlarms();
  followAlarm();
  changed("alarms");
  if (isNews(before, entry)) changed("new alarm", entry);
}

function keep(entry) {
  model.alarms.set(alarmKey(entry), entry);
}

/** Tell whether an alarm is about the control room itself. */
export function isOfOurselves({ site, gateway }) {
  return `${site}/${gateway}` === OURSELVES;
}

/** Where there are, or were, several sites, gateways are called otherwise now. */
function countSites() {
  const before = model.sites;
  const open = [...model.alarms.values()].filter(
    (entry) => isOpen(entry) && !isOfOurselves(entry),
  );
  model.sites = new Set([
    ...[...model.gateways.values()].map(({ siteName }) => siteName), ...open.map(({ site }) => site),
  ]);
  const isSame = before.size === model.sites.size && [...before].every((site) => model.sites.has(site));
  if (!isSame && Math.max(before.size, model.sites.size) > 1) changed("gateways");
}

/** Tell whether an alarm is new, has got worse, or has come off the shelf with nobody's word for it. */
function isNews(before, entry) {
  if (entry.anomaly.state !== "active") return false;
  return before === undefined || weight(entry) > weight(before)
    || (before.phase === "shelved" && isUnacknowledged(entry));
}

/** Take which alarms have one cause. */
export function takeGroups({ groups }) {
  model.groups = groups;
  changed("alarms");
}

/** Take the load of alarms. */
export function takeAlarmRate({ alarm_rate }) {
  model.alarmRate = alarm_rate;
  changed("alarm rate");
}

/** Take the control room's time and its own state. */
export function takeClock(said) {
  model.clockOffsetMs = msOf(said.now_ns) - Date.now();
  model.link.broker = said.broker;
  model.link.trouble = said.trouble;
  model.positionsLost = said.positions_lost ?? {};
  model.shed = said.positions_shed ?? model.shed;
  model.passedOver = said.passed_over ?? {};
  model.returned = said.returned ?? [];
  changed("link");
}

/** Show the panorama of a gateway. */
export function show(place) {
  if (!model.gateways.has(place) || model.shown === place) return;
  model.shown = place;
  changed("gateways");
}

/** Select a person, an alarm, or nothing; everything that shows it follows, the panorama too. */
export function select(selected) {
  if (selected !== null) show(selected.place);
  model.selected = selected;
  changed("selected");
}

/** Select an alarm and the person it is about. */
export function selectAlarm(key) {
  const entry = model.alarms.get(key);
  if (entry === undefined) return;
  select({ place: `${entry.site}/${entry.gateway}`, track: entry.anomaly.track, alarm: key });
}

/** Whom the selected alarm is about may have got a new number: then that one is selected. */
function followAlarm() {
  const { selected } = model;
  const track = model.alarms.get(selected?.alarm)?.anomaly.track ?? null;
  if (track !== null && track !== selected.track) select({ ...selected, track });
}

/** Select a person, and the open alarm about them if there is one. */
export function selectTrack(place, track) {
  const entry = alarmOf(place, track);
  select({ place, track, alarm: entry === null ? null : alarmKey(entry) });
}

/** Tell whether this person is the selected one. */
export function isSelected(place, track) {
  const { selected } = model;
  return selected !== null && selected.place === place && selected.track === track;
}

/** Name an alarm across all gateways. */
export function alarmKey(entry) {
  return `${entry.site}/${entry.gateway}/${entry.anomaly.id}`;
}

/** Tell whether an alarm is still there: active, or latched and cleared before anybody saw it. */
export function isOpen(entry) {
  return entry.phase !== "over";
}

/**
 * What an alarm was raised on: where, how probable, why. A clearing no longer says that; of an
 * alarm whose raising never came there is only the clearing.
 */
export function raiseOf({ anomaly, raised }) {
  return anomaly.state === "active" ? anomaly : raised ?? anomaly;
}

/** Tell whether somebody still has to say that they have seen it. */
export function isUnacknowledged(entry) {
  return entry.phase === "unacknowledged" || entry.phase === "cleared_unacknowledged";
}

/** Map of "site/gateway/track" to the active alarms about them, the worst first; null: to be made. */
let worst = null;
const NO_ALARMS = Object.freeze([]);

/** Find the worst active alarm about a person; null without. */
export function alarmOf(place, track) {
  return alarmsOf(place, track)[0] ?? null;
}

/** List the active alarms about a person, the worst first; asked for everybody at every picture. */
export function alarmsOf(place, track) {
  worst ??= alarmsByPerson();
  return worst.get(`${place}/${track}`) ?? NO_ALARMS;
}

function alarmsByPerson() {
  const found = new Map();
  for (const entry of model.alarms.values()) {
    if (entry.anomaly.state !== "active" || entry.anomaly.track === null) continue;
    const key = `${entry.site}/${entry.gateway}/${entry.anomaly.track}`;
    if (found.has(key)) found.get(key).push(entry);
    else found.set(key, [entry]);
  }
  for (const entries of found.values()) entries.sort((a, b) => weight(b) - weight(a));
  return found;
}

/** Order alarms: the higher, the worse. */
export function weight(entry) {
  return { critical: 3, warning: 2, notice: 1 }[entry.anomaly.severity] ?? 0;
}

/** Tell for how many seconds a gateway has said nothing on a topic; Infinity if never. */
export function silentFor(known, topic) {
  // How fast it is played, or that it stands still, makes nobody silent.
  if (model.replay !== null) return model.replay.quiet_s[topic] ?? Infinity;
  const heard = known.heardAt[topic];
  return heard === undefined ? Infinity : (performance.now() - heard) / 1000;
}

/** Tell for how many seconds nobody has seen a person; while nothing comes, nobody has. */
export function unseenFor(known, { seen_at_ns }) {
  return silentFor(known, "positions")
    + Math.max(0, (msOf(known.positions.captured_at_ns) - msOf(seen_at_ns)) / 1000);
}

/** Find a person among a gateway's last positions; null without. */
export function personOf(place, track) {
  const people = model.gateways.get(place)?.positions?.people ?? [];
  return people.find((person) => person.track === track) ?? null;
}

function forgetOldAlarms() {
  if (model.alarms.size <= MOST_ALARMS) return;
  for (const [key, entry] of model.alarms) {
    if (model.alarms.size <= 0.8 * MOST_ALARMS) return;
    if (!isOpen(entry)) model.alarms.delete(key);
  }
}

/** Tell what people call somebody: a name, or a number. */
export function nameOf(person) {
  return person.worker ?? `#${person.track}`;
}

/**
 * Tell whom an alarm is about, by name or number, also when that person has gone; null if nobody.
 * While it is active and that person is there, plan and panorama say who it is: a name may have been
 * withdrawn. Else it is the last name that the alarm had: the number may be somebody else's by now.
 */
export function whoOf({ site, gateway, anomaly }) {
  if (anomaly.track === null) return anomaly.worker;
  const now = personOf(`${site}/${gateway}`, anomaly.track);
  if (now !== null && (anomaly.state === "active" || anomaly.worker === null)) return nameOf(now);
  return anomaly.worker ?? `#${anomaly.track}`;
}
