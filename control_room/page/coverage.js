// What a gateway's cameras see of its roadway, metre by metre of chainage. Draws nothing.

import { SILENT_AFTER_S, silentFor } from "./model.js";
import { legsOf } from "./roadway.js";

const MAX_METRES = 5000;
/** Shorter than this two stretches do not overlap, metres. */
const TOUCH_M = 1e-6;

/**
 * Cut the coverage of a gateway into { from, to, seen }, about a metre each, by chainage. Without
 * word of what its cameras see of a metre that is unseen; [] when even the roadway is unknown.
 */
export function coverageOf(known) {
  const { health, site } = known;
  const deaf = silentFor(known, "health") > SILENT_AFTER_S;
  const told = (health?.coverage ?? []).slice(0, MAX_METRES).map((cameras, i) => ({
    from: health.coverage_from_x_m + i,
    to: health.coverage_from_x_m + i + 1,
    seen: !deaf && cameras > 0,
  }));
  const [low, high] = endsOf(site);
  if (told.length === 0) return untold(low, high);
  return [...untold(low, told[0].from), ...told, ...untold(told.at(-1).to, high)];
}

/**
 * The same as the plan's ruler shows it, which counts the mine's x: { from, to, seen }. Where two
 * stretches lie over one x the unseen one comes later, to be drawn over the other.
 */
export function stretchesOf(known) {
  const { site } = known;
  const stretches = joined(coverageOf(known));
  return legsOf(site).flatMap((leg) => {
    const [a, b] = [site.centre_line_m[leg.number][0], site.centre_line_m[leg.number + 1][0]];
    return within(stretches, leg).map(({ from, to, seen }) => {
      const xs = [from, to].map((share) => a + share * (b - a));
      return { from: Math.min(...xs), to: Math.max(...xs), seen };
    });
  }).sort((one, two) => two.seen - one.seen);
}

/**
 * Tell which floor no camera is known to see: { leg, from, to }, shares (0 to 1) of the way from one
 * point of the centre line, number `leg`, to the next. What is not told of is among it.
 */
export function unseenFloor(known) {
  const metres = coverageOf(known);
  const [first, last] = [metres[0]?.from ?? Infinity, metres.at(-1)?.to ?? Infinity];
  const gaps = [{ from: -Infinity, to: first }, ...metres.filter(({ seen }) => !seen),
    { from: last, to: Infinity }];
  return legsOf(known.site).flatMap((leg) =>
    within(gaps, leg).map(({ from, to }) => ({ leg: leg.number, from, to })));
}

/** What of some stretches lies on a leg, in shares (0 to 1) of the way along it. */
function within(stretches, leg) {
  const [low, high] = [Math.min(leg.from, leg.to), Math.max(leg.from, leg.to)];
  return stretches
    .map(({ from, to, ...rest }) => ({ ...rest, from: Math.max(from, low), to: Math.min(to, high) }))
    .filter(({ from, to }) => to - from > TOUCH_M)
    .map(({ from, to, ...rest }) => {
      const shares = [from, to].map((chainage) => (chainage - leg.from) / (leg.to - leg.from));
      return { ...rest, from: Math.min(...shares), to: Math.max(...shares) };
    });
}

/** Neighbours that are alike as one. */
function joined(metres) {
  const found = [];
  for (const metre of metres) {
    const last = found.at(-1);
    if (last !== undefined && last.seen === metre.seen && last.to === metre.from) last.to = metre.to;
    else found.push({ ...metre });
  }
  return found;
}

/** The lowest and the highest chainage of a roadway; nothing lies between those of an unknown one. */
function endsOf(site) {
  const ends = legsOf(site).flatMap(({ from, to }) => [from, to]);
  return [Math.min(...ends), Math.max(...ends)];
}

/** Metres that a gateway should tell of, and does not. */
function untold(low, high) {
  const metres = Math.min(MAX_METRES, Math.max(0, Math.ceil(high - low - TOUCH_M)));
  return Array.from({ length: metres }, (_, i) => ({
    from: low + i, to: Math.min(high, low + i + 1), seen: false,
  }));
}
