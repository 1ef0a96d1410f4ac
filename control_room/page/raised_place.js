// Where alarms are on the picture that nobody's tag tells of: active ones in the severity's colour
// and shape, and as a grey line across the roadway where one that is over was raised.
// Knows nothing about who can be seen: it is told.

import { widthOf } from "./labels.js";
import { alarmKey, model, raiseOf, weight } from "./model.js";
import { along, chainageOf } from "./roadway.js";
import { COLOUR, outline } from "./signs.js";
import { kindName } from "./words_of_alarms.js";
import { word } from "./words.js";

const GREY = "#c3d2dc";
const DARK = "#0b1116";
/** Marks stand a metre apart; where none is as near the picture does not show the place. */
const NEAR_M = 1;
const FONT = "700 13px system-ui, sans-serif";
const RAISED_FONT = "500 12px system-ui, sans-serif";
const HEIGHT = 20;
const SIGN_R = 9;
/** Alarms so near to each other share a sign. */
const SHARED_PX = 40;

/**
 * Draw the line where an alarm of the gateway `place` was, if it is over and the picture has it; gives
 * `{ x, y, text }`, canvas pixels, or null. `marks` are the ruler's, `onCanvas` places their pixels.
 */
export function drawRaised(context, entry, place, site, marks, onCanvas) {
  if (!entry || !site || entry.anomaly.state === "active") return null;
  const { xyz_m } = raiseOf(entry);
  if (xyz_m === null || `${entry.site}/${entry.gateway}` !== place) return null;
  const points = acrossAt(marks, chainageOf(site, xyz_m))?.map(onCanvas);
  if (points === undefined) return null;
  context.setLineDash([4, 4]);
  context.strokeStyle = GREY;
  context.lineWidth = 2;
  context.beginPath();
  points.forEach(([x, y], i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.stroke();
  context.setLineDash([]);
  const text = `${kindName(entry.anomaly)} · ${word("cleared")}`;
  const [x, y] = points.toSorted((a, b) => a[1] - b[1])[0];
  return { x, y, text };
}

/** Write what such a line is, where nothing else is written in a picture of the size `box`; gives its box. */
export function writeRaised(context, { x, y, text }, box, taken) {
  const width = widthOf(text, RAISED_FONT) + 8;
  const [left, top] = roomFor(x, y, width, box, taken);
  context.font = RAISED_FONT;
  context.textBaseline = "middle";
  context.fillStyle = "rgba(11, 17, 22, 0.82)";
  context.fillRect(left, top, width, HEIGHT);
  context.fillStyle = GREY;
  context.fillText(text, left + 4, top + HEIGHT / 2 + 1);
  return { left, top, width, height: HEIGHT };
}

/** On which gateway's roadway, and at which metre, an alarm is, `{ place, chainage_m }`, if it is active. */
export function activePlace(entry) {
  if (entry === undefined || entry.anomaly.state !== "active" || entry.anomaly.xyz_m === null) return null;
  const place = `${entry.site}/${entry.gateway}`;
  return { place, chainage_m: chainageOf(model.gateways.get(place)?.site, entry.anomaly.xyz_m) };
}

/**
 * Draw a sign for every active alarm with a place that concerns none of `tracks`, who have tags. What
 * the picture `{ place, site, marks, onCanvas, box }` does not show stands in its corner, with its
 * metre: it must not be missed. `taken` are the boxes of labels. Gives `{ keys, text, x, y, inPicture,
 * left, top, width, height }` of each sign, canvas pixels; the box is the label's.
 */
export function drawPlaces(context, picture, tracks, taken) {
  const signs = [];
  for (const entry of untagged(picture.place, tracks)) {
    const at = placeOf(entry, picture);
    const near = signs.find((sign) => (at === null ? !sign.inPicture : sign.inPicture
      && Math.hypot(sign.x - at[0], sign.y - at[1]) < SHARED_PX));
    if (near !== undefined) near.entries.push(entry);
    else signs.push({ x: at?.[0] ?? null, y: at?.[1] ?? null, inPicture: at !== null, entries: [entry] });
  }
  const boxes = [...taken];
  return signs.map((sign) => {
    const drawn = drawSign(context, sign, picture, boxes);
    boxes.push(drawn);
    return drawn;
  });
}

/** The gravest first. */
function untagged(place, tracks) {
  return [...model.alarms.values()].filter(({ anomaly, site, gateway }) => anomaly.state === "active"
    && anomaly.xyz_m !== null && !tracks.has(anomaly.track) && `${site}/${gateway}` === place)
    .sort((a, b) => weight(b) - weight(a));
}

/** Where an alarm is on the canvas; null where the picture doesn't show it. */
function placeOf({ anomaly }, { site, marks, onCanvas, box }) {
  const spot = spotOf(marks, site, anomaly.xyz_m);
  if (spot === null) return null;
  const [x, y] = onCanvas(spot);
  return x >= 0 && x <= box.width && y >= 0 && y <= box.height ? [x, y] : null;
}

/** Where a place `[x, y, z]` on the floor is in the panorama, pixels; null where no mark is near enough. */
function spotOf(marks, site, xyz_m) {
  const [chainage_m, left_m] = along(site, xyz_m) ?? [xyz_m[0], 0];
  const far = (mark) => Math.abs(mark.chainage_m - chainage_m);
  const [near, next] = marks.filter((mark) => far(mark) <= NEAR_M).sort((a, b) => far(a) - far(b));
  if (near === undefined) return null;
  const at = acrossTo(near, left_m);
  if (next === undefined) return at;
  const other = acrossTo(next, left_m);
  // On either side of the cut of a panorama that goes all round nothing lies between them.
  if (Math.abs(at[0] - other[0]) > site.panorama_size_px[0] / 4) return at;
  const share = (chainage_m - near.chainage_m) / (next.chainage_m - near.chainage_m);
  return at.map((value, axis) => value + share * (other[axis] - value));
}

/** Where a ruler's line is so far left of the roadway's middle; its own middle where that is unknown. */
function acrossTo({ across_px: line, left_m: ends }, left_m) {
  const told = ends !== null && ends !== undefined && ends[0] !== ends[1];
  const share = told ? (left_m - ends[0]) / (ends[1] - ends[0]) : 0.5;
  const index = Math.min(1, Math.max(0, share)) * (line.length - 1);
  const [from, to] = [line[Math.floor(index)], line[Math.ceil(index)]];
  return from.map((value, axis) => value + (index % 1) * (to[axis] - value));
}

/** The ruler's line at a metre, panorama pixels; undefined where none is near enough. */
function acrossAt(marks, chainage_m) {
  const far = (mark) => Math.abs(mark.chainage_m - chainage_m);
  const near = marks.reduce((best, mark) => (best === null || far(mark) < far(best) ? mark : best), null);
  return near !== null && far(near) <= NEAR_M ? near.across_px : undefined;
}

function drawSign(context, { x, y, inPicture, entries }, { site, box }, boxes) {
  const { anomaly } = entries[0];
  const many = entries.length > 1 ? [word("alarms_here", entries.length)] : [];
  const metre = inPicture ? [] : [word("at", chainageOf(site, anomaly.xyz_m).toFixed(1))];
  const text = [...many, kindName(anomaly), ...metre].join(" · ");
  const width = widthOf(text, FONT) + 2 * SIGN_R + 14;
  const [left, top] = inPicture ? roomFor(x, y, width, box, boxes) : [box.width - width - 6, 6];
  const keys = entries.map(alarmKey);
  if (inPicture) paintSign(context, anomaly.severity, x, y, keys.includes(model.selected?.alarm));
  context.fillStyle = COLOUR[anomaly.severity] ?? COLOUR.notice;
  context.fillRect(left, top, width, HEIGHT);
  context.fillStyle = DARK;
  context.fill(new Path2D(outline(anomaly.severity, left + 12, top + HEIGHT / 2, 7)));
  context.font = FONT;
  context.textBaseline = "middle";
  context.fillText(text, left + 2 * SIGN_R + 6, top + HEIGHT / 2 + 1);
  return { keys, text, x, y, inPicture, left, top, width, height: HEIGHT };
}

function paintSign(context, severity, x, y, selected) {
  const sign = new Path2D(outline(severity, x, y, SIGN_R));
  for (const [style, width] of [[selected ? "#ffffff" : DARK, 6], [COLOUR[severity] ?? COLOUR.notice, 2]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.stroke(sign);
  }
  context.fillStyle = context.strokeStyle;
  context.fill(sign);
}

/** Beside the sign, above or below it: where no label is, or else right above it. */
function roomFor(x, y, width, box, boxes) {
  const far = SIGN_R + 4;
  const places = [
    [x - width / 2, y - far - HEIGHT], [x + far, y - HEIGHT / 2], [x - far - width, y - HEIGHT / 2],
    [x - width / 2, y + far], [x - width / 2, y - far - 2 * HEIGHT - 4], [x - width / 2, y + far + HEIGHT + 4],
  ].map(([left, top]) => [
    Math.max(0, Math.min(left, box.width - width)), Math.max(0, Math.min(top, box.height - HEIGHT)),
  ]);
  return places.find(([left, top]) => !boxes.some((other) =>
    left < other.left + other.width && other.left < left + width
      && top < other.top + other.height && other.top < top + HEIGHT)) ?? places[0];
}
