// The chainage ruler on the panorama: a faint line across the floor for each whole metre.
// Knows nothing about people; marks come ready-made with the site's description.

const GAP_PX = 46;
const COLOUR = "rgba(255, 255, 255, 0.55)";
const FAINT = "rgba(255, 255, 255, 0.2)";

/**
 * Draw `marks` on `context`; `place` carries panorama pixels to the canvas, `box` is its size.
 * Where marks come too near to each other, only every fifth, tenth … is shown.
 * Gives what was written: `{ text, x, y }`, and the box that it takes: `{ left, top, width, height }`.
 */
export function drawRuler(context, marks, place, box) {
  const written = [];
  context.save();
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "bottom";
  context.lineWidth = 1;
  const lines = new Map(marks.map(({ chainage_m, across_px }) => [chainage_m, across_px.map(place)]));
  const places = new Map([...lines].map(([metre, line]) => [metre, lowestShown(line, box)]));
  for (const [chainage_m, line] of lines) {
    const [x, y] = places.get(chainage_m);
    if (x < 12 || x > box.width - 12 || y < 12) continue;
    if (!hasRoom(places, chainage_m, x, y)) continue;
    context.strokeStyle = FAINT;
    context.beginPath();
    line.forEach(([px, py], index) => (index ? context.lineTo(px, py) : context.moveTo(px, py)));
    context.stroke();
    const text = String(Math.round(chainage_m));
    const at = Math.min(y, box.height - 3);
    context.fillStyle = "rgba(11, 17, 22, 0.6)";
    const wide = context.measureText(text).width + 6;
    const box_px = { left: x - wide / 2, top: at - 13, width: wide, height: 14 };
    context.fillRect(box_px.left, box_px.top, box_px.width, box_px.height);
    context.fillStyle = COLOUR;
    context.fillText(text, x, at);
    written.push({ text, x, y: at, ...box_px });
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

/**
 * Tens are shown where the next ten is far enough off, fives where the next five is, and so on:
 * marks stay evenly spaced, and each step shows the coarser one's marks, too.
 */
function hasRoom(places, chainage_m, x, y) {
  return [1, 5, 10, 50, 100].some((step) => chainage_m % step === 0
    && [-step, step].every((off) => {
      const next = places.get(chainage_m + off);
      return next === undefined || Math.hypot(next[0] - x, 2 * (next[1] - y)) >= GAP_PX;
    }));
}
