// Where the person of an active alarm is now, once that is no more where it was raised: help goes
// to people, not to where they were. Draws nothing.

import { byLandmark } from "./landmarks.js";
import { PREDICTED_AFTER_S, model, personOf, unseenFor } from "./model.js";
import { chainageOf } from "./roadway.js";
import { word } from "./words.js";
import { hasLeft } from "./zone_left.js";

/** Nearer than this whoever goes to the alarm's place finds the person anyway, metres. */
const MOVED_M = 3;

/** Say where the person of an active alarm is now, or was seen last; null if that is no other place. */
export function whereNow({ site: siteName, gateway, anomaly }) {
  const known = model.gateways.get(`${siteName}/${gateway}`);
  const person = anomaly.track === null ? null : personOf(known?.place, anomaly.track);
  if (anomaly.state !== "active" || anomaly.xyz_m === null || person === null) return null;
  const { site } = known;
  const isSeen = unseenFor(known, person) <= PREDICTED_AFTER_S;
  const [x, y] = isSeen ? person.xyz_m : person.seen_xy_m ?? person.xyz_m;
  const far_m = Math.hypot(x - anomaly.xyz_m[0], y - anomaly.xyz_m[1]);
  if (far_m <= MOVED_M && !hasLeft(anomaly, person, site)) return null;
  const near = byLandmark(site, [x, y]);
  const at = word(isSeen ? "now_at" : "seen_at", chainageOf(site, [x, y]).toFixed(1));
  return near === null ? at : `${at} · ${near}`;
}
