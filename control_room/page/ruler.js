// The chainage ruler on the panorama: a faint line across the floor for each whole metre.
// Knows nothing about people; marks come ready-made with the site's description.

const GAP_PX = 46;
const COLOUR = "rgba(255, 255, 255, 0.55)";
const FAINT = "rgba(255, 255, 255, 0.2)";

/**
 * Draw `marks` on `context`; `place` carries panorama pixels to the canvas, `box` is its size.
 * Where marks come too near to each other, only every second, fifth or tenth is shown.
 * Gives what was written: `{ text, x, y }`.
 */
export function drawRuler(context, marks, place, box) {
  const written = [];
  context.save();
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "bottom";
  context.lineWidth = 1;
  for (const { chainage_m, across_px } of byImportance(marks)) {
    const line = across_px.map(place);
    const [x, y] = lowestShown(line, box);
    if (x < 12 || x > box.width - 12 || y < 12) continue;
    if (written.some((other) => Math.hypot(other.x - x, (other.y - y) * 2) < GAP_PX)) continue;
    context.strokeStyle = FAINT;
    context.beginPath();
    line.forEach(([px, py], index) => (index ? context.lineTo(px, py) : context.moveTo(px, py)));
    context.stroke();
    const text = String(Math.round(chainage_m));
    const at = Math.min(y, box.height - 3);
    context.fillStyle = "rgba(11, 17, 22, 0.6)";
    const wide = context.measureText(text).width + 6;
    context.fillRect(x - wide / 2, at - 13, wide, 14);
    context.fillStyle = COLOUR;
    context.fillText(text, x, at);
    written.push({ text, x, y: at });
  }
  context.restore();
  return written;
}

/** Where a line leaves the canvas at its bottom, or its lowest point; off the canvas if it isn't on it. */
function lowestShown(line, box) {
  const ordered = [...line].sort((a, b) => b[1] - a[1]);
  const index = ordered.findIndex(([, y]) => y <= box.height);
  if (index < 0) return [-1, -1];
  const [above, below] = [ordered[index], ordered[index - 1]];
  if (below === undefined) return above;
  const share = (box.height - above[1]) / Math.max(below[1] - above[1], 1e-9);
  return [above[0] + share * (below[0] - above[0]), box.height];
}

/** Tens first, then fives, twos and ones: what comes first keeps its place. */
function byImportance(marks) {
  const rank = ({ chainage_m }) => [10, 5, 2, 1].findIndex((step) => chainage_m % step === 0);
  return [...marks].sort((a, b) => rank(a) - rank(b));
}
