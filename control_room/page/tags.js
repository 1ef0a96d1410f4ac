// A tag for everybody on a picture: a frame round the body, and a label that covers no other.
// Knows nothing about where pictures come from.

import { msOf } from "./json.js";
import { Gathering, byGravity, gravest, gravestOf, rankOf } from "./gathering.js";
import { layOut, widthOf } from "./labels.js";
import { byLandmark } from "./landmarks.js";
import { PREDICTED_AFTER_S, alarmOf, isSelected, model, nameOf, weight } from "./model.js";
import { chainageOf } from "./roadway.js";
import { COLOUR, outline } from "./signs.js";
import { kindName, kindsText } from "./words_of_alarms.js";
import { word } from "./words.js";
import { kindBeside } from "./zone_left.js";

export const DARK = "#0b1116";
/** A posture that no look has shown for so long is not told any more. */
const HEIGHT_OLD_S = 3;
const LABEL_PX = 13;
const HEIGHT = LABEL_PX + 7;
const ICON = 18;
export const NARROW_PX = 500;
/** Whose alarms are so near to each other share a label. */
const NEAR_PX = 90;
const COLOURS = { seen: "#6fe3d6", possibly: "#a9b8ff", predicted: "#c9d1d6" };
const DASHES = { possibly: [6, 4], predicted: [2, 4] };
const gathering = new Gathering(NEAR_PX);

/** Give the tags of the people of one packet, those that matter least first; `onCanvas` places them. */
export function tagsOf(header, place, view, onCanvas) {
  return header.positions.people.filter((person) => person.panorama_xy !== null)
    .map((person) => tagOf(person, header, place, view, onCanvas))
    .sort(byGravity).reverse();
}

function tagOf(person, header, place, view, onCanvas) {
  const feet = onCanvas(person.panorama_xy);
  const head = person.panorama_head_xy === null ? [feet[0], feet[1] - 60 * view.scale]
    : onCanvas(person.panorama_head_xy);
  const unseen_s = (msOf(header.captured_at_ns) - msOf(person.seen_at_ns)) / 1000;
  const alarms = alarmOf(place, person.track) === null ? [] : gravestOf(place, person.track);
  const alarm = alarms[0] ?? null;
  const selected = isSelected(place, person.track);
  let look = "seen";
  if (unseen_s > PREDICTED_AFTER_S) look = "predicted";
  else if (person.certainty === "possibly") look = "possibly";
  const texts = textsOf(person, place, unseen_s, alarm);
  return {
    key: person.track, track: person.track, worker: person.worker, state: alarm === null ? look : "alarm", look,
    severity: alarm?.anomaly.severity ?? null, text: texts[0], texts, label: null,
    kinds: alarms.map(({ anomaly }) => kindName(anomaly)),
    panorama_xy: person.panorama_xy, panorama_head_xy: person.panorama_head_xy,
    canvas_xy: feet, canvas_head_xy: head, box: boxOf(person, feet, head, view), selected,
    weight: (selected ? 10 : 0) + (alarm === null ? 0 : weight(alarm)),
    rank: alarm === null ? Infinity : rankOf(alarm.anomaly),
  };
}

function boxOf(person, feet, head, view) {
  const tall = Math.max(4, Math.hypot(feet[0] - head[0], feet[1] - head[1]));
  const pxPerM = tall / Math.max(0.3, person.height_m);
  const wide = Math.max(14, (person.posture === "lying" ? 1.9 : 0.75) * pxPerM);
  const middle = (feet[0] + head[0]) / 2;
  // Who stands close has feet below the picture: the box ends where the picture does.
  const inPicture = (y) => Math.min(Math.max(y, view.top), view.top + view.picture.height * view.scale);
  const top = inPicture(Math.min(feet[1], head[1]) - 3);
  const bottom = inPicture(Math.max(feet[1], head[1]) + 3);
  return [middle - wide / 2, top, wide, Math.max(8, bottom - top)];
}

/** Who stood when the body was last seen whole need not stand any more. */
export function postureOf({ posture, seen_at_ns, height_at_ns }) {
  if (height_at_ns === null || height_at_ns === undefined) return word(posture);
  const old_s = (msOf(seen_at_ns) - msOf(height_at_ns)) / 1000;
  return word(old_s > HEIGHT_OLD_S ? "posture_unknown" : posture);
}

/** What a label says, and what it says where there is less room. */
function textsOf(person, place, unseen_s, alarm) {
  const site = model.gateways.get(place)?.site;
  const metres = `${chainageOf(site, person.xyz_m).toFixed(1)} m`;
  const parts = [nameOf(person), postureOf(person), metres];
  // Only of the selected one: longer labels would leave no room for the others'.
  const near = isSelected(place, person.track) ? byLandmark(site, person.xyz_m) : null;
  if (near !== null) parts.push("·", near);
  if (unseen_s > PREDICTED_AFTER_S) parts.push(word("seconds_ago", unseen_s.toFixed(0)));
  if (alarm === null) return [parts.join(" "), nameOf(person)];
  const kind = kindBeside(alarm, person, site);
  return [[kind, "·", ...parts].join(" "), `${kind} · ${nameOf(person)}`, nameOf(person)];
}

/**
 * Draw tags, the last on top, and give each its `label`; where there is no room for one, say how many.
 * Many with alarms at one place share a label: gives their tracks, a list for each such label.
 */
export function drawTags(context, tags, box) {
  for (const tag of tags) drawFrame(context, tag);
  const inSight = tags.filter(({ box: [left, top, wide, tall] }) =>
    left + wide > 0 && left < box.width && top + tall > 0 && top < box.height).reverse();
  const groups = gatherTags(inSight);
  const behind = new Set(groups.flatMap(([, ...rest]) => rest));
  const seen = inSight.filter((tag) => !behind.has(tag));
  const sizes = new Map(groups.map((group) => [group[0], group.length]));
  const bodies = [...behind].map(({ box: [left, top, width, height] }) =>
    ({ left, top, width, height, isBody: true }));
  const { places, more } = layOut(seen.map((tag) => ({
    around: tag.box, height: HEIGHT, count: sizes.get(tag) ?? 1,
    ...(tag.severity && { keep: box.width < NARROW_PX ? 0 : 1 }),
    widths: textsFor(tag, box).map((text) => widthOf(text, fontOf(tag)) + 10 + (tag.severity ? ICON : 0)),
  })), box, bodies);
  context.textBaseline = "middle";
  seen.forEach((tag, i) => {
    tag.label = places[i] && { ...places[i], text: textsFor(tag, box)[places[i].text] };
  });
  for (const tag of seen) if (tag.label?.lead) drawLead(context, tag);
  for (const tag of seen) if (tag.label !== null) drawLabel(context, tag);
  for (const one of more) drawMore(context, one, one.members.map((i) => seen[i]));
  for (const [first, ...rest] of groups) for (const tag of rest) tag.label = first.label;
  return groups.map((group) => group.map(({ track }) => track));
}

/** How many have no label, as grave as the gravest of them. */
function drawMore(context, { left, top, width, height, count }, tags) {
  const severity = gravest(tags.map((tag) => tag.severity));
  const label = { left, top, width, height, lead: false, count, severity };
  for (const tag of tags) tag.label = { ...label, text: null };
  const text = `+${count}`;
  if (severity !== null) {
    drawLabel(context, { severity, label: { ...label, text } });
    return;
  }
  context.font = `600 ${LABEL_PX}px system-ui, sans-serif`;
  context.fillStyle = "#dfe7ec";
  context.fillRect(left, top, width, height);
  context.fillStyle = DARK;
  context.fillText(text, left + 4, top + height / 2 + 1);
}

/** The gravest of each place says how many alarms are there. */
function gatherTags(tags) {
  const alarmed = tags.filter(({ severity, selected }) => severity !== null && !selected);
  const groups = gathering.of(
    alarmed.map((tag) => ({ key: tag.key, x: tag.box[0] + tag.box[2] / 2, y: tag.box[1], tag })),
  ).map((group) => group.map(({ tag }) => tag));
  for (const group of groups) {
    const kinds = group.flatMap((tag) => tag.kinds);
    const many = word("alarms_here", kinds.length);
    group[0].texts = [kindsText(kinds), kinds[0]].map((kind) => `${many} · ${kind}`).concat(many);
  }
  return groups;
}

/** On a phone a long label would cover half of the picture; the list of people has the rest. */
function textsFor(tag, box) {
  return box.width < NARROW_PX && !tag.selected ? tag.texts.slice(1) : tag.texts;
}

function fontOf(tag) {
  return `${tag.severity ? 700 : 500} ${LABEL_PX}px system-ui, sans-serif`;
}

function colourOf(tag) {
  return tag.severity ? COLOUR[tag.severity] ?? COLOUR.notice : COLOURS[tag.look];
}

function drawFrame(context, tag) {
  const [left, top, wide, tall] = tag.box;
  // Severity is told by the frame's shape as well: whole and double, whole, corners.
  const thick = { critical: 4, warning: 3 }[tag.severity] ?? 2;
  context.setLineDash(DASHES[tag.look] ?? []);
  for (const [style, width] of [[DARK, thick + 2], [colourOf(tag), thick]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    if (tag.severity === "critical") {
      context.rect(left, top, wide, tall);
      context.rect(left - 6, top - 6, wide + 12, tall + 12);
    } else if (tag.severity === "warning") context.rect(left, top, wide, tall);
    else corners(context, left, top, wide, tall);
    context.stroke();
  }
  context.setLineDash([]);
  if (!tag.selected) return;
  context.strokeStyle = "#ffffff";
  context.lineWidth = 2;
  context.strokeRect(left - 10, top - 10, wide + 20, tall + 20);
}

function corners(context, left, top, wide, tall) {
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

function drawLead(context, { label, box: [left, top, wide, tall], ...tag }) {
  const above = label.top < top;
  const at = [left + wide / 2, above ? top : top + tall];
  const end = [Math.min(Math.max(at[0], label.left), label.left + label.width),
    above ? label.top + label.height : label.top];
  for (const [style, width] of [[DARK, 3], [colourOf(tag), 1.5]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(...at);
    context.lineTo(...end);
    context.stroke();
  }
}

function drawLabel(context, tag) {
  const { left, top, width, height, text } = tag.label;
  const alarm = tag.severity !== null;
  const colour = colourOf(tag);
  context.fillStyle = alarm ? colour : "rgba(11, 17, 22, 0.82)";
  context.fillRect(left, top, width, height);
  context.font = fontOf(tag);
  context.fillStyle = alarm ? "#160a00" : colour;
  if (alarm) context.fill(new Path2D(outline(tag.severity, left + 12, top + height / 2, 7)));
  context.fillText(text, left + 5 + (alarm ? ICON : 0), top + height / 2 + 1);
}
