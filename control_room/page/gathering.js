// Which alarms stand so near to each other that one label tells of all, and which of them leads.
// Draws nothing.

import { alarmsOf, model, weight } from "./model.js";

/** From so many on: two labels find room side by side. */
const MANY = 3;
/** Who shared a label in the last drawing does so up to so many times the reach: else it flickers. */
const LONGER = 1.25;

/** Gathers alarms, drawing after drawing. */
export class Gathering {
  constructor(reach_px) {
    this.reach_px = reach_px;
    /** Map of a mark's key to the number of its group in the last drawing. */
    this.before = new Map();
  }

  /**
   * Gather `marks`, each `{ key, x, y }`, the gravest first: who is within the reach of a member and
   * within twice that of the gravest belongs to it. Gives lists of at least `MANY`, each in the
   * order of `marks`.
   */
  of(marks) {
    const order = new Map(marks.map((mark, i) => [mark, i]));
    const groups = [];
    const left = new Set(marks);
    for (const first of marks) {
      if (!left.delete(first)) continue;
      const group = [first];
      // The list grows while it is gone through: neighbours of neighbours come in.
      for (const member of group) {
        for (const mark of left) {
          if (!this.isNear(mark, member, 1) || !this.isNear(mark, first, 2)) continue;
          left.delete(mark);
          group.push(mark);
        }
      }
      if (group.length >= MANY) groups.push(group.sort((a, b) => order.get(a) - order.get(b)));
    }
    this.before = new Map(groups.flatMap((group, i) => group.map(({ key }) => [key, i])));
    return groups;
  }

  isNear(a, b, times) {
    const group = this.before.get(a.key);
    const longer = group !== undefined && group === this.before.get(b.key) ? LONGER : 1;
    return Math.hypot(a.x - b.x, a.y - b.y) <= times * this.reach_px * longer;
  }
}

/** List the active alarms about a person, the gravest first, whatever came first. */
export function gravestOf(place, track) {
  return alarmsOf(place, track).toSorted((a, b) =>
    weight(b) - weight(a) || rankOf(a.anomaly) - rankOf(b.anomaly));
}

/** Order equally severe alarms: the lower, the higher their kind stands in the table of kinds. */
export function rankOf({ kind }) {
  const rank = Object.keys(model.kinds).indexOf(kind);
  return rank < 0 ? Infinity : rank;
}

/** Order what has `weight`, `rank` and a `key`: the gravest first, and always the same way. */
export function byGravity(a, b) {
  if (a.weight !== b.weight) return b.weight - a.weight;
  if (a.rank !== b.rank) return a.rank < b.rank ? -1 : 1;
  return a.key < b.key ? -1 : Number(a.key > b.key);
}

/** The gravest of severities, some of which may be null; null where all are. */
export function gravest(severities) {
  const told = severities.filter((severity) => severity !== null);
  return ["critical", "warning"].find((one) => told.includes(one)) ?? told[0] ?? null;
}
