// Where alarms are on the picture that nobody's tag tells of: active ones in the severity's colour
// and shape, and as a grey line across the roadway where one that is over was raised.
// Knows nothing about who can be seen: it is told.

import { widthOf } from "./labels.js";
import { alarmKey, model, raiseOf, weight } from "./model.js";
import { chainageOf } from "./roadway.js";
import { COLOUR, outline } from "./signs.js";
import { kindName } from "./words_of_alarms.js";
import { word } from "./words.js";

const GREY = "#c3d2dc";
const DARK = "#0b1116";
/** Marks stand a metre apart; where none is as near the picture does not show the place. */
const NEAR_M = 1;
const FONT = "700 13px system-ui, sans-serif";
const HEIGHT = 20;
const SIGN_R = 9;
/** Alarms so near to each other share a sign. */
const SHARED_PX = 40;

/**
 * Draw the place of an alarm of the gateway `place`, if it is over and the picture has it; gives
 * `{ x, text }`, canvas pixels, or null. `marks` are the ruler's, `onCanvas` places their pixels.
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
  context.font = "500 12px system-ui, sans-serif";
  context.textBaseline = "bottom";
  context.fillStyle = GREY;
  context.fillText(text, x + 4, y);
  return { x, text };
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
  const points = acrossAt(marks, chainageOf(site, anomaly.xyz_m))?.map(onCanvas);
  if (points === undefined) return null;
  const [x, y] = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
  return x >= 0 && x <= box.width && y >= 0 && y <= box.height ? [x, y] : null;
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
