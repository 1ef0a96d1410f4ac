// What a gateway's cameras see of its roadway, metre by metre. Draws nothing.
// A gateway counts metres by the mine's x (`edge/coverage.py`): what goes more across than along x,
// or twice over one x, it does not count, and nobody knows what is seen there.

import { SILENT_AFTER_S, silentFor } from "./model.js";
import { isDrawable } from "./roadway.js";

const MAX_METRES = 5000;
/** Shorter than this two stretches do not overlap, metres. */
const TOUCH_M = 1e-6;

/**
 * Cut the coverage of a gateway into { from, to, seen }, about a metre each, by the mine's x. Without
 * word of what its cameras see of a metre that is unseen; [] when even the roadway is unknown.
 */
export function coverageOf(known) {
  return [...metresOf(known), ...uncounted(legsOf(known.site))];
}

/** The same, neighbours that are alike joined. */
export function stretchesOf(known) {
  const joined = [];
  for (const metre of coverageOf(known)) {
    const last = joined.at(-1);
    if (last !== undefined && last.seen === metre.seen && last.to === metre.from) last.to = metre.to;
    else joined.push({ ...metre });
  }
  return joined;
}

/**
 * Tell which floor no camera is known to see: { leg, from, to }, shares (0 to 1) of the way from one
 * point of the centre line, number `leg`, to the next. What is not told of is among it.
 */
export function unseenFloor(known) {
  const metres = metresOf(known);
  return legsOf(known.site).flatMap((leg) => {
    const whole = { leg: leg.number, from: 0, to: 1 };
    if (!leg.counted || metres.length === 0) return [whole];
    const gaps = [[-Infinity, metres[0].from], [metres.at(-1).to, Infinity],
      ...metres.filter(({ seen }) => !seen).map(({ from, to }) => [from, to])];
    return gaps.map(([from, to]) => [Math.max(from, leg.low), Math.min(to, leg.high)])
      .filter(([from, to]) => to - from > TOUCH_M)
      .map(([from, to]) => ({ leg: leg.number, from: shareOf(leg, from), to: shareOf(leg, to) }));
  });
}

function shareOf({ a, dx }, x) {
  return (x - a[0]) / dx;
}

/** The metres that the gateway counts, or would. */
function metresOf(known) {
  const { health, site } = known;
  const legs = legsOf(site);
  const deaf = silentFor(known, "health") > SILENT_AFTER_S;
  const told = health === undefined || health.coverage.length === 0 ? roadwayByX(site)
    : health.coverage.slice(0, MAX_METRES).map((cameras, i) => ({
      from: health.coverage_from_x_m + i,
      to: health.coverage_from_x_m + i + 1,
      seen: !deaf && cameras > 0,
    }));
  // Most roadways go one way along x.
  if (legs.every(({ counted, dx }) => counted && dx * legs[0].dx > 0)) return told;
  return told.map((metre) => {
    const over = legs.filter(({ low, high }) =>
      Math.min(high, metre.to) - Math.max(low, metre.from) > TOUCH_M);
    const once = over.every(({ dx }) => dx * over[0].dx > 0);
    return { ...metre, seen: metre.seen && once, counted: over.length === 0 || over.some(({ counted }) => counted) };
  }).filter(({ counted }) => counted);
}

function roadwayByX(site) {
  if (!isDrawable(site)) return [];
  const xs = site.centre_line_m.map(([x]) => x);
  const from = Math.min(...xs);
  const to = Math.max(...xs);
  const metres = Math.min(MAX_METRES, Math.ceil(to - from));
  return Array.from({ length: metres }, (_, i) => ({
    from: from + i, to: Math.min(to, from + i + 1), seen: false,
  }));
}

/** The legs of the centre line: from `a` by `dx` and `dy`. */
function legsOf(site) {
  if (!isDrawable(site)) return [];
  return site.centre_line_m.slice(1).map((b, number) => {
    const a = site.centre_line_m[number];
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    return { number, a, dx, dy, low: Math.min(a[0], b[0]), high: Math.max(a[0], b[0]),
      counted: Math.abs(dx) >= Math.abs(dy) };
  }).filter(({ dx, dy }) => dx !== 0 || dy !== 0);
}

function uncounted(legs) {
  return legs.filter(({ counted }) => !counted).flatMap(({ a, dx, dy }) => {
    const metres = Math.min(MAX_METRES, Math.ceil(Math.hypot(dx, dy)));
    return Array.from({ length: metres }, (_, i) => {
      const [one, two] = [a[0] + dx * i / metres, a[0] + dx * (i + 1) / metres];
      return { from: Math.min(one, two), to: Math.max(one, two), seen: false };
    });
  });
}
