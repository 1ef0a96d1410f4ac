// Machines on the plan, and the zones that move with them. A machine whose place is not known is
// nowhere, and that is said.

import { node } from "./dom.js";
import { model, tickMs } from "./model.js";
import { zoneShapes } from "./plan_floor.js";
import { word } from "./words.js";

const AGE_S = 3;

/** Draw every machine whose place has ever been told, and the zones that follow it. */
export function drawMachines(sheet) {
  return [...following().flatMap(({ zone, machine }) => followed(zone, machine, sheet)),
    ...[...model.machines.values()].flatMap((machine) => machineShapes(machine, sheet))];
}

/** Tell which zones are nowhere, because nobody knows where their machine is; "" if none is. */
export function machinesNote() {
  const lost = following().filter(({ zone, machine }) => !isKnown(machine, zone.place_age_s));
  const said = lost.map(({ zone }) => word("zone_nowhere", zone.name, zone.machine));
  return [...new Set(said)].join(" ");
}

/** Each zone that follows a machine, once, with the machine if it was heard of. */
function following() {
  const found = new Map();
  for (const { siteName, plan } of model.gateways.values()) {
    for (const zone of plan?.following ?? []) {
      found.set(`${siteName}/${zone.name}`, {
        zone: { ...zone, place_age_s: plan.place_age_s },
        machine: model.machines.get(`${siteName}/${zone.machine}`),
      });
    }
  }
  return [...found.values()];
}

function isKnown(machine, age_s) {
  return machine !== undefined && ageOf(machine) <= age_s;
}

function ageOf(machine) {
  return Math.max(0, tickMs() - machine.heardAt) / 1000;
}

function followed(zone, machine, sheet) {
  if (!isKnown(machine, zone.place_age_s)) return [];
  const points = zone.polygon_m.map((corner) => placed(machine, corner));
  return zoneShapes(zone, points, sheet, machine.running ? "" : word("at_rest"),
    machine.running ? "moving" : "resting");
}

/** A machine's own metres, x the way it faces, to mine metres. */
function placed({ xy_m: [x, y], heading_rad }, [along, left]) {
  const [c, s] = [Math.cos(heading_rad), Math.sin(heading_rad)];
  return [x + c * along - s * left, y + s * along + c * left];
}

function machineShapes(machine, sheet) {
  const old = ageOf(machine) > AGE_S;
  const [x, y] = sheet.px(machine.xy_m);
  const state = old ? "old" : machine.running ? "running" : "resting";
  const turn = (-machine.heading_rad * 180) / Math.PI;
  const group = node("g", { class: `machine ${state}`, "data-machine": machine.machine });
  group.append(
    // A body with its nose the way it faces; two wheels tell it from a camera.
    node("path", {
      d: "M-11 -7H6L13 0L6 7H-11Z", transform: `translate(${x} ${y}) rotate(${turn})`, class: "body",
    }),
    node("path", {
      d: "M-8 -10H-2M-8 10H-2M1 -10H6M1 10H6", transform: `translate(${x} ${y}) rotate(${turn})`,
      class: "wheels",
    }),
  );
  const text = wordsOf(machine, old);
  const [nx, ny] = sheet.names.placeStart(text, [[x + 16, y + 4], [x + 16, y + 20], [x + 16, y - 14]]);
  group.append(node("text", { x: nx, y: ny, class: "machine-name" }, text));
  return [group];
}

function wordsOf(machine, old) {
  if (old) return `${machine.machine} ? ${word("seconds_ago", ageOf(machine).toFixed(0))}`;
  return machine.running ? machine.machine : `${machine.machine} (${word("at_rest")})`;
}
