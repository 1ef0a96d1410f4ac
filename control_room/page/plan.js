// The plan of the mine in metres: its still part, machines and everybody, and what a click does.
// Knows nothing about pictures.

import { node, setText } from "./dom.js";
import { msOf } from "./json.js";
import { oncePerFrame } from "./later.js";
import {
  SILENT_AFTER_S, changed, model, nowMs, on, personOf, raiseOf, select, silentFor,
} from "./model.js";
import { drawFloors, measure, patterns } from "./plan_floor.js";
import { legend } from "./plan_legend.js";
import { drawMachines, machinesNote } from "./plan_machines.js";
import { Names } from "./plan_names.js";
import { drawPeople } from "./plan_people.js";
import { openOnEnter } from "./place_alarms.js";
import { along, isDrawable } from "./roadway.js";
import { View, whenClicked } from "./view.js";
import { word } from "./words.js";

const RULER_PX = 34;
/** People walk: on the plan nobody sees more than this, and it leaves the time to the panorama. */
const EVERY_MS = 180;
/** And of so many people nobody follows each one's steps. */
const CROWD = 100;
const CROWD_EVERY_MS = 450;
const REACH_PX = 16;
/** A view that nobody has touched for so long shows all again: it must not hide who comes. */
const UNTOUCHED_MS = 30_000;

const svg = document.getElementById("plan");
const note = document.getElementById("plan-note");
const stamp = document.getElementById("plan-stamp");
const later = oncePerFrame(draw);
const view = new View(svg, () => { stillIsOld = true; later(); });
const still = node("g");
const machines = node("g");
const moving = node("g");
let bounds = null;
let stillIsOld = true;
let machinesKnown = 0;
/** Of the drawing, CSS pixels; asked for at every frame it would have all else laid out first. */
let size = null;
let drawnAt = -Infinity;
/** When the oldest of the places that were drawn last was captured, ms; null while none is. */
let oldest_ms = null;
/** The drawing to come after alarms that came too fast. */
let trailing = null;
/** Whether the view is where a selection has led it, and when somebody touched the page last. */
let follows = false;
let touchedAt = performance.now();
/** What a click can reach; the shapes themselves move ten times a second. */
let targets = [];
/** Where names are that do not move. */
let stillNames = [];

/** Start drawing. */
export function start() {
  svg.append(patterns(), still, machines, moving);
  const all = () => { stillIsOld = true; later(); };
  for (const about of ["gateways", "health", "language"]) on(about, all);
  on("machines", later);
  on("alarms", soon);
  on("positions", () => {
    const every_ms = targets.length > CROWD ? CROWD_EVERY_MS : EVERY_MS;
    if (performance.now() - drawnAt > every_ms) later();
  });
  on("selected", () => { flyToSelected(); later(); });
  for (const what of ["pointerdown", "pointermove", "wheel", "keydown"]) {
    addEventListener(what, () => { touchedAt = performance.now(); }, { passive: true, capture: true });
  }
  on("gateways", legend);
  on("language", legend);
  for (const one of [document.getElementById("plan-fit"), stamp]) one.addEventListener("click", showAll);
  // Whoever moves the plan looks elsewhere.
  svg.addEventListener("wheel", () => { follows = false; }, { passive: true });
  svg.addEventListener("pointermove", ({ buttons }) => { if (buttons !== 0) follows = false; });
  svg.addEventListener("keydown", ({ key }) => { if (/^(Arrow|[-+=0]$)/.test(key)) follows = false; });
  whenClicked(svg, click);
  openOnEnter(svg, () => targets.filter(({ keys }) => keys !== undefined).map(({ keys }) => keys));
  new ResizeObserver(([{ contentRect }]) => { size = contentRect; all(); }).observe(svg);
  setInterval(() => { leaveZoom(); all(); }, 1000);
  legend();
}

function showAll() {
  follows = false;
  view.fit();
  stillIsOld = true;
  later();
}

/** Show all again once nobody has touched anything for long. */
function leaveZoom() {
  if (!view.isWhole && performance.now() - touchedAt > UNTOUCHED_MS) showAll();
}

/** Tell how old the oldest place on the plan is that a gateway that speaks has said, seconds; null without. */
export function oldestDrawnS() {
  return oldest_ms === null ? null : (nowMs() - oldest_ms) / 1000;
}

/** Draw, but not more often than people can follow, however many alarms come. */
function soon() {
  const wait_ms = EVERY_MS - (performance.now() - drawnAt);
  if (wait_ms <= 0) later();
  else trailing ??= setTimeout(later, wait_ms);
}

/** Mine metres to pixels of the drawing; the mine's y goes up. */
function px([x, y]) {
  return [(x - bounds.left) * view.scale + view.left, (bounds.high - y) * view.scale + view.top];
}

function draw() {
  drawnAt = performance.now();
  clearTimeout(trailing);
  trailing = null;
  size ??= { width: svg.clientWidth, height: svg.clientHeight };
  if (stillIsOld) bounds = measure();
  if (bounds === null) {
    for (const layer of [still, machines]) layer.replaceChildren();
    targets = [];
    stamp.hidden = true;
    return;
  }
  const box = { width: size.width || 1, height: (size.height || 1) - RULER_PX };
  const picture = { width: bounds.right - bounds.left, height: bounds.high - bounds.low };
  if (box.width !== view.box.width || box.height !== view.box.height
      || picture.width !== view.picture.width || picture.height !== view.picture.height) {
    view.resize(box, picture);
  }
  const sheet = {
    px, scale: view.scale, width: box.width, height: box.height, left: bounds.left - view.left / view.scale,
  };
  if (stillIsOld) {
    stillIsOld = false;
    sheet.names = new Names(sheet);
    still.replaceChildren(...drawFloors(sheet, RULER_PX));
    stillNames = sheet.names.boxes;
  }
  sheet.names = new Names(sheet, stillNames);
  machines.replaceChildren(...drawMachines(sheet));
  if (machinesKnown !== model.machines.size) legend();
  machinesKnown = model.machines.size;
  const text = machinesNote();
  if (note.textContent !== text) note.textContent = text;
  note.hidden = text === "";
  const told = [...model.gateways.values()].filter((known) => silentFor(known, "positions") < SILENT_AFTER_S);
  oldest_ms = told.length === 0 ? null
    : Math.min(...told.map(({ positions }) => msOf(positions.captured_at_ns)));
  const drawn = drawPeople(moving, sheet);
  targets = drawn.targets;
  drawStamp(drawn);
}

/** Say that the view is not all, and how much is outside of it. */
function drawStamp({ people, alarms }) {
  stamp.hidden = view.isWhole;
  const some = people + alarms > 0;
  setText(stamp, some ? word("zoomed_plan", people, alarms) : word("zoomed_plan_none"));
  stamp.classList.toggle("some", some);
}

function click({ x, y }) {
  const label = targets.find(({ box }) => box !== undefined && x >= box.left && y >= box.top
    && x <= box.left + box.width && y <= box.top + box.height);
  if (label !== undefined) {
    label.select();
    return;
  }
  const far = (target) => Math.hypot(target.x - x, target.y - y);
  const near = targets.filter((target) => target.box === undefined && far(target) < REACH_PX)
    // Whoever is there comes before what is over.
    .sort((a, b) => Number(a.isOver) - Number(b.isOver) || far(a) - far(b));
  if (near.length > 0) near[0].select();
  else if (bounds !== null) lookAt([bounds.left + (x - view.left) / view.scale,
    bounds.high - (y - view.top) / view.scale]);
}

/** Show the panorama of the gateway whose roadway a place lies on, there. */
function lookAt(xy) {
  const found = [...model.gateways.values()].filter(({ site }) => isDrawable(site))
    .map((known) => ({ known, at: along(known.site, xy) }))
    .filter(({ known: { site }, at }) => at[1] <= site.left_m && -at[1] <= site.right_m
      && within(site, at[0]))
    // Where several look, the one that is shown stays.
    .sort((a, b) => Number(b.known.place === model.shown) - Number(a.known.place === model.shown));
  if (found.length === 0) return;
  select({ place: found[0].known.place, track: null, alarm: null });
  changed("look", { place: found[0].known.place, chainage_m: found[0].at[0] });
}

function within(site, chainage_m) {
  const ends = [site.centre_line_m[0], site.centre_line_m.at(-1)].map((end) => along(site, end)[0]);
  return chainage_m >= Math.min(...ends) - 1 && chainage_m <= Math.max(...ends) + 1;
}

function flyToSelected() {
  const { selected } = model;
  if (selected === null && follows) showAll();
  if (selected === null || bounds === null) return;
  const person = selected.track === null ? null : personOf(selected.place, selected.track);
  const entry = selected.alarm === null ? null : model.alarms.get(selected.alarm);
  const xyz_m = person?.xyz_m ?? (entry ? raiseOf(entry).xyz_m : null);
  if (xyz_m === null) return;
  follows = true;
  view.centre(xyz_m[0] - bounds.left, bounds.high - xyz_m[1], 1.5);
}

