// Chainage: metres along a gateway's roadway, as its ruler counts them. Draws nothing.

/**
 * Tell `[chainage, left]` of a place `[x, y]`: metres along the centre line, in plan, from the x of
 * its first point, and metres to the left of it; null where no roadway is known.
 */
export function along(site, [x, y]) {
  const line = site?.centre_line_m ?? [];
  if (line.length < 2) return null;
  let best = null;
  let passed = 0;
  for (let i = 0; i + 1 < line.length; i += 1) {
    const [ax, ay] = line[i];
    const [bx, by] = line[i + 1];
    const length = Math.hypot(bx - ax, by - ay);
    if (length === 0) continue;
    const [ux, uy] = [(bx - ax) / length, (by - ay) / length];
    const s = (x - ax) * ux + (y - ay) * uy;
    const low = i === 0 ? -Infinity : 0;
    const high = i + 2 === line.length ? Infinity : length;
    const kept = Math.min(Math.max(s, low), high);
    const far = Math.hypot(x - ax - kept * ux, y - ay - kept * uy);
    if (best === null || far < best.far) {
      best = { far, along: passed + kept, left: (y - ay) * ux - (x - ax) * uy };
    }
    passed += length;
  }
  if (best === null) return null;
  const sign = line[line.length - 1][0] >= line[0][0] ? 1 : -1;
  return [line[0][0] + sign * best.along, best.left];
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
