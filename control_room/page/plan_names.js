// Room for the names on the plan: none covers another. Knows nothing about what they name.

import { widthOf } from "./labels.js";

const FONT = "650 12px system-ui, sans-serif";
const HEIGHT = 15;

/** The names of one drawing; `boxes` tells others where they must not write. */
export class Names {
  /** What is in sight is not cut off at the edge of `area`; `taken` are the boxes of names that stay. */
  constructor(area, taken = []) {
    this.area = area;
    this.boxes = [...taken];
  }

  /**
   * Give the place `[x, y]` for the middle of a text's base line: the first of `places` where it
   * covers no other name, or the first one of all. The same places give the same answer.
   */
  place(text, places) {
    const width = widthOf(text, FONT) + 4;
    const boxOf = ([x, y]) => ({ left: x - width / 2, top: y - HEIGHT + 3, width, height: HEIGHT });
    const isFree = (box) => this.boxes.every((other) =>
      box.left >= other.left + other.width || other.left >= box.left + box.width
      || box.top >= other.top + other.height || other.top >= box.top + box.height);
    const isInSight = places.some((place) => this.overlaps(boxOf(place)));
    const whole = isInSight ? places.map((place) => this.whole(place, width)) : places;
    // Beside what it names rather than pushed onto it from the upper or lower edge.
    const beside = whole.filter(([, y], i) => y === places[i][1]);
    const found = [...beside, ...whole].find((place) => isFree(boxOf(place))) ?? whole[0];
    this.boxes.push(boxOf(found));
    return found;
  }

  /** The same for a text that begins at each of `places`. */
  placeStart(text, places) {
    const half = widthOf(text, FONT) / 2 + 2;
    const [x, y] = this.place(text, places.map(([left, base]) => [left + half, base]));
    return [x - half, y];
  }

  overlaps({ left, top, width, height }) {
    return left < this.area.width && left + width > 0 && top < this.area.height && top + height > 0;
  }

  /** Move a place so that no part of its text is beyond the edge. */
  whole([x, y], width) {
    const [half, above, below] = [width / 2, HEIGHT - 3, 3];
    return [
      Math.max(half, Math.min(x, this.area.width - half)),
      Math.max(above, Math.min(y, this.area.height - below)),
    ];
  }
}
