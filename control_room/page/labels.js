// Finds room for labels so that none covers another. Knows nothing about what is drawn how.

const GAP = 2;
const CELL = 48;
const ROWS = 6;
/** How wide "+12" is. */
const MORE_PX = 30;

/** Rectangles that are taken, found quickly. */
class Taken {
  constructor() {
    this.cells = new Map();
  }

  each(box, visit) {
    for (let i = Math.floor(box.left / CELL); i <= Math.floor((box.left + box.width) / CELL); i += 1) {
      for (let j = Math.floor(box.top / CELL); j <= Math.floor((box.top + box.height) / CELL); j += 1) {
        if (visit(i * 100003 + j)) return true;
      }
    }
    return false;
  }

  hits(box) {
    return this.each(box, (cell) => (this.cells.get(cell) ?? []).some((other) =>
      box.left < other.left + other.width + GAP && other.left < box.left + box.width + GAP
      && box.top < other.top + other.height + GAP && other.top < box.top + box.height + GAP));
  }

  add(box) {
    this.each(box, (cell) => {
      if (!this.cells.has(cell)) this.cells.set(cell, []);
      this.cells.get(cell).push(box);
      return false;
    });
  }
}

/**
 * Lay labels out in an area `{ width, height }`. Each label has `around`, the `[left, top, width,
 * height]` that it belongs to, `widths` of its texts, the longest first, and `height`; down to the
 * text number `keep` it is shortened for the sake of others, further only where there is no room.
 * Those that come first in the list get the better places. What lies at `others`, `{ left, top,
 * width, height }`, is covered by none.
 *
 * Gives for each `{ left, top, width, height, text, lead }`: which of its texts to write, and
 * whether a line must lead to it; or null where there is no room. `more` gives where to write how
 * many have none: `{ left, top, width, height, members }`; nobody is left out of both.
 */
export function layOut(labels, area, others = []) {
  const most = Math.max(1, ...labels.map(({ widths }) => widths.length));
  let laid = null;
  // Rather all in few words than some in many.
  for (let from = 0; from < most && (laid === null || laid.more.length > 0); from += 1) {
    laid = layOutFrom(from, labels, area, others);
  }
  return laid;
}

function layOutFrom(from, labels, area, others) {
  const taken = new Taken();
  for (const box of others) taken.add(box);
  // Nothing covers somebody whom an alarm is about.
  for (const { around: [left, top, width, height], keep } of labels) {
    if (keep !== undefined) taken.add({ left, top, width, height });
  }
  const places = labels.map((label) => {
    const first = Math.min(from, label.keep ?? label.widths.length - 1);
    for (let text = first; text < label.widths.length; text += 1) {
      for (const place of candidates(label, label.widths[text], area)) {
        if (!taken.hits(place)) {
          taken.add(place);
          return { ...place, text };
        }
      }
    }
    return null;
  });
  return { places, more: gather(labels, places, area, taken) };
}

function* candidates({ around: [x, y, wide, tall], height }, width, area) {
  const middle = x + wide / 2 - width / 2;
  const clear = 4;
  const fit = (left, top, lead = false) => ({
    left: Math.max(1, Math.min(area.width - width - 1, left)),
    top: Math.max(1, Math.min(area.height - height - 1, top)), width, height, lead,
  });
  yield fit(middle, y - height - clear);
  yield fit(x + wide + clear, y - height / 2);
  yield fit(x - width - clear, y - height / 2);
  yield fit(middle, y + tall + clear);
  for (let row = 1; row <= ROWS; row += 1) {
    const step = row * (height + GAP + 1);
    for (const shift of [0, wide / 2 + width / 2 + clear, -wide / 2 - width / 2 - clear]) {
      yield fit(middle + shift, y - height - clear - step, true);
      yield fit(middle + shift, y + tall + clear + step, true);
    }
  }
}

/** Those without room, gathered by neighbourhood. */
function gather(labels, places, area, taken) {
  const cells = new Map();
  labels.forEach(({ around: [x, y, wide], height }, i) => {
    if (places[i] !== null) return;
    const key = `${Math.floor((x + wide / 2) / CELL)},${Math.floor(y / CELL)}`;
    if (!cells.has(key)) cells.set(key, { x: 0, y: 0, height, members: [] });
    const cell = cells.get(key);
    cell.x += x + wide / 2;
    cell.y += y;
    cell.members.push(i);
  });
  return [...cells.values()].map(({ x, y, height, members }) => {
    const label = { around: [x / members.length, y / members.length, 0, 0], height };
    const found = [...candidates(label, MORE_PX, area)];
    const place = found.find((one) => !taken.hits(one)) ?? found[0];
    taken.add(place);
    return { ...place, members };
  });
}

const ruler = document.createElement("canvas").getContext("2d");
const measured = new Map();

/** Tell how wide a text is in a font, pixels. */
export function widthOf(text, font) {
  const key = `${font}\n${text}`;
  let width = measured.get(key);
  if (width === undefined) {
    if (measured.size > 5000) measured.clear();
    ruler.font = font;
    width = ruler.measureText(text).width;
    measured.set(key, width);
  }
  return width;
}
