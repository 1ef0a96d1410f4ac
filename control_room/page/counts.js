// Words for head-counts: a count says "at least" wherever cameras can't see. Who is counted is the
// control room's to say: every count on the page comes from its message.

import { model } from "./model.js";
import { word } from "./words.js";

const OLD_S = 5;

/** Tell whether the newest count is too old to be shown anywhere, or there is none. */
export function countIsOld() {
  return !model.link.open || performance.now() - model.headsAt > OLD_S * 1000;
}

/** Write a count of `people`, of whom `at_least` are surely different ones; `blind` is not all seen. */
export function countText(people, at_least, blind) {
  if (at_least < people) return word("count_maybe", people, at_least);
  return blind ? word("count_at_least", people) : String(people);
}

/** Say what such a count means, where it isn't plain; "" else. */
export function countWhy(people, at_least) {
  return at_least < people ? word("why_maybe", people, at_least) : "";
}

/** The same of one zone: whoever stands at its edge is certainly somebody, but perhaps not in it. */
export function countWhyHere(people, at_least) {
  return at_least < people ? word("why_maybe_here", people, at_least) : "";
}

/** Say what is meant by numbers that were lost; "" where none was. */
export function lostWhy({ lost_numbers }) {
  return lost_numbers > 0 ? word("why_lost_here") : "";
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
