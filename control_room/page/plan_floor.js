// The still part of the plan: floors, what cameras see of them, zones, gates, cameras, the ruler.

import { stretchesOf, unseenFloor } from "./coverage.js";
import { node } from "./dom.js";
import { gatewayName } from "./gateway_names.js";
import { SILENT_AFTER_S, model, silentFor } from "./model.js";
import { edges, isDrawable, pieceOf } from "./roadway.js";
import { word } from "./words.js";

const MARGIN_M = 2;
/**
 * Where a metre is smaller than this, a whole mine is in sight: then names would cover everything, and
 * what is well is not drawn one by one. Whoever points at an area is told its name; zooming in shows all.
 */
const FAR_PX_PER_M = 3;
/** So many roadways are drawn whole however small: on a telephone a single one is, too. */
const FEW = 8;

function isFar(sheet) {
  return model.gateways.size > FEW && sheet.scale < FAR_PX_PER_M;
}

/** How zones look: a sign in front of the name, and a pattern of their own. */
export const ZONES = {
  restricted: { sign: "⊘", fill: "url(#restricted-hatch)" },
  danger: { sign: "⚠", fill: "url(#danger-hatch)" },
  area: { sign: "▢", fill: "none" },
};

/** The patterns that areas are filled with. */
export function patterns() {
  const defs = node("defs");
  const hatch = (id, size, turn, line, marks) => {
    const pattern = node("pattern", {
      id, width: size, height: size, patternUnits: "userSpaceOnUse",
      patternTransform: `rotate(${turn})`,
    });
    pattern.append(node("rect", { width: size, height: size, class: `${line}-ground` }));
    for (const d of marks) pattern.append(node("path", { d, class: line }));
    defs.append(pattern);
  };
  hatch("restricted-hatch", 9, 45, "zone-line", ["M0 0V9"]);
  hatch("danger-hatch", 12, 0, "danger-line", ["M0 12L6 0L12 12"]);
  hatch("unseen-hatch", 7, -45, "unseen-line", ["M0 0V7", "M0 0H7"]);
  return defs;
}

/** Tell how large the mine is, metres; null while nothing is known of it. */
export function measure() {
  let points = [];
  for (const { site, plan } of model.gateways.values()) {
    if (!isDrawable(site)) continue;
    points = points.concat(
      edges(site).flat(), site.cameras.map((camera) => camera.xyz_m),
      ...site.zones.map((zone) => zone.polygon_m), ...(plan?.gates ?? []).map((gate) => gate.line_m),
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

/** Write points of the mine as an SVG path on the sheet. */
export function pathOf(points, sheet, closed = true) {
  const written = points.map((point) => sheet.px(point).map((value) => value.toFixed(1)).join(" "));
  return `M${written.join("L")}${closed ? "Z" : ""}`;
}

/** Draw everything that does not move. */
export function drawFloors(sheet, ruler_px) {
  const known = [...model.gateways.values()].filter(({ site }) => isDrawable(site));
  const drawn = new Set();
  return [
    ...known.flatMap((one) => floor(one, sheet)),
    ...known.flatMap((one) => zones(one, sheet, drawn)),
    ...known.flatMap((one) => gates(one, sheet, drawn)),
    ...known.flatMap((one) => cameras(one, sheet)),
    ...ruler(sheet, ruler_px),
  ];
}

function floor({ site, place, siteName, gateway, ...known }, sheet) {
  const [left, right] = edges(site);
  const shown = model.gateways.size > 1 && place === model.shown;
  const shapes = [node("path", {
    d: pathOf([...left, ...right.toReversed()], sheet), class: shown ? "floor shown" : "floor",
  })];
  const far = isFar(sheet);
  for (const camera of far ? [] : site.cameras) {
    if (camera.view_m.length > 2) {
      shapes.push(node("path", { d: pathOf(camera.view_m, sheet), class: "view" }));
    }
  }
  for (const piece of unseenFloor({ site, ...known })) {
    const shape = node("path", {
      d: pathOf(pieceOf([left, right], piece), sheet), class: "unseen", fill: "url(#unseen-hatch)",
    });
    shape.append(node("title", {}, word("why_unseen")));
    shapes.push(shape);
  }
  shapes.push(node("path", { d: pathOf(site.centre_line_m, sheet, false), class: "centre" }));
  if (model.gateways.size > 1 && (!far || shown)) {
    const [left_px, base] = sheet.px(right[0]);
    const name = gatewayName(siteName, gateway);
    const [x, y] = sheet.names.placeStart(name, [
      [left_px + 4, base - 5], [left_px + 4, base + 14], [left_px + 4, base - 21],
    ]);
    shapes.push(node("text", { x, y, class: "gateway-name" }, name));
  }
  return shapes;
}

function zones({ site, plan }, sheet, drawn) {
  return site.zones.filter((zone) => zone.polygon_m.length > 2).flatMap((zone) => {
    // Gateways that share a site file tell of the same zones.
    const key = JSON.stringify([zone.name, zone.polygon_m]);
    if (drawn.has(key)) return [];
    drawn.add(key);
    return zoneShapes(zone, zone.polygon_m, sheet, wordsOf(plan, zone.name));
  });
}

/** The shapes of one zone whose corners are `points`. */
export function zoneShapes({ name, kind }, points, sheet, more = "", state = "") {
  const look = Object.hasOwn(ZONES, kind) ? ZONES[kind] : ZONES.restricted;
  const shape = node("path", {
    d: pathOf(points, sheet), class: `zone ${kind} ${state}`, fill: look.fill, "data-zone": name,
  });
  const said = [word(kind), name, more].filter(Boolean).join(" · ");
  shape.append(node("title", {}, said));
  if (isFar(sheet)) return [shape];
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  const [left, top] = sheet.px([Math.min(...xs), Math.max(...ys)]);
  const [right, bottom] = sheet.px([Math.max(...xs), Math.min(...ys)]);
  // The name of a zone of which a part is in sight is there; of one that is out of sight there is none.
  const [from, to] = [Math.max(left, 0), Math.min(right, sheet.width)];
  const [high, low] = [Math.max(top, 0), Math.min(bottom, sheet.height)];
  if (from > to || high > low) return [shape];
  const middle = (from + to) / 2;
  const text = `${look.sign} ${name}${more ? ` (${more})` : ""}`;
  const [x, y] = sheet.names.place(text, [
    [middle, high - 4], [middle, low + 14], [middle, high - 20], [middle, low + 30], [middle, high + 14],
  ]);
  return [shape, node("text", { x, y, class: `zone-name ${kind}` }, text)];
}

function wordsOf(plan, name) {
  if (!Object.hasOwn(plan?.zones ?? {}, name)) return "";
  const about = plan.zones[name];
  const parts = [];
  if (about.capacity !== null) parts.push(word("at_most", about.capacity));
  if (about.hours.length > 0) parts.push(about.hours.join(", "));
  return parts.join(", ");
}

/** A line across the floor, and arrows the way that is allowed. */
function gates({ plan }, sheet, drawn) {
  return (plan?.gates ?? []).flatMap((gate) => {
    const key = JSON.stringify([gate.name, gate.line_m]);
    if (drawn.has(key)) return [];
    drawn.add(key);
    const [[ax, ay], [bx, by]] = gate.line_m.map(sheet.px);
    const length = Math.hypot(bx - ax, by - ay) || 1;
    // On the sheet y goes down: left of a to b is (dy, -dx).
    const turn = gate.way === "to_left" ? 1 : -1;
    const [nx, ny] = [(turn * (by - ay)) / length, (-turn * (bx - ax)) / length];
    const [ux, uy] = [(bx - ax) / length, (by - ay) / length];
    const arrows = [0.25, 0.5, 0.75].map((share) => {
      const [x, y] = [ax + share * (bx - ax), ay + share * (by - ay)];
      const [tx, ty] = [x + 14 * nx, y + 14 * ny];
      return `M${x} ${y}L${tx} ${ty}M${tx - 5 * nx + 4 * ux} ${ty - 5 * ny + 4 * uy}L${tx} ${ty}`
        + `L${tx - 5 * nx - 4 * ux} ${ty - 5 * ny - 4 * uy}`;
    });
    const shape = node("path", {
      d: `M${ax} ${ay}L${bx} ${by}${arrows.join("")}`, class: "gate", "data-gate": gate.name,
    });
    shape.append(node("title", {}, `${word("gate")} ${gate.name}`));
    if (isFar(sheet)) return [shape];
    const [from, low, high] = [Math.min(ax, bx), Math.max(ay, by), Math.min(ay, by)];
    const text = `⇥ ${gate.name}`;
    const [x, y] = sheet.names.placeStart(text, [
      [from, low + 12], [from, high - 5], [from, low + 28], [from, high - 21],
    ]);
    return [shape, node("text", { x, y, class: "gate-name" }, text)];
  });
}

/** Of a gateway that is silent nobody knows how its cameras are: that is not well. */
function cameras({ site, health, ...known }, sheet) {
  const silent = silentFor(known, "health") > SILENT_AFTER_S;
  return site.cameras.map((camera) => {
    const [x, y] = sheet.px(camera.xyz_m);
    const told = silent ? undefined : health?.cameras.find((one) => one.name === camera.name)?.state;
    const state = told ?? "?";
    if (state === "ok" && isFar(sheet)) return null;
    const sign = node("g", { class: state === "ok" ? "camera" : "camera bad" });
    sign.append(
      node("path", { d: `M${x - 5} ${y - 4}H${x + 3}L${x + 8} ${y - 6}V${y + 6}L${x + 3} ${y + 4}H${x - 5}Z` }),
      node("title", {}, `${word("camera")} ${camera.name}: ${state === "?" ? state : word(state)}`),
    );
    if (state !== "ok") {
      sign.append(node("path", { d: `M${x - 8} ${y - 8}L${x + 9} ${y + 8}M${x + 9} ${y - 8}L${x - 8} ${y + 8}`, class: "cross" }));
    }
    return sign;
  }).filter((sign) => sign !== null);
}

/** From where to where, along x, each roadway has floor. */
function roadwaySpans() {
  return [...model.gateways.values()].filter(({ site }) => isDrawable(site)).map(({ site }) => {
    const xs = edges(site).flat().map(([x]) => x);
    return [Math.min(...xs), Math.max(...xs)];
  });
}

function ruler(sheet, ruler_px) {
  const { height, width, left: from, scale } = sheet;
  const wanted = 90 / scale;
  const step = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500].find((metres) => metres >= wanted) ?? 1000;
  const shapes = [node("rect", { x: 0, y: height, width, height: ruler_px, class: "ruler-ground" })];
  for (const known of model.gateways.values()) {
    for (const { from: a, to: b, seen } of stretchesOf(known)) {
      const rect = node("rect", {
        x: sheet.px([a, 0])[0], y: height + 3, width: Math.max(1, (b - a) * scale), height: 8,
        class: seen ? "covered" : "unseen",
      });
      if (!seen) rect.setAttribute("fill", "url(#unseen-hatch)");
      shapes.push(rect);
    }
  }
  const spans = roadwaySpans();
  for (let x = Math.ceil(from / step) * step; x <= from + width / scale; x += step) {
    // Beyond the roadways' ends there is no floor to number.
    if (!spans.some(([low, high]) => x >= low && x <= high)) continue;
    const [left] = sheet.px([x, 0]);
    shapes.push(node("path", { d: `M${left} ${height + 11}v6`, class: "tick" }));
    shapes.push(node("text", { x: left, y: height + 29, class: "ruler" }, `${Number(x.toFixed(1))} m`));
  }
  return shapes;
}
