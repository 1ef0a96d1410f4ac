// The panorama on its canvas, and on the very same frame a tag on everybody.
// Knows nothing about MQTT: people and picture come out of the same packet.

import { msOf } from "./json.js";
import {
  OLD_PICTURE_S, PREDICTED_AFTER_S, alarmOf, changed, isSelected, model, nowMs, on, personOf,
  replayEnded, selectTrack,
} from "./model.js";
import { drawRuler } from "./ruler.js";
import { PanoramaStream } from "./stream.js";
import { View, whenClicked } from "./view.js";
import { language, word } from "./words.js";

/** A posture that no look has shown for so long is not told any more. */
const HEIGHT_OLD_S = 3;
const LABEL_PX = 13;
const COLOURS = {
  seen: "#6fe3d6", possibly: "#a9b8ff", predicted: "#c9d1d6", alarm: "#ff4d4d", dark: "#0b1116",
};

const canvas = document.getElementById("panorama");
const note = document.getElementById("panorama-note");
const age = document.getElementById("picture-age");
const context = canvas.getContext("2d", { alpha: false });
const view = new View(canvas, draw);

let stream = null;
let frame = null;
let header = null;
let trouble = "";
let drawnAt = performance.now();
let late_s = 0;
let waiting = false;
let rulerIsOn = true;

/** What has been drawn, for whoever looks from outside. */
export const drawn = {
  frames: 0, tags: [], ruler: [], capturedAtNs: null, codec: null, skipped: 0, scale: 1,
};

/**
 * Tell what the viewer should know about the picture: `quiet_s` since one came, and in the live mine
 * `late_s` between its capture and its drawing.
 */
export function pictureState() {
  return {
    quiet_s: (performance.now() - drawnAt) / 1000,
    late_s: model.prefix !== "replay" && header !== null ? late_s : 0,
    captured_ms: header === null ? null : msOf(header.captured_at_ns),
    never: header === null, trouble, supported: isSupported(),
  };
}

/** Start showing the gateway that `model.shown` names, now and whenever it changes. */
export function start() {
  on("gateways", showGateway);
  on("alarms", draw);
  on("selected", () => { flyToSelected(); draw(); });
  on("language", draw);
  new ResizeObserver(resize).observe(canvas.parentElement);
  document.getElementById("panorama-fit").addEventListener("click", () => { view.fit(); draw(); });
  const toggle = document.getElementById("panorama-ruler");
  toggle.addEventListener("click", () => {
    rulerIsOn = !rulerIsOn;
    toggle.setAttribute("aria-pressed", String(rulerIsOn));
    draw();
  });
  whenClicked(canvas, click);
  setInterval(showAge, 500);
  resize();
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
  if (model.shown === null) return;
  if (isSupported()) stream = new PanoramaStream(model.shown, take, takeTrouble);
  draw();
}

function take(newFrame, newHeader) {
  frame?.close();
  frame = newFrame;
  header = newHeader;
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    if (frame === null) return;
    resize();
    drawn.frames += 1;
    drawn.capturedAtNs = header.captured_at_ns;
    drawn.codec = stream.codec;
    drawn.skipped = stream.skipped;
    drawnAt = performance.now();
    late_s = (nowMs() - msOf(header.captured_at_ns)) / 1000;
  });
}

function takeTrouble(text) {
  trouble = text;
}

function resize() {
  const size = frame === null ? { width: 16, height: 3 }
    : { width: frame.displayWidth, height: frame.displayHeight };
  const box = canvas.parentElement.getBoundingClientRect();
  const width = Math.max(1, Math.floor(box.width));
  const most = Math.max(120, innerHeight * 0.55);
  const height = Math.round(Math.min(most, Math.max(120, width * size.height / size.width)));
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
  draw();
}

function draw() {
  const ratio = devicePixelRatio || 1;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = COLOURS.dark;
  context.fillRect(0, 0, canvas.width, canvas.height);
  drawn.tags = [];
  if (frame === null) return;
  const { width, height } = view.picture;
  context.imageSmoothingQuality = "high";
  context.drawImage(frame, view.left, view.top, width * view.scale, height * view.scale);
  drawn.ruler = rulerIsOn ? drawRuler(context, marks(), onCanvas, view.box) : [];
  const tags = header.positions.people.filter((person) => person.panorama_xy !== null).map(tagOf);
  // Alarms last, so that nothing covers them.
  tags.sort((a, b) => Number(a.state === "alarm") - Number(b.state === "alarm"));
  const taken = [];
  for (const tag of tags) drawTag(tag, taken);
  drawn.tags = tags;
  drawn.scale = view.scale;
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

function tagOf(person) {
  const feet = onCanvas(person.panorama_xy);
  const head = person.panorama_head_xy === null ? [feet[0], feet[1] - 60 * view.scale]
    : onCanvas(person.panorama_head_xy);
  const tall = Math.max(4, Math.hypot(feet[0] - head[0], feet[1] - head[1]));
  const pxPerM = tall / Math.max(0.3, person.height_m);
  const wide = Math.max(14, (person.posture === "lying" ? 1.9 : 0.75) * pxPerM);
  const middle = (feet[0] + head[0]) / 2;
  // Who stands close has feet below the picture: the box ends where the picture does.
  const inPicture = (y) => Math.min(Math.max(y, view.top), view.top + view.picture.height * view.scale);
  const top = inPicture(Math.min(feet[1], head[1]) - 3);
  const bottom = inPicture(Math.max(feet[1], head[1]) + 3);
  const box = [middle - wide / 2, top, wide, Math.max(8, bottom - top)];
  const unseen_s = (msOf(header.captured_at_ns) - msOf(person.seen_at_ns)) / 1000;
  const alarm = alarmOf(model.shown, person.track);
  let state = "seen";
  if (unseen_s > PREDICTED_AFTER_S) state = "predicted";
  else if (person.certainty === "possibly") state = "possibly";
  if (alarm !== null) state = "alarm";
  return {
    track: person.track, worker: person.worker, state, text: textOf(person, unseen_s, alarm),
    panorama_xy: person.panorama_xy, panorama_head_xy: person.panorama_head_xy,
    canvas_xy: feet, canvas_head_xy: head, box, selected: isSelected(model.shown, person.track),
  };
}

/** Who stood when the body was last seen whole need not stand any more. */
function postureOf({ posture, seen_at_ns, height_at_ns }) {
  if (height_at_ns === null || height_at_ns === undefined) return word(posture);
  const old_s = (msOf(seen_at_ns) - msOf(height_at_ns)) / 1000;
  return word(old_s > HEIGHT_OLD_S ? "posture_unknown" : posture);
}

function textOf(person, unseen_s, alarm) {
  const parts = [person.worker ?? `#${person.track}`, postureOf(person),
    `${person.xyz_m[0].toFixed(1)} m`];
  if (unseen_s > PREDICTED_AFTER_S) parts.push(word("seconds_ago", unseen_s.toFixed(0)));
  if (alarm !== null) {
    const kind = model.kinds[alarm.anomaly.kind];
    parts.unshift(kind?.[language()] ?? alarm.anomaly.kind, "·");
  }
  return parts.join(" ");
}

function drawTag(tag, taken) {
  const colour = COLOURS[tag.state];
  const [left, top, wide, tall] = tag.box;
  const thick = tag.state === "alarm" ? 4 : 2;
  context.setLineDash(
    { possibly: [6, 4], predicted: [2, 4] }[tag.state] ?? [],
  );
  for (const [style, width] of [[COLOURS.dark, thick + 2], [colour, thick]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    if (tag.state === "alarm") context.rect(left, top, wide, tall);
    else corners(left, top, wide, tall);
    context.stroke();
  }
  context.setLineDash([]);
  if (tag.selected) {
    context.strokeStyle = "#ffffff";
    context.lineWidth = 2;
    context.strokeRect(left - 5, top - 5, wide + 10, tall + 10);
  }
  drawLabel(tag, colour, taken);
}

function corners(left, top, wide, tall) {
  const arm = Math.min(wide, tall) * 0.3;
  for (const [x, y, dx, dy] of [
    [left, top, 1, 1], [left + wide, top, -1, 1],
    [left, top + tall, 1, -1], [left + wide, top + tall, -1, -1],
  ]) {
    context.moveTo(x + dx * arm, y);
    context.lineTo(x, y);
    context.lineTo(x, y + dy * arm);
  }
}

function drawLabel(tag, colour, taken) {
  const [tagLeft, tagTop, tagWide, tagTall] = tag.box;
  const inSight = tagLeft + tagWide > 0 && tagLeft < view.box.width
    && tagTop + tagTall > 0 && tagTop < view.box.height;
  if (!inSight) return;
  const alarm = tag.state === "alarm";
  context.font = `${alarm ? 700 : 500} ${LABEL_PX}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  const icon = alarm ? 18 : 0;
  const width = context.measureText(tag.text).width + 10 + icon;
  const height = LABEL_PX + 7;
  const { box } = view;
  const left = Math.max(2, Math.min(box.width - width - 2, tag.box[0] + tag.box[2] / 2 - width / 2));
  let top = Math.max(2, tag.box[1] - height - 4);
  const hits = (other) => left < other.left + other.width && other.left < left + width
    && top < other.top + height && other.top < top + height;
  for (let tries = 0; tries < 8; tries += 1) {
    const other = taken.find(hits);
    if (other === undefined) break;
    top = other.top - height - 2;
    if (top < 2) { top = Math.min(box.height - height, tag.box[1] + tag.box[3] + 4); break; }
  }
  taken.push({ left, top, width });
  context.fillStyle = alarm ? COLOURS.alarm : "rgba(11, 17, 22, 0.82)";
  context.fillRect(left, top, width, height);
  if (alarm) drawTriangle(left + 5, top + 3, height - 6);
  context.fillStyle = alarm ? "#1a0000" : colour;
  context.fillText(tag.text, left + 5 + icon, top + height / 2 + 1);
}

function drawTriangle(left, top, size) {
  context.fillStyle = "#1a0000";
  context.beginPath();
  context.moveTo(left + size / 2, top);
  context.lineTo(left + size, top + size);
  context.lineTo(left, top + size);
  context.fill();
  context.fillStyle = COLOURS.alarm;
  context.fillRect(left + size / 2 - 1, top + size * 0.35, 2, size * 0.35);
  context.fillRect(left + size / 2 - 1, top + size * 0.78, 2, 2);
}

function click({ x, y }) {
  const hit = drawn.tags.findLast(({ box: [left, top, wide, tall] }) =>
    x >= left - 4 && x <= left + wide + 4 && y >= top - 24 && y <= top + tall + 4);
  if (hit !== undefined) selectTrack(model.shown, hit.track);
}

function flyToSelected() {
  const { selected } = model;
  if (selected === null || selected.track === null || selected.place !== model.shown) return;
  const inFrame = header?.positions.people.find((person) => person.track === selected.track);
  const person = inFrame ?? personOf(selected.place, selected.track);
  if (person === null || person.panorama_xy === null) return;
  const [x, y] = person.panorama_xy;
  const head = person.panorama_head_xy ?? person.panorama_xy;
  view.centre((x + head[0]) / 2, (y + head[1]) / 2, 2);
}

function showAge() {
  const state = pictureState();
  const nobody = model.gateways.size === 0;
  let text = "";
  if (!state.supported) text = word("no_webcodecs");
  else if (state.trouble !== "") text = word("decode_trouble", state.trouble);
  else if (nobody) text = word("no_gateway");
  else if (state.never) text = word("no_picture", model.shown);
  note.textContent = text;
  note.hidden = text === "";
  const old = state.quiet_s > OLD_PICTURE_S && !state.never && !replayEnded();
  canvas.classList.toggle("old", old);
  const old_s = Math.max(0, state.quiet_s + state.late_s);
  age.textContent = state.never || replayEnded() ? "" : word("picture_age", old_s.toFixed(1));
  changed("picture", state);
}
