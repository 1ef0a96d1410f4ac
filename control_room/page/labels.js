// Finds room for labels so that none covers another. Knows nothing about what is drawn how.

const GAP = 2;
const CELL = 48;
const ROWS = 6;
/** How wide "+12" is, and the sign before it where one of them has an alarm. */
const MORE_PX = 30;
const SIGN_PX = 18;

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

  /** Tell whether something is there that `isPassed` does not let by. */
  hits(box, isPassed = () => false) {
    return this.each(box, (cell) => (this.cells.get(cell) ?? []).some((other) => !isPassed(other)
      && box.left < other.left + other.width + GAP && other.left < box.left + box.width + GAP
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
 * width, height, isBody }`, is covered by none. Labels with `keep` are alarms': where all else
 * fails they may cover bodies, their own first, but never another label.
 *
 * Gives for each `{ left, top, width, height, text, lead }`: which of its texts to write, and
 * whether a line must lead to it; or null where there is no room. `more` gives where to write how
 * many have none: `{ left, top, width, height, members, count }`; nobody is left out of both. A
 * label stands for `count` people, one without.
 */
export function layOut(labels, area, others = []) {
  const most = Math.max(1, ...labels.map(({ widths }) => widths.length));
  let laid = null;
  // Rather all in few words than some in many.
  for (let from = 0; from < most && (laid === null || laid.more.length > 0); from += 1) {
    laid = layOutFrom(from, labels, area, others);
  }
  // And an alarm rather over somebody's body than behind a number.
  const isGrave = ({ members }) => members.some((i) => isAlarm(labels[i]));
  return laid.more.some(isGrave) ? layOutFrom(most - 1, labels, area, others, true) : laid;
}

function isAlarm({ keep }) {
  return keep !== undefined;
}

function layOutFrom(from, labels, area, others, mayCover = false) {
  const taken = new Taken();
  for (const box of others) taken.add(box);
  // Nothing covers somebody whom an alarm is about.
  for (const label of labels.filter(isAlarm)) {
    const [left, top, width, height] = label.around;
    taken.add({ left, top, width, height, isBody: true, label });
  }
  const places = labels.map((label) => {
    const first = Math.min(from, label.keep ?? label.widths.length - 1);
    const place = placeOf(label, first, area, taken)
      ?? (mayCover && isAlarm(label) ? coveringPlaceOf(label, first, area, taken) : null);
    if (place !== null) taken.add({ ...place, isAlarm: isAlarm(label) });
    return place;
  });
  return { places, more: gather(labels, places, area, taken) };
}

function placeOf(label, first, area, taken, isPassed, places = candidates) {
  for (let text = first; text < label.widths.length; text += 1) {
    for (const place of places(label, label.widths[text], area)) {
      if (!taken.hits(place, isPassed)) return { ...place, text };
    }
  }
  return null;
}

function coveringPlaceOf(label, first, area, taken) {
  const [own, any] = [(other) => other.label === label, ({ isBody }) => isBody];
  return placeOf(label, first, area, taken, own, overBody)
    ?? placeOf(label, first, area, taken, any, overBody)
    ?? placeOf(label, first, area, taken, any);
}

/** Places on the body itself, row by row. */
function* overBody({ around: [x, y, wide, tall], height }, width, area) {
  const left = Math.max(1, Math.min(area.width - width - 1, x + wide / 2 - width / 2));
  const [least, most] = [Math.max(1, y), Math.min(area.height - 1, y + tall) - height];
  for (let top = least; top <= most; top += height + GAP + 1) {
    yield { left, top, width, height, lead: false };
  }
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
    const isGrave = members.some((i) => isAlarm(labels[i]));
    const found = [...candidates(label, MORE_PX + (isGrave ? SIGN_PX : 0), area)];
    // Over a body rather than over a label, and over an alarm's label last of all.
    const passes = [() => false, (other) => isGrave && other.isBody, (other) => !other.isAlarm];
    const place = passes.map((isPassed) => found.find((one) => !taken.hits(one, isPassed)))
      .find((one) => one !== undefined) ?? found[0];
    taken.add({ ...place, isAlarm: isGrave });
    return { ...place, members, count: members.reduce((sum, i) => sum + (labels[i].count ?? 1), 0) };
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
