// What people call a gateway. Draws nothing.

import { model } from "./model.js";

/**
 * Name a gateway: `gw1`, or `north / gw1` while there is another site, too, or only that one's past.
 * Every mine may have a "gw1", and an alarm at the wrong one sends help to the wrong place.
 */
export function gatewayName(site, gateway) {
  return model.sites.size > 1 || !model.sites.has(site) ? `${site} / ${gateway}` : gateway;
}
