// What a gateway's cameras see of its roadway, metre by metre. Draws nothing.

import { SILENT_AFTER_S, silentFor } from "./model.js";
import { isDrawable } from "./roadway.js";

const MAX_METRES = 5000;

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
