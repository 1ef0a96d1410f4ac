// By which support or mark a place is: "support 57", "K12 + 8 m". `scene/landmarks.py` says the same.

import { along } from "./roadway.js";
import { word } from "./words.js";

/** Say by which support or mark of a gateway's roadway a place `[x, y, z]` is; null without any. */
export function byLandmark(site, xyz_m) {
  const found_m = along(site, xyz_m)?.[0];
  if (found_m === undefined) return null;
  const chainage_m = Math.floor(found_m * 10 + 0.5 + 1e-6) / 10;
  const far = (one) => Math.abs(one.chainage_m - chainage_m);
  const near = (site?.landmarks ?? []).reduce(
    (best, one) => (best === null || far(one) < far(best) ? one : best), null,
  );
  return near === null ? null : besideLandmark(near, chainage_m);
}

/** Say how a place at `chainage_m`, metres, lies to a support or mark. */
export function besideLandmark(near, chainage_m) {
  const far_m = Math.abs(near.chainage_m - chainage_m);
  const name = near.kind === "support" ? word("support", near.name) : near.name;
  const whole_m = Math.floor(far_m + 0.5);
  if (far_m <= near.reach_m || whole_m === 0) return name;
  const side = chainage_m > near.chainage_m ? "+" : "-";
  return `${name} ${side} ${whole_m} ${word("metres")}`;
}
