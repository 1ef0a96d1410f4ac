// The plan of the mine in metres: floor, zones, cameras, what they cannot see, and everybody.
// Knows nothing about pictures.

import {
  SILENT_AFTER_S, alarmOf, isOpen, isSelected, model, on, personOf, selectAlarm, selectTrack,
  silentFor, alarmKey,
} from "./model.js";
import { View, whenClicked } from "./view.js";
import { language, word } from "./words.js";

const SIGMAS = 2;
const MARGIN_M = 2;
const RULER_PX = 34;
const GONE_AFTER_S = 3;
const MAX_METRES = 5000;

const svg = document.getElementById("plan");
const view = new View(svg, drawAll);
const still = node("g");
const moving = node("g");
const REACH_PX = 16;
let bounds = null;
/** What a click can reach. The shapes themselves are drawn anew ten times a second. */
let targets = [];

/** Start drawing. */
export function start() {
  svg.append(patterns(), still, moving);
  on("gateways", drawAll);
  on("health", drawAll);
  on("positions", drawPeople);
  on("alarms", drawPeople);
  on("selected", () => { flyToSelected(); drawPeople(); });
  on("language", () => { drawAll(); legend(); });
  document.getElementById("plan-fit").addEventListener("click", () => { view.fit(); drawAll(); });
  whenClicked(svg, ({ x, y }) => {
    const far = (target) => Math.hypot(target.x - x, target.y - y);
    const near = targets.filter((target) => far(target) < REACH_PX).sort((a, b) => far(a) - far(b));
    near[0]?.select();
  });
  new ResizeObserver(drawAll).observe(svg);
  setInterval(drawAll, 1000);
  legend();
}

/**
 * Cut the coverage of a gateway into { from, to, seen } along the roadway. Without word of what its
 * cameras see the whole roadway is unseen; [] when even the roadway is unknown.
 */
export function coverageOf(known) {
  const { health, site } = known;
  if (health === undefined || health.coverage.length === 0) return unseenRoadway(site);
  const deaf = silentFor(known, "health") > SILENT_AFTER_S;
  return health.coverage.slice(0, MAX_METRES).map((cameras, i) => ({
    from: health.coverage_from_x_m + i,
    to: health.coverage_from_x_m + i + 1,
    seen: !deaf && cameras > 0,
  }));
}

function unseenRoadway(site) {
  if (!isDrawable(site)) return [];
  const xs = site.centre_line_m.map(([x]) => x);
  const from = Math.min(...xs);
  const to = Math.max(...xs);
  const metres = Math.min(MAX_METRES, Math.ceil(to - from));
  return Array.from({ length: metres }, (_, i) => ({
    from: from + i, to: Math.min(to, from + i + 1), seen: false,
  }));
}

function node(name, attributes = {}, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

function patterns() {
  const defs = node("defs");
  const hatch = (id, size, turn, line, cross) => {
    const pattern = node("pattern", {
      id, width: size, height: size, patternUnits: "userSpaceOnUse",
      patternTransform: `rotate(${turn})`,
    });
    pattern.append(node("rect", { width: size, height: size, class: `${line}-ground` }));
    pattern.append(node("path", { d: `M0 0V${size}`, class: line }));
    if (cross) pattern.append(node("path", { d: `M0 0H${size}`, class: line }));
    defs.append(pattern);
  };
  hatch("zone-hatch", 9, 45, "zone-line", false);
  hatch("unseen-hatch", 7, -45, "unseen-line", true);
  return defs;
}

function legend() {
  const list = document.getElementById("legend");
  list.replaceChildren(...["person", "alarm", "zone", "unseen"].map((what) => {
    const item = document.createElement("li");
    const sign = node("svg", { width: 22, height: 14, "aria-hidden": "true" });
    if (what === "person") {
      sign.append(node("ellipse", { cx: 11, cy: 7, rx: 10, ry: 6, class: "ellipse" }));
      sign.append(node("circle", { cx: 11, cy: 7, r: 4, class: "dot" }));
    } else if (what === "alarm") {
      sign.append(node("path", { d: "M11 0L19 13H3Z", class: "dot alarm" }));
    } else {
      const fill = what === "zone" ? "url(#zone-hatch)" : "url(#unseen-hatch)";
      sign.append(node("rect", { width: 22, height: 14, fill, class: what }));
    }
    item.append(sign, document.createTextNode(` ${word(`legend_${what}`)}`));
    return item;
  }));
}

function measure() {
  let points = [];
  for (const { site, health } of model.gateways.values()) {
    if (!isDrawable(site)) continue;
    points = points.concat(
      edges(site).flat(), site.cameras.map((camera) => camera.xyz_m),
      ...site.zones.map((zone) => zone.polygon_m),
    );
  }
  if (points.length === 0) return null;
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  return {
    left: Math.min(...xs) - MARGIN_M, right: Math.max(...xs) + MARGIN_M,
    low: Math.min(...ys) - MARGIN_M / 2, high: Math.max(...ys) + MARGIN_M / 2,
  };
}

function isDrawable(site) {
  return site !== undefined && site.centre_line_m.length > 1;
}

/** The left and the right edge of the floor as lists of points. */
function edges({ centre_line_m: line, left_m, right_m }) {
  const left = [];
  const right = [];
  line.forEach(([x, y], i) => {
    const [ax, ay] = line[Math.max(0, i - 1)];
    const [bx, by] = line[Math.min(line.length - 1, i + 1)];
    const length = Math.hypot(bx - ax, by - ay) || 1;
    const normal = [-(by - ay) / length, (bx - ax) / length];
    left.push([x + normal[0] * left_m, y + normal[1] * left_m]);
    right.push([x - normal[0] * right_m, y - normal[1] * right_m]);
  });
  return [left, right];
}

/** Where the edge is at chainage x; null beyond its ends. */
function at(edge, x) {
  for (let i = 0; i + 1 < edge.length; i += 1) {
    const [ax, ay] = edge[i];
    const [bx, by] = edge[i + 1];
    if (x >= Math.min(ax, bx) - 1e-9 && x <= Math.max(ax, bx) + 1e-9 && ax !== bx) {
      return [x, ay + ((by - ay) * (x - ax)) / (bx - ax)];
    }
  }
  return null;
}

/** Mine metres to pixels of the drawing; the mine's y goes up. */
function px([x, y]) {
  return [(x - bounds.left) * view.scale + view.left, (bounds.high - y) * view.scale + view.top];
}

function pathOf(points, closed = true) {
  const written = points.map((point) => px(point).map((value) => value.toFixed(1)).join(" "));
  return `M${written.join("L")}${closed ? "Z" : ""}`;
}

function drawAll() {
  bounds = measure();
  still.replaceChildren();
  if (bounds === null) {
    moving.replaceChildren();
    return;
  }
  const box = { width: svg.clientWidth || 1, height: (svg.clientHeight || 1) - RULER_PX };
  const picture = { width: bounds.right - bounds.left, height: bounds.high - bounds.low };
  if (box.width !== view.box.width || box.height !== view.box.height
      || picture.width !== view.picture.width || picture.height !== view.picture.height) {
    view.resize(box, picture);  // comes back here
    if (!view.isWhole) return;
  }
  for (const known of model.gateways.values()) if (isDrawable(known.site)) drawFloor(known);
  drawRuler();
  drawPeople();
}

function drawFloor(known) {
  const { site } = known;
  const [left, right] = edges(site);
  still.append(node("path", { d: pathOf([...left, ...right.toReversed()]), class: "floor" }));
  for (const camera of site.cameras) {
    if (camera.view_m.length > 2) {
      still.append(node("path", { d: pathOf(camera.view_m), class: "view" }));
    }
  }
  for (const { from, to, seen } of coverageOf(known)) {
    if (seen) continue;
    const corners = [at(left, from), at(left, to), at(right, to), at(right, from)];
    if (corners.every((corner) => corner !== null)) {
      still.append(node("path", {
        d: pathOf(corners), class: "unseen", fill: "url(#unseen-hatch)",
      }));
    }
  }
  for (const zone of site.zones.filter((one) => one.polygon_m.length > 2)) {
    still.append(node("path", {
      d: pathOf(zone.polygon_m), class: "zone", fill: "url(#zone-hatch)",
    }));
    const xs = zone.polygon_m.map((point) => point[0]);
    const ys = zone.polygon_m.map((point) => point[1]);
    const [x, y] = px([(Math.min(...xs) + Math.max(...xs)) / 2, Math.max(...ys)]);
    still.append(node("text", { x, y: y + 13, class: "zone-name" }, zone.name));
  }
  still.append(node("path", { d: pathOf(site.centre_line_m, false), class: "centre" }));
  for (const camera of site.cameras) {
    const [x, y] = px(camera.xyz_m);
    const sign = node("path", { d: `M${x - 5} ${y - 4}H${x + 3}L${x + 8} ${y - 6}V${y + 6}L${x + 3} ${y + 4}H${x - 5}Z`, class: "camera" });
    sign.append(node("title", {}, camera.name));
    still.append(sign);
  }
}

function drawRuler() {
  const height = svg.clientHeight;
  const ribbon = height - RULER_PX;
  const wanted = 90 / view.scale;
  const step = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500].find((metres) => metres >= wanted) ?? 1000;
  const from = bounds.left - view.left / view.scale;
  const to = from + svg.clientWidth / view.scale;
  still.append(node("rect", {
    x: 0, y: ribbon, width: svg.clientWidth, height: RULER_PX, class: "ruler-ground",
  }));
  for (const known of model.gateways.values()) {
    for (const { from: a, to: b, seen } of coverageOf(known)) {
      const [x] = px([a, 0]);
      const rect = node("rect", {
        x, y: ribbon + 3, width: Math.max(1, (b - a) * view.scale), height: 8,
        class: seen ? "covered" : "unseen",
      });
      if (!seen) rect.setAttribute("fill", "url(#unseen-hatch)");
      still.append(rect);
    }
  }
  for (let x = Math.ceil(from / step) * step; x <= to; x += step) {
    const [left] = px([x, 0]);
    still.append(node("path", { d: `M${left} ${ribbon + 11}v6`, class: "tick" }));
    still.append(node("text", { x: left, y: ribbon + 29, class: "ruler" },
      `${Number(x.toFixed(1))} m`));
  }
}

function drawPeople() {
  if (bounds === null) return;
  targets = [];
  const shapes = [];
  for (const known of model.gateways.values()) {
    if (known.positions === undefined) continue;
    const gone = silentFor(known, "positions") > GONE_AFTER_S;
    for (const person of known.positions.people) shapes.push(personShape(known.place, person, gone));
  }
  for (const entry of model.alarms.values()) {
    if (isOpen(entry) && entry.anomaly.xyz_m !== null && !isShown(entry)) shapes.push(placeShape(entry));
  }
  moving.replaceChildren(...shapes);
}

function isShown(entry) {
  const { anomaly, site, gateway } = entry;
  return anomaly.track !== null && personOf(`${site}/${gateway}`, anomaly.track) !== null;
}

function personShape(place, person, gone) {
  const [x, y] = px(person.xyz_m);
  const alarm = alarmOf(place, person.track);
  const classes = ["person", person.certainty];
  if (alarm !== null) classes.push("alarm");
  if (gone) classes.push("gone");
  if (isSelected(place, person.track)) classes.push("selected");
  const group = node("g", { class: classes.join(" "), "data-track": person.track });
  const { rx, ry, turn } = ellipse(person.covariance_m2);
  group.append(node("ellipse", {
    rx: Math.max(2, rx * view.scale), ry: Math.max(2, ry * view.scale), class: "ellipse",
    transform: `translate(${x} ${y}) rotate(${-turn})`,
  }));
  if (isSelected(place, person.track)) {
    group.append(node("circle", { cx: x, cy: y, r: 13, class: "ring" }));
  }
  const [vx, vy] = person.velocity_m_s;
  if (Math.hypot(vx, vy) > 0.2) {
    const [tx, ty] = px([person.xyz_m[0] + vx, person.xyz_m[1] + vy]);
    group.append(node("path", { d: `M${x} ${y}L${tx} ${ty}`, class: "heading" }));
  }
  group.append(alarm !== null
    ? node("path", { d: `M${x} ${y - 10}L${x + 9} ${y + 7}H${x - 9}Z`, class: "dot alarm" })
    : node("circle", { cx: x, cy: y, r: 5, class: "dot" }));
  group.append(node("text", { x: x + 9, y: y - 8, class: "name" },
    person.worker ?? `#${person.track}`));
  targets.push({ x, y, select: () => selectTrack(place, person.track) });
  return group;
}

function placeShape(entry) {
  const [x, y] = px(entry.anomaly.xyz_m);
  const key = alarmKey(entry);
  const classes = ["alarm-place", entry.anomaly.state];
  if (model.selected?.alarm === key) classes.push("selected");
  const group = node("g", { class: classes.join(" ") });
  if (model.selected?.alarm === key) {
    group.append(node("circle", { cx: x, cy: y, r: 14, class: "ring" }));
  }
  group.append(node("path", { d: `M${x} ${y - 10}L${x + 9} ${y + 7}H${x - 9}Z` }));
  const kind = model.kinds[entry.anomaly.kind]?.[language()] ?? entry.anomaly.kind;
  group.append(node("text", { x: x + 11, y: y - 8, class: "name" }, kind));
  targets.push({ x, y, select: () => selectAlarm(key) });
  return group;
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

function flyToSelected() {
  const { selected } = model;
  if (selected === null || bounds === null) return;
  const person = selected.track === null ? null : personOf(selected.place, selected.track);
  const entry = selected.alarm === null ? null : model.alarms.get(selected.alarm);
  const xyz_m = person?.xyz_m ?? entry?.anomaly.xyz_m ?? null;
  if (xyz_m !== null) view.centre(xyz_m[0] - bounds.left, bounds.high - xyz_m[1], 1.5);
}
