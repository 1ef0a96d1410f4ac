// Words for head-counts: a count says "at least" wherever cameras can't see.

import { word } from "./words.js";

/** Write a count of `people`, of whom `at_least` are surely different ones; `blind` is not all seen. */
export function countText(people, at_least, blind) {
  if (at_least < people) return word("count_maybe", people, at_least);
  return blind ? word("count_at_least", people) : String(people);
}

/** Say what such a count means, where it isn't plain; "" else. */
export function countWhy(people, at_least) {
  return at_least < people ? word("why_maybe", people, at_least) : "";
}

/** Tell whether somebody may be in an area where no camera looks. */
export function isBlind(area, told) {
  return area.metres_seen < area.metres || (area.metres === 0 && !told.complete);
}

/** Write how much of an area is seen. */
export function seenText({ metres, metres_seen }) {
  return metres === 0 ? "–" : word("metres_of", metres_seen, metres);
}

/** Write who is in an area, and who was seen there last; a number that got lost is no person. */
export function whoText({ workers, unnamed, last_seen, lost_numbers }) {
  const left = last_seen - lost_numbers;
  return [
    ...workers, unnamed > 0 && word("without_name", unnamed), left > 0 && word("last_seen_here", left),
    lost_numbers > 0 && word("lost_here", lost_numbers),
  ].filter(Boolean).join(", ");
}
