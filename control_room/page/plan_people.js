// Everybody on the plan, and alarms where nobody is shown. Shapes are kept and moved.

import { node } from "./dom.js";
import { msOf } from "./json.js";
import { Gathering, byGravity, gravest, gravestOf, rankOf } from "./gathering.js";
import { layOut, widthOf } from "./labels.js";
import {
  alarmKey, alarmOf, changed, isOpen, isSelected, model, nameOf, personOf, raiseOf, selectAlarm, selectTrack,
  silentFor, weight,
} from "./model.js";
import { SIGN, outline } from "./signs.js";
import { clockTime } from "./times.js";
import { kindName, kindsText } from "./words_of_alarms.js";
import { word } from "./words.js";

const SIGMAS = 2;
const GONE_AFTER_S = 3;
const FONT = "12px system-ui, sans-serif";
/** As `plan.css` has them: a name is measured as it is drawn. */
const THICK = { critical: 700, warning: 650 };
/** Alarms so near to each other share a name. */
const NEAR_PX = 44;
/** Shapes so near to each other cover each other. */
const SHAPE_PX = 18;

/** Map of a key to the shapes of one person. */
const kept = new Map();
const gathering = new Gathering(NEAR_PX);
/** From below: who has no alarm, one layer for each severity, and whoever is selected. */
const LAYERS = 5;

/**
 * Draw into `layer`; gives `targets`, what a click can reach: { x, y, select, isOver }, and how many
 * `people` and `alarms` lie outside of the view. Whoever has the first call on room for a name is
 * selected, or has an alarm. Alarms that are over (`isOver`), and that nobody has seen yet, are
 * small and grey, and say what they were to whoever points at them.
 */
export function drawPeople(layer, sheet) {
  if (layer.children.length === 0) layer.append(...Array.from({ length: LAYERS }, () => node("g")));
  const all = [...people(sheet), ...places(sheet)].sort(byGravity);
  const groups = gatherMarks(all);
  const hidden = new Set(groups.flatMap(hiddenOf));
  const marks = all.filter((mark) => !hidden.has(mark));
  const near = marks.filter(({ x, y, text }) => text !== "" && x > -20 && y > -20 && x < sheet.width + 20 && y < sheet.height + 20);
  for (const mark of near) mark.texts = [...new Set([mark.text, mark.middle ?? mark.text, mark.short])];
  const unnamed = marks.filter(({ text, severity }) => text === "" && severity !== null);
  const { places: laid, more } = layOut(near.map(({ x, y, texts, severity, around, count }) => ({
    around: around ?? aroundOf([{ x, y }]), height: 15, count,
    ...(severity !== null && { keep: 0 }),
    widths: texts.map((one) => widthOf(one, `${THICK[severity] ?? 400} ${FONT}`) + 4),
  })), sheet, [...sheet.names.boxes, ...unnamed.map(bodyOf)]);
  near.forEach((mark, i) => { mark.label = laid[i]; });
  const shown = new Set(marks.map(({ key }) => key));
  for (const [key, shape] of kept) if (!shown.has(key)) { shape.group.remove(); kept.delete(key); }
  for (const mark of marks) drawMark(mark, layer);
  drawMore(more, near, layer);
  const targets = [...marks.map(({ x, y, select, isOver = false }) => ({ x, y, select, isOver })),
    ...groups.map(targetOf)];
  return { targets, ...outsideOf(all, sheet) };
}

function outsideOf(marks, { width, height }) {
  const outside = marks.filter(({ x, y }) => x < 0 || y < 0 || x > width || y > height);
  return {
    people: outside.filter(({ track }) => track !== null).length,
    alarms: outside.filter(({ severity }) => severity !== null).flatMap((mark) => mark.keys()).length,
  };
}

/** Many alarms at one place: the gravest says how many, the others have no names. */
function gatherMarks(marks) {
  const groups = gathering.of(marks.filter(({ severity, selected }) => severity !== null && !selected));
  for (const group of groups) {
    const [first, ...rest] = group;
    const keys = group.flatMap((mark) => mark.keys());
    const kinds = group.flatMap((mark) => mark.kinds());
    first.short = word("alarms_here", keys.length);
    [first.text, first.middle] = [kindsText(kinds), kinds[0]].map(
      (kind) => `${SIGN[first.severity] ?? SIGN.notice} ${first.short} · ${kind}`);
    first.keysHere = keys;
    first.count = group.length;
    first.around = aroundOf(group);
    if (first.track === null) first.select = () => changed("place alarms", [keys]);
    for (const mark of rest) mark.text = mark.short = "";
  }
  return groups;
}

function aroundOf(marks) {
  const [xs, ys] = [marks.map(({ x }) => x), marks.map(({ y }) => y)];
  const [left, top] = [Math.min(...xs) - 8, Math.min(...ys) - 8];
  return [left, top, Math.max(...xs) + 8 - left, Math.max(...ys) + 8 - top];
}

function bodyOf({ x, y }) {
  const [left, top, width, height] = aroundOf([{ x, y }]);
  return { left, top, width, height, isBody: true };
}

/** Whoever is there keeps a shape of their own; of alarms where nobody is, one shape tells of all. */
function hiddenOf([first, ...rest]) {
  const drawn = [first];
  return rest.filter((mark) => {
    const isCovered = mark.track === null
      && drawn.some(({ x, y }) => Math.hypot(x - mark.x, y - mark.y) < SHAPE_PX);
    if (!isCovered) drawn.push(mark);
    return isCovered;
  });
}

function targetOf([{ x, y, keysHere: keys, label }]) {
  return { x, y, keys, box: label ?? { left: x, top: y, width: 0, height: 0 }, isOver: false,
    select: () => changed("place alarms", [keys]) };
}

function people(sheet) {
  const found = [];
  for (const known of model.gateways.values()) {
    if (known.positions === undefined) continue;
    const gone = silentFor(known, "positions") > GONE_AFTER_S;
    for (const person of known.positions.people) {
      const [x, y] = sheet.px(person.xyz_m);
      const alarms = alarmOf(known.place, person.track) === null ? []
        : gravestOf(known.place, person.track);
      const alarm = alarms[0] ?? null;
      const selected = isSelected(known.place, person.track);
      const [vx, vy] = person.velocity_m_s;
      const { rx, ry, turn } = ellipse(person.covariance_m2);
      found.push({
        key: `${known.place}/${person.track}`, track: person.track, x, y, selected, gone,
        certainty: person.certainty, severity: alarm?.anomaly.severity ?? null,
        ellipse: { rx: Math.max(2, rx * sheet.scale), ry: Math.max(2, ry * sheet.scale), turn },
        heading: Math.hypot(vx, vy) > 0.2
          ? sheet.px([person.xyz_m[0] + vx, person.xyz_m[1] + vy]) : null,
        text: nameOf(person), short: nameOf(person),
        keys: () => alarms.map(alarmKey), kinds: () => alarms.map(({ anomaly }) => kindName(anomaly)),
        rank: alarm === null ? Infinity : rankOf(alarm.anomaly),
        weight: (selected ? 10 : 0) + (alarm === null ? 0 : weight(alarm)),
        select: () => selectTrack(known.place, person.track),
      });
    }
  }
  return found;
}

/** Active alarms at a place where nobody is shown, and where those that are over were raised. */
function places(sheet) {
  const found = [];
  for (const entry of model.alarms.values()) {
    const { anomaly, site, gateway } = entry;
    const { xyz_m } = raiseOf(entry);
    const isOver = anomaly.state !== "active";
    if (!isOpen(entry) || xyz_m === null) continue;
    if (!isOver && anomaly.track !== null && personOf(`${site}/${gateway}`, anomaly.track) !== null) continue;
    const [x, y] = sheet.px(xyz_m);
    const key = alarmKey(entry);
    const selected = model.selected?.alarm === key;
    found.push({
      key: `alarm ${key}`, track: null, x, y, selected, gone: false, isOver,
      severity: isOver ? null : anomaly.severity, shape: outline(anomaly.severity, 0, 0, isOver ? 6 : 10),
      certainty: `alarm-place ${anomaly.state}`, ellipse: null, heading: null,
      text: isOver && !selected ? "" : kindName(anomaly), short: kindName(anomaly),
      keys: () => [key], kinds: () => [kindName(anomaly)], rank: rankOf(anomaly),
      title: isOver ? overText(entry) : "",
      weight: (selected ? 10 : 0) + (isOver ? 0 : weight(entry)), select: () => selectAlarm(key),
    });
  }
  return found;
}

function overText({ anomaly, cleared_at_ns }) {
  const parts = [kindName(anomaly), word("cleared"), cleared_at_ns && clockTime(msOf(cleared_at_ns)),
    word("not_acknowledged")];
  return parts.filter(Boolean).join(" · ");
}

function drawMark(mark, layer) {
  // Nobody covers somebody whom a graver alarm is about, whoever came first.
  const home = layer.children[Math.min(mark.weight, LAYERS - 1)];
  let shape = kept.get(mark.key);
  if (shape === undefined) {
    shape = {
      group: node("g"), ellipse: node("ellipse", { class: "ellipse" }),
      ring: node("circle", { r: 13, class: "ring" }), heading: node("path", { class: "heading" }),
      lead: node("path", { class: "lead" }), dot: node("path", { class: "dot" }),
      name: node("text", { class: "name" }), title: node("title"),
    };
    const { group, ellipse: oval, ring, heading, lead, dot, name, title } = shape;
    group.append(title, oval, ring, heading, lead, dot, name);
    if (mark.track !== null) group.setAttribute("data-track", mark.track);
    kept.set(mark.key, shape);
  }
  if (shape.group.parentNode !== home) home.append(shape.group);
  const { x, y, severity, label } = mark;
  // Only the group moves: what is drawn round its middle stays as it is, and costs nothing.
  set(shape.group, "transform", `translate(${round(x)} ${round(y)})`);
  const classes = [mark.track === null ? "place" : "person", mark.certainty];
  if (severity !== null) classes.push("alarm", severity);
  if (mark.gone) classes.push("gone");
  if (mark.selected) classes.push("selected");
  set(shape.group, "class", classes.join(" "));
  show(shape.ellipse, mark.ellipse !== null);
  if (mark.ellipse !== null) {
    set(shape.ellipse, "rx", round(mark.ellipse.rx));
    set(shape.ellipse, "ry", round(mark.ellipse.ry));
    set(shape.ellipse, "transform", `rotate(${round(-mark.ellipse.turn)})`);
  }
  show(shape.ring, mark.selected);
  show(shape.heading, mark.heading !== null);
  if (mark.heading !== null) {
    set(shape.heading, "d", `M0 0L${round(mark.heading[0] - x)} ${round(mark.heading[1] - y)}`);
  }
  set(shape.dot, "d", mark.shape ?? (severity === null ? CIRCLE : outline(severity, 0, 0, 10)));
  if (shape.said !== mark.title) shape.title.textContent = shape.said = mark.title ?? "";
  show(shape.name, label !== null && label !== undefined);
  show(shape.lead, Boolean(label?.lead));
  if (!label) return;
  set(shape.name, "x", round(label.left + 2 - x));
  set(shape.name, "y", round(label.top + label.height - 3 - y));
  const text = mark.texts[label.text];
  if (shape.text !== text) shape.name.textContent = shape.text = text;
  const end = label.left + (label.left > x ? 0 : label.width);
  if (label.lead) set(shape.lead, "d", `M0 0L${round(end - x)} ${round(label.top + label.height / 2 - y)}`);
}

const chips = [];

/** Where there is no room for names: how many stand there. Their dots are drawn all the same. */
function drawMore(more, marks, layer) {
  while (chips.length > more.length) chips.pop().remove();
  more.forEach(({ left, top, height, members, count }, i) => {
    if (chips[i] === undefined) {
      chips[i] = node("text");
      chips[i].append(document.createTextNode(""), node("title"));
    }
    if (chips[i].parentNode === null) layer.append(chips[i]);
    set(chips[i], "x", round(left + 2));
    set(chips[i], "y", round(top + height - 3));
    const severity = gravest(members.map((n) => marks[n].severity));
    set(chips[i], "class", severity === null ? "more-names" : `more-names ${severity}`);
    const many = severity === null ? `+${count}` : `${SIGN[severity] ?? SIGN.notice} +${count}`;
    const who = members.map((n) => marks[n].text).join(", ");
    if (chips[i].firstChild.data !== many) chips[i].firstChild.data = many;
    if (chips[i].lastChild.textContent !== who) chips[i].lastChild.textContent = who;
  });
}

const CIRCLE = "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1 -5 0Z";

/** A tenth of a pixel is not seen; and what is written the same again is not drawn again. */
function round(value) {
  return Math.round(value * 10) / 10;
}

/** Map of a shape to what has been written to it: asking the document for it takes long. */
const written = new WeakMap();

function set(shape, name, value) {
  const text = String(value);
  let known = written.get(shape);
  if (known === undefined) written.set(shape, known = new Map());
  if (known.get(name) === text) return;
  known.set(name, text);
  shape.setAttribute(name, text);
}

function show(shape, wanted) {
  set(shape, "display", wanted ? "inline" : "none");
}

/** Half axes (m) of the ellipse of `SIGMAS` and its turn (degrees, anticlockwise) of a covariance. */
export function ellipse([[a, b], [, d]]) {
  const middle = (a + d) / 2;
  const spread = Math.sqrt(Math.max(0, ((a - d) / 2) ** 2 + b * b));
  return {
    rx: SIGMAS * Math.sqrt(Math.max(0, middle + spread)),
    ry: SIGMAS * Math.sqrt(Math.max(0, middle - spread)),
    turn: (Math.atan2(2 * b, a - d) / 2) * (180 / Math.PI),
  };
}
