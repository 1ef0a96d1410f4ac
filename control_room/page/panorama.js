// The panorama on its canvas, and on the very same frame a tag on everybody.
// Knows nothing about MQTT: people and picture come out of the same packet.

import { setText } from "./dom.js";
import { gatewayName } from "./gateway_names.js";
import { msOf } from "./json.js";
import { oncePerFrame } from "./later.js";
import {
  OLD_PICTURE_S, alarmKey, alarmOf, alarmsOf, changed, model, nowMs, on, personOf, replayEnded, selectAlarm,
  selectTrack, weight,
} from "./model.js";
import { openOnEnter } from "./place_alarms.js";
import { activePlace, drawPlaces, drawRaised, writeRaised } from "./raised_place.js";
import { drawRuler } from "./ruler.js";
import { PanoramaStream } from "./stream.js";
import { DARK, NARROW_PX, drawTags, tagsOf } from "./tags.js";
import { View, whenClicked } from "./view.js";
import { technical, word } from "./words.js";

/** For so long a followed person may be missing: they may only get a new number. */
const LOST_MS = 2000;
/** A view that nobody has touched for so long shows all again: it must not hide who comes. */
const UNTOUCHED_MS = 30_000;
/** On a phone a long panorama would be a thread: it is at least so high, and shows a part of itself. */
const PHONE_PX = 190;

const canvas = document.getElementById("panorama");
const stamp = document.getElementById("zoom-stamp");
const note = document.getElementById("panorama-note");
const age = document.getElementById("picture-age");
const context = canvas.getContext("2d", { alpha: false });
const later = oncePerFrame(draw);
const view = new View(canvas, later);

let stream = null;
let frame = null;
let header = null;
let trouble = "";
let drawnAt = performance.now();
let late_s = 0;
/** Whether `frame` has come since the last drawing. */
let isNew = false;
/** Where to fly once the first picture has come. */
let pending = null;
let rulerIsOn = true;
/** Whether the view goes where the selected person goes, and whether a selection has led it where it is. */
let follows = false;
let isLed = false;
/** When the followed person was in a picture last, and when somebody touched the page last. */
let followedAt = 0;
let touchedAt = performance.now();
/** Of the box, CSS pixels; asked for at every frame it would have the plan laid out first. */
let boxWidth = 0;

/** What has been drawn, for whoever looks from outside. */
export const drawn = {
  frames: 0, tags: [], groups: [], places: [], ruler: [], raised: null, capturedAtNs: null, codec: null, skipped: 0, scale: 1,
  jump: null,
};

/**
 * Tell what the viewer should know about the picture: `quiet_s` since one came, and in the live mine
 * `late_s` between its capture and its drawing.
 */
export function pictureState() {
  const known = model.gateways.get(model.shown);
  return {
    name: known === undefined ? "" : gatewayName(known.siteName, known.gateway),
    quiet_s: model.replay === null ? (performance.now() - drawnAt) / 1000 : model.replay.quiet_s.picture ?? 0,
    late_s: model.prefix !== "replay" && header !== null ? late_s : 0,
    captured_ms: header === null ? null : msOf(header.captured_at_ns),
    never: header === null, trouble, supported: isSupported(),
  };
}

/** Start showing the gateway that `model.shown` names, now and whenever it changes. */
export function start() {
  on("gateways", showGateway);
  on("alarms", later);
  on("selected", () => { flyToSelected(); later(); });
  on("look", flyToChainage);
  on("language", later);
  on("replay", showJump);
  new ResizeObserver(([{ contentRect }]) => { boxWidth = contentRect.width; later(); })
    .observe(canvas.parentElement);
  document.getElementById("panorama-fit").addEventListener("click", showAll);
  stamp.addEventListener("click", showAll);
  for (const what of ["pointerdown", "pointermove", "wheel", "keydown"]) {
    addEventListener(what, () => { touchedAt = performance.now(); }, { passive: true, capture: true });
  }
  // Whoever moves the picture looks elsewhere.
  canvas.addEventListener("wheel", goAlone, { passive: true });
  canvas.addEventListener("pointermove", ({ buttons }) => { if (buttons !== 0) goAlone(); });
  canvas.addEventListener("keydown", ({ key }) => { if (/^(Arrow|[-+=0]$)/.test(key)) goAlone(); });
  const toggle = document.getElementById("panorama-ruler");
  toggle.addEventListener("click", () => {
    rulerIsOn = !rulerIsOn;
    toggle.setAttribute("aria-pressed", String(rulerIsOn));
    later();
  });
  whenClicked(canvas, click);
  openOnEnter(canvas, () => [
    ...drawn.groups.map(keysOf), ...drawn.places.map(({ keys }) => keys).filter(({ length }) => length > 1),
  ]);
  setInterval(() => { showAge(); leaveZoom(); }, 500);
  later();
}

/** From now on no selection moves the view, nor does its end. */
function goAlone() {
  follows = isLed = false;
}

function showAll() {
  goAlone();
  view.fit();
  later();
}

function rest() {
  goAlone();
  view.rest();
  later();
}

/** Go back once nobody is followed any more, or nobody has touched anything for long. */
function leaveZoom() {
  if (view.isWhole || view.isAtRest) return;
  const now = performance.now();
  if (follows && selectedXy() !== null) followedAt = now;
  if (now - touchedAt > UNTOUCHED_MS || (follows && now - followedAt > LOST_MS)) rest();
}

function isSupported() {
  return "VideoDecoder" in globalThis;
}

function showGateway() {
  if (stream !== null && stream.place === model.shown) return;
  stream?.close();
  frame?.close();
  stream = frame = header = null;
  trouble = "";
  drawnAt = performance.now();
  drawn.tags = [];
  rest();
  if (model.shown === null) return;
  if (isSupported()) stream = new PanoramaStream(model.shown, take, takeTrouble);
  later();
}

function take(newFrame, newHeader) {
  frame?.close();
  frame = newFrame;
  header = newHeader;
  isNew = true;
  later();
}

/** While a replay goes elsewhere the picture is still that from before; where it has none, there is none. */
function showJump() {
  const { replay } = model;
  if (replay === null) return;
  const isOld = drawn.jump < replay.jump;
  const isComing = "picture" in replay.quiet_s;
  canvas.classList.toggle("elsewhere", isOld && isComing);
  if (!isOld || isComing || frame === null) return;
  frame.close();
  frame = header = drawn.capturedAtNs = null;
  later();
  showAge();
}

function takeTrouble(text) {
  trouble = text;
}

function resize() {
  const size = frame === null ? { width: 16, height: 3 }
    : { width: frame.displayWidth, height: frame.displayHeight };
  boxWidth ||= canvas.parentElement.getBoundingClientRect().width;
  const width = Math.max(1, Math.floor(boxWidth));
  const most = Math.max(120, innerHeight * 0.55);
  const whole_px = width * size.height / size.width;
  view.fills = frame !== null && width < NARROW_PX && whole_px < PHONE_PX;
  const height = Math.round(Math.min(most, Math.max(view.fills ? PHONE_PX : 120, whole_px)));
  const ratio = devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.height = `${height}px`;
  }
  const same = view.box.width === width && view.box.height === height
    && view.picture.width === size.width && view.picture.height === size.height;
  if (!same) view.resize({ width, height }, size);
}

function draw() {
  resize();
  const ratio = devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = DARK;
  context.fillRect(0, 0, canvas.width, canvas.height);
  drawn.tags = drawn.groups = drawn.places = [];
  stamp.hidden = true;
  if (frame === null) return;
  if (isNew) follow();
  const { width, height } = view.picture;
  context.imageSmoothingQuality = "high";
  context.drawImage(frame, view.left, view.top, width * view.scale, height * view.scale);
  drawn.ruler = rulerIsOn ? drawRuler(context, marks(), onCanvas, view.box) : [];
  const [over, site] = [model.alarms.get(model.selected?.alarm), model.gateways.get(stream.place)?.site];
  drawn.raised = drawRaised(context, over, stream.place, site, marks(), onCanvas);
  drawn.tags = tagsOf(header, stream.place, view, onCanvas);
  drawn.groups = drawTags(context, drawn.tags, view.box);
  const taken = [...drawn.ruler, ...drawn.tags.map(({ label }) => label).filter((label) => label !== null)];
  if (drawn.raised !== null) {
    drawn.raised.label = writeRaised(context, drawn.raised, view.box, taken);
    taken.push(drawn.raised.label);
  }
  const picture = { place: stream.place, site, marks: marks(), onCanvas, box: view.box };
  drawn.places = drawPlaces(context, picture, new Set(drawn.tags.map(({ track }) => track)), taken);
  drawn.scale = view.scale;
  drawStamp();
  if (!isNew) return;
  noteNew();
  const fly = pending;
  pending = null;
  fly?.();
}

/** Tell that a new picture is on the screen. */
function noteNew() {
  isNew = false;
  drawn.frames += 1;
  drawn.capturedAtNs = header.captured_at_ns;
  drawn.jump = header.replay?.jump ?? null;
  drawn.codec = stream.codec;
  drawn.skipped = stream.skipped;
  drawnAt = performance.now();
  late_s = (nowMs() - msOf(header.captured_at_ns)) / 1000;
  showJump();  // last: it may take the picture away again
}

/** The ruler of the geometry that the picture has: after a camera was hung anew they may differ. */
function marks() {
  const site = model.gateways.get(stream?.place)?.site;
  return site && header.geometry === site.geometry ? site.ruler ?? [] : [];
}

/** Panorama pixels to canvas pixels; whole numbers are the middles of panorama pixels. */
function onCanvas([x, y]) {
  return [(x + 0.5) * view.scale + view.left, (y + 0.5) * view.scale + view.top];
}

function click({ x, y }) {
  const isOn = ([left, top, wide, tall]) =>
    x >= left - 4 && x <= left + wide + 4 && y >= top - 4 && y <= top + tall + 4;
  const hit = drawn.tags.findLast(({ label }) => label !== null
    && isOn([label.left, label.top, label.width, label.height]))
    ?? drawn.tags.findLast(({ box }) => isOn(box));
  const sign = drawn.places.find(({ left, top, width, height, x: at, y: down, inPicture }) =>
    isOn([left, top, width, height]) || (inPicture && Math.hypot(at - x, down - y) < 12));
  if (sign !== undefined) {
    if (sign.keys.length === 1) selectAlarm(sign.keys[0]);
    else changed("place alarms", [sign.keys]);
    return;
  }
  if (hit === undefined) return;
  const group = drawn.groups.find((tracks) => tracks.includes(hit.track));
  // The bodies of a group are still there one by one; their label stands for all.
  if (group === undefined || isOn(hit.box)) selectTrack(model.shown, hit.track);
  else changed("place alarms", [keysOf(group)]);
}

/** The alarms about people that share a label. */
function keysOf(tracks) {
  return tracks.flatMap((track) => alarmsOf(model.shown, track).map(alarmKey));
}

/** The middle of the selected person, panorama pixels; null where the picture doesn't have them. */
function selectedXy() {
  const { selected } = model;
  if (selected === null || selected.track === null || selected.place !== model.shown) return null;
  const inFrame = header?.positions.people.find((person) => person.track === selected.track);
  const person = inFrame ?? personOf(selected.place, selected.track);
  if (person === null || person.panorama_xy === null) return null;
  const [x, y] = person.panorama_xy;
  const head = person.panorama_head_xy ?? person.panorama_xy;
  return [(x + head[0]) / 2, (y + head[1]) / 2];
}

function flyToSelected() {
  if (frame === null) {
    pending = flyToSelected;
    return;
  }
  const xy = selectedXy();
  if (xy === null) {
    const place = activePlace(model.alarms.get(model.selected?.alarm));
    // A number may change: `leaveZoom` waits for the new one.
    if (place !== null) isLed = flyToChainage(place) || isLed;
    else if (isLed && model.selected?.track == null) rest();
    return;
  }
  follows = isLed = true;
  followedAt = performance.now();
  view.centre(...xy, 2);
}

/** On a phone, while nobody moves the view: the middle of whom the gravest alarm is about, or of the first. */
function gravestXy() {
  const people = header.positions.people.filter(({ panorama_xy }) => panorama_xy !== null);
  const graveness = ({ track }) => {
    const alarm = alarmOf(stream.place, track);
    return alarm === null ? 0 : weight(alarm);
  };
  return people.toSorted((a, b) => graveness(b) - graveness(a) || a.track - b.track)[0]?.panorama_xy ?? null;
}

/** Keep the selected person, or the gravest alarm's, in the middle part of the view. */
function follow() {
  if (view.fills && view.isAtRest) {
    const xy = gravestXy();
    if (xy !== null && Math.abs(onCanvas(xy)[0] - view.box.width / 2) > view.box.width / 5) view.rest(xy[0]);
    return;
  }
  const xy = follows ? selectedXy() : null;
  if (xy === null) return;
  const [x, y] = onCanvas(xy);
  const { width, height } = view.box;
  if (Math.abs(x - width / 2) > width / 5 || Math.abs(y - height / 2) > height / 3) view.centre(...xy, 1);
}

/** Say that the view is not all, and how many are outside of it. */
function drawStamp() {
  stamp.hidden = view.isWhole;
  if (view.isWhole) return;
  const { width, height } = view.box;
  const inside = drawn.tags.filter(({ box: [left, top, wide, tall] }) => {
    const [x, y] = [left + wide / 2, top + tall / 2];
    return x >= 0 && x <= width && y >= 0 && y <= height;
  }).length;
  const outside = header.positions.people.length - inside;
  setText(stamp, word({ 0: "zoomed_none", 1: "zoomed_one" }[outside] ?? "zoomed", outside));
  stamp.classList.toggle("some", outside > 0);
}

/** Bring a metre of the roadway to the middle, if the picture shows it; tells whether it is there. */
function flyToChainage({ place, chainage_m }) {
  if (stream?.place !== place) return false;
  if (frame === null) {
    pending = () => flyToChainage({ place, chainage_m });
    return false;
  }
  const far = (mark) => Math.abs(mark.chainage_m - chainage_m);
  const near = marks().toSorted((a, b) => far(a) - far(b))[0];
  if (near === undefined || far(near) > 2) return false;
  goAlone();
  const middle = (axis) => near.across_px.reduce((sum, at) => sum + at[axis], 0) / near.across_px.length;
  view.centre(middle(0), middle(1), 2);
  return true;
}

function showAge() {
  const state = pictureState();
  const nobody = model.gateways.size === 0;
  let text = "";
  if (!state.supported) text = word("no_webcodecs");
  else if (state.trouble !== "") text = word("decode_trouble", technical(state.trouble));
  else if (nobody) text = word("no_gateway");
  else if (state.never) text = word("no_picture", state.name);
  note.textContent = text;
  note.hidden = text === "";
  const old = state.quiet_s > OLD_PICTURE_S && !state.never && !replayEnded();
  canvas.classList.toggle("old", old);
  const old_s = Math.max(0, state.quiet_s + state.late_s);
  age.textContent = state.never || replayEnded() ? "" : word("picture_age", old_s.toFixed(1));
  changed("picture", state);
}
