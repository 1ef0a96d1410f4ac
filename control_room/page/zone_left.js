// Whether somebody whom a zone's alarm is about has left it: the alarm stands for a while all the
// same, but nobody is to be sought where they are no more. Draws nothing.

import { ellipse } from "./plan_people.js";
import { kindName } from "./words_of_alarms.js";
import { word } from "./words.js";

/** Alarms that say that somebody is in a zone. */
const IN_ZONE = ["restricted_zone", "over_time"];

/** Name an alarm's kind beside the person that it is about, at a gateway's `site`. */
export function kindBeside({ anomaly }, person, site) {
  const kind = kindName(anomaly);
  return hasLeft(anomaly, person, site) ? word("left_zone", kind) : kind;
}

/** Tell whether somebody has left an alarm's zone beyond doubt: who stands at the edge may be in it. */
export function hasLeft({ kind, zone }, { xyz_m, covariance_m2 }, site) {
  if (!IN_ZONE.includes(kind)) return false;
  // Zones that move with a machine have no place of their own here.
  const polygons = (site?.zones ?? []).filter(({ name }) => name === zone).map((one) => one.polygon_m);
  const doubt_m = ellipse(covariance_m2).rx;
  return polygons.length > 0 && polygons.every((polygon) => awayFrom(polygon, xyz_m) > doubt_m);
}

/** How far a place is from an area, metres; 0 within it. */
function awayFrom(polygon, [x, y]) {
  let within = false;
  let least = Infinity;
  polygon.forEach(([bx, by], i) => {
    const [ax, ay] = polygon.at(i - 1);
    if ((ay > y) !== (by > y) && x < ax + ((bx - ax) * (y - ay)) / (by - ay)) within = !within;
    const square = (bx - ax) ** 2 + (by - ay) ** 2;
    const share = square === 0 ? 0 : ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / square;
    const kept = Math.min(1, Math.max(0, share));
    least = Math.min(least, Math.hypot(x - ax - kept * (bx - ax), y - ay - kept * (by - ay)));
  });
  return within ? 0 : least;
}
