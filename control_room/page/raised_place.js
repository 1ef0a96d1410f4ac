// Where an alarm that is over was raised, on the picture: a grey line across the roadway.
// Knows nothing about people: who the alarm was about may be elsewhere by now.

import { raiseOf } from "./model.js";
import { chainageOf } from "./roadway.js";
import { kindName } from "./words_of_alarms.js";
import { word } from "./words.js";

const GREY = "#c3d2dc";
/** Marks stand a metre apart; where none is as near the picture does not show the place. */
const NEAR_M = 1;

/**
 * Draw the place of an alarm of the gateway `place`, if it is over and the picture has it; gives
 * `{ x, text }`, canvas pixels, or null. `marks` are the ruler's, `onCanvas` places their pixels.
 */
export function drawRaised(context, entry, place, site, marks, onCanvas) {
  if (!entry || !site || entry.anomaly.state === "active") return null;
  const { xyz_m } = raiseOf(entry);
  if (xyz_m === null || `${entry.site}/${entry.gateway}` !== place) return null;
  const chainage_m = chainageOf(site, xyz_m);
  const far = (mark) => Math.abs(mark.chainage_m - chainage_m);
  const near = marks.toSorted((a, b) => far(a) - far(b))[0];
  if (near === undefined || far(near) > NEAR_M) return null;
  const points = near.across_px.map(onCanvas);
  context.setLineDash([4, 4]);
  context.strokeStyle = GREY;
  context.lineWidth = 2;
  context.beginPath();
  points.forEach(([x, y], i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.stroke();
  context.setLineDash([]);
  const text = `${kindName(entry.anomaly)} · ${word("cleared")}`;
  const [x, y] = points.toSorted((a, b) => a[1] - b[1])[0];
  context.font = "500 12px system-ui, sans-serif";
  context.textBaseline = "bottom";
  context.fillStyle = GREY;
  context.fillText(text, x + 4, y);
  return { x, text };
}
