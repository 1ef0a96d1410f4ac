// What people call a gateway. Draws nothing.

import { isOfOurselves, model } from "./model.js";
import { word } from "./words.js";

/**
 * Name a gateway: `gw1`, or `north / gw1` while there is another site, too, or only that one's past.
 * Every mine may have a "gw1", and an alarm at the wrong one sends help to the wrong place.
 */
export function gatewayName(site, gateway) {
  if (isOfOurselves({ site, gateway })) return word("control_room_itself");
  return model.sites.size > 1 || !model.sites.has(site) ? `${site} / ${gateway}` : gateway;
}
