// Everybody on the plan, and alarms where nobody is shown. Shapes are kept and moved.

import { node } from "./dom.js";
import { layOut, widthOf } from "./labels.js";
import {
  alarmKey, alarmOf, isOpen, isSelected, model, nameOf, personOf, selectAlarm, selectTrack, silentFor,
  weight,
} from "./model.js";
import { outline } from "./signs.js";
import { kindName } from "./words_of_alarms.js";

const SIGMAS = 2;
const GONE_AFTER_S = 3;
const FONT = "12px system-ui, sans-serif";

/** Map of a key to the shapes of one person. */
const kept = new Map();

/**
 * Draw into `layer`; gives what a click can reach: { x, y, select }. Whoever has the first call on
 * room for a name is selected, or has an alarm.
 */
export function drawPeople(layer, sheet) {
  if (layer.children.length === 0) layer.append(node("g"), node("g"));
  const marks = [...people(sheet), ...places(sheet)].sort((a, b) => b.weight - a.weight);
  const near = marks.filter(({ x, y }) => x > -20 && y > -20 && x < sheet.width + 20 && y < sheet.height + 20);
  const { places: laid, more } = layOut(near.map(({ x, y, text, short, severity }) => ({
    around: [x - 8, y - 8, 16, 16], height: 15,
    ...(severity !== null && { keep: 0 }),
    widths: [...new Set([text, short])].map((one) => widthOf(one, FONT) + 4),
  })), sheet);
  near.forEach((mark, i) => { mark.label = laid[i]; });
  const shown = new Set(marks.map(({ key }) => key));
  for (const [key, shape] of kept) if (!shown.has(key)) { shape.group.remove(); kept.delete(key); }
  for (const mark of marks) drawMark(mark, layer);
  drawMore(more, near, layer);
  return marks.map(({ x, y, select }) => ({ x, y, select }));
}

function people(sheet) {
  const found = [];
  for (const known of model.gateways.values()) {
    if (known.positions === undefined) continue;
    const gone = silentFor(known, "positions") > GONE_AFTER_S;
    for (const person of known.positions.people) {
      const [x, y] = sheet.px(person.xyz_m);
      const alarm = alarmOf(known.place, person.track);
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
        weight: (selected ? 10 : 0) + (alarm === null ? 0 : weight(alarm)),
        select: () => selectTrack(known.place, person.track),
      });
    }
  }
  return found;
}

/** Alarms at a place where nobody is shown. */
function places(sheet) {
  const found = [];
  for (const entry of model.alarms.values()) {
    const { anomaly, site, gateway } = entry;
    if (!isOpen(entry) || anomaly.xyz_m === null) continue;
    if (anomaly.track !== null && personOf(`${site}/${gateway}`, anomaly.track) !== null) continue;
    const [x, y] = sheet.px(anomaly.xyz_m);
    const key = alarmKey(entry);
    const selected = model.selected?.alarm === key;
    found.push({
      key: `alarm ${key}`, track: null, x, y, selected, gone: false, severity: anomaly.severity,
      certainty: `alarm-place ${anomaly.state}`, ellipse: null, heading: null,
      text: kindName(anomaly), short: kindName(anomaly),
      weight: (selected ? 10 : 0) + weight(entry), select: () => selectAlarm(key),
    });
  }
  return found;
}

function drawMark(mark, layer) {
  // Nobody covers somebody whom an alarm is about.
  const home = layer.children[mark.weight > 0 ? 1 : 0];
  let shape = kept.get(mark.key);
  if (shape === undefined) {
    shape = {
      group: node("g"), ellipse: node("ellipse", { class: "ellipse" }),
      ring: node("circle", { r: 13, class: "ring" }), heading: node("path", { class: "heading" }),
      lead: node("path", { class: "lead" }), dot: node("path", { class: "dot" }),
      name: node("text", { class: "name" }),
    };
    const { group, ellipse: oval, ring, heading, lead, dot, name } = shape;
    group.append(oval, ring, heading, lead, dot, name);
    if (mark.track !== null) group.setAttribute("data-track", mark.track);
    kept.set(mark.key, shape);
  }
  if (shape.group.parentNode !== home) home.append(shape.group);
  const { x, y, severity, label } = mark;
  const classes = [mark.track === null ? "place" : "person", mark.certainty];
  if (severity !== null) classes.push("alarm", severity);
  if (mark.gone) classes.push("gone");
  if (mark.selected) classes.push("selected");
  set(shape.group, "class", classes.join(" "));
  show(shape.ellipse, mark.ellipse !== null);
  if (mark.ellipse !== null) {
    set(shape.ellipse, "rx", mark.ellipse.rx);
    set(shape.ellipse, "ry", mark.ellipse.ry);
    set(shape.ellipse, "transform", `translate(${x} ${y}) rotate(${-mark.ellipse.turn})`);
  }
  show(shape.ring, mark.selected);
  set(shape.ring, "cx", x);
  set(shape.ring, "cy", y);
  show(shape.heading, mark.heading !== null);
  if (mark.heading !== null) set(shape.heading, "d", `M${x} ${y}L${mark.heading.join(" ")}`);
  set(shape.dot, "d", severity === null ? circle(x, y, 5) : outline(severity, x, y, 10));
  show(shape.name, label !== null && label !== undefined);
  show(shape.lead, Boolean(label?.lead));
  if (!label) return;
  set(shape.name, "x", label.left + 2);
  set(shape.name, "y", label.top + label.height - 3);
  if (shape.name.textContent !== mark.text) shape.name.textContent = mark.text;
  const end = label.left + (label.left > x ? 0 : label.width);
  if (label.lead) set(shape.lead, "d", `M${x} ${y}L${end} ${label.top + label.height / 2}`);
}

const chips = [];

/** Where there is no room for names: how many stand there. Their dots are drawn all the same. */
function drawMore(more, marks, layer) {
  while (chips.length > more.length) chips.pop().remove();
  more.forEach(({ left, top, height, members }, i) => {
    if (chips[i] === undefined) {
      chips[i] = node("text", { class: "more-names" });
      chips[i].append(document.createTextNode(""), node("title"));
    }
    if (chips[i].parentNode === null) layer.append(chips[i]);
    set(chips[i], "x", left + 2);
    set(chips[i], "y", top + height - 3);
    chips[i].firstChild.data = `+${members.length}`;
    chips[i].lastChild.textContent = members.map((n) => marks[n].text).join(", ");
  });
}

function circle(x, y, r) {
  return `M${x - r} ${y}A${r} ${r} 0 1 1 ${x + r} ${y}A${r} ${r} 0 1 1 ${x - r} ${y}Z`;
}

function set(shape, name, value) {
  const text = String(value);
  if (shape.getAttribute(name) !== text) shape.setAttribute(name, text);
}

function show(shape, wanted) {
  if (wanted) shape.removeAttribute("display");
  else set(shape, "display", "none");
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
