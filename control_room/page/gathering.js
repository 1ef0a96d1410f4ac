// Which alarms stand so near to each other that one label tells of all. Draws nothing.

/** From so many on: two labels find room side by side. */
const MANY = 3;

/**
 * Gather `marks`, each `{ x, y }`, the gravest first: who is within `reach_px` of a member and within
 * twice that of the gravest belongs to it. Gives lists of at least `MANY`, each with the gravest first.
 */
export function gather(marks, reach_px) {
  const far = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
  const groups = [];
  const left = new Set(marks);
  for (const first of marks) {
    if (!left.delete(first)) continue;
    const group = [first];
    // The list grows while it is gone through: neighbours of neighbours come in.
    for (const member of group) {
      for (const mark of left) {
        if (far(mark, member) > reach_px || far(mark, first) > 2 * reach_px) continue;
        left.delete(mark);
        group.push(mark);
      }
    }
    if (group.length >= MANY) groups.push(group);
  }
  return groups;
}
