// Chainage: metres along a gateway's roadway, as its ruler counts them. Draws nothing.

/** Corners that are nearer than this are one; and what rounding makes of a point on a bisector. */
const SAME_M = 1e-6;
const ON_IT = -1e-9;
/** The legs of each centre line: it is asked for everybody in every picture. */
const known = new WeakMap();

/**
 * Tell `[chainage, left]` of a place `[x, y]`: metres along the centre line, in plan, from the x of
 * its first point, and metres to the left of it; null where no roadway is known. The gateway counts
 * the same way (`Floor.place`): beside a bend each leg reaches from bisector to bisector.
 */
export function along(site, [x, y]) {
  const line = site?.centre_line_m ?? [];
  let best = null;
  for (const { start, end, length, way, first, last, passed, isFirst, isLast } of bisected(line)) {
    const off = [x - start[0], y - start[1]];
    const [s, left] = [dot(off, way), off[1] * way[0] - off[0] * way[1]];
    const [past, ahead] = [dot(off, first), dot([end[0] - x, end[1] - y], last)];
    const beside = (isFirst || past >= ON_IT) && (isLast || ahead >= ON_IT);
    // The nearest leg whose cross-sections the place lies between; else just the nearest.
    const far = Math.hypot(Math.max(-s, s - length, 0), left) + (beside ? 0 : 1e6);
    if (best !== null && far >= best.far) continue;
    const [e0, e1] = [past / dot(way, first), ahead / dot(way, last)];
    const between = e0 >= ON_IT && e1 >= ON_IT && e0 + e1 > -ON_IT;
    best = { far, left, along: passed + (between ? length * e0 / (e0 + e1) : s) };
  }
  if (best === null) return null;
  const sign = line.at(-1)[0] >= line[0][0] ? 1 : -1;
  return [line[0][0] + sign * best.along, best.left];
}

/** The legs of a line, each with its direction, and those of the cross-sections at both ends. */
function bisected(line) {
  if (known.has(line)) return known.get(line);
  const corners = line.filter(([x, y], i) =>
    i === 0 || Math.hypot(x - line[i - 1][0], y - line[i - 1][1]) > SAME_M);
  const ways = corners.slice(1).map(([x, y], i) => unit([x - corners[i][0], y - corners[i][1]]));
  let passed = 0;
  const legs = ways.map((way, i) => {
    const [start, end] = [corners[i], corners[i + 1]];
    const length = Math.hypot(end[0] - start[0], end[1] - start[1]);
    passed += length;
    return {
      start, end, length, way, passed: passed - length,
      first: i === 0 ? way : halfWay(ways[i - 1], way),
      last: i + 1 === ways.length ? way : halfWay(way, ways[i + 1]),
      isFirst: i === 0, isLast: i + 1 === ways.length,
    };
  });
  known.set(line, legs);
  return legs;
}

/** The direction between those of two legs; a line that turns straight back keeps its own. */
function halfWay(before, after) {
  const sum = [before[0] + after[0], before[1] + after[1]];
  return Math.hypot(...sum) > SAME_M ? unit(sum) : before;
}

function unit([x, y]) {
  const length = Math.hypot(x, y);
  return [x / length, y / length];
}

function dot([ax, ay], [bx, by]) {
  return ax * bx + ay * by;
}

/** The legs of the centre line, each with the chainage at both ends: { number, from, to }. */
export function legsOf(site) {
  if (!isDrawable(site)) return [];
  const line = site.centre_line_m;
  const sign = line[line.length - 1][0] >= line[0][0] ? 1 : -1;
  let at = line[0][0];
  return line.slice(1).map(([x, y], number) => {
    const from = at;
    at += sign * Math.hypot(x - line[number][0], y - line[number][1]);
    return { number, from, to: at };
  }).filter(({ from, to }) => from !== to);
}

/** Tell the chainage of a place, or its x where no roadway is known. */
export function chainageOf(site, xyz) {
  return along(site, xyz)?.[0] ?? xyz[0];
}

/** Tell whether a gateway's floor can be drawn. */
export function isDrawable(site) {
  return site !== undefined && site.centre_line_m.length > 1;
}

/** The left and the right edge of the floor as lists of points. */
export function edges({ centre_line_m: line, left_m, right_m }) {
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

/** The corners of the floor beside one leg of the centre line, between two shares (0 to 1) of it. */
export function pieceOf([left, right], { leg, from, to }) {
  const at = (edge, share) => [0, 1].map((axis) =>
    edge[leg][axis] + share * (edge[leg + 1][axis] - edge[leg][axis]));
  return [at(left, from), at(left, to), at(right, to), at(right, from)];
}
