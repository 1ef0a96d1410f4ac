// By which support or mark a place is: "support 57", "K12 + 8 m". `scene/landmarks.py` says the same.

import { chainageOf } from "./roadway.js";
import { word } from "./words.js";

/** Say by which support or mark of a gateway's roadway a place `[x, y, z]` is; null without any. */
export function byLandmark(site, xyz_m) {
  const chainage_m = chainageOf(site, xyz_m);
  const far = (one) => Math.abs(one.chainage_m - chainage_m);
  const near = (site?.landmarks ?? []).reduce(
    (best, one) => (best === null || far(one) < far(best) ? one : best), null,
  );
  if (near === null) return null;
  const name = near.kind === "support" ? word("support", near.name) : near.name;
  if (far(near) <= near.reach_m) return name;
  const side = chainage_m > near.chainage_m ? "+" : "-";
  return `${name} ${side} ${far(near).toFixed(0)} ${word("metres")}`;
}
