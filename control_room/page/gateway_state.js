// How gateways and their cameras are, in words and as good, doubtful or bad. Draws nothing.

import { gatewayName } from "./gateway_names.js";
import { SILENT_AFTER_S, model, silentFor } from "./model.js";
import { kindName } from "./words_of_alarms.js";
import { technical, word } from "./words.js";

/** Tell whether a gateway says nothing of its cameras any more, or never did. */
export function isSilent(known) {
  return silentFor(known, "health") > SILENT_AFTER_S;
}

/** Of one gateway: { name, text, look, why, cameras }, each camera [name, text, look]. */
export function stateOf(known, about) {
  const silent = isSilent(known);
  const [name, text, look, why] = gatewayChip(known, silentFor(known, "health"), silent);
  const cameras = known.health?.cameras ?? known.site?.cameras ?? [];
  return { name, text, look, why, cameras: cameras.map((one) => cameraChip(known, one, silent, about)) };
}

/** Order by what needs somebody: the worst first. */
export function byLook(a, b) {
  const rank = ({ look, cameras }) => ({ bad: 0, doubtful: 1, good: 2 })[look]
    + (cameras.every(([, , state]) => state === "good") ? 0.5 : 0);
  return rank(a) - rank(b) || a.name.localeCompare(b.name, undefined, { numeric: true });
}

/** Tell whether there is nothing to say of a gateway, nor of any of its cameras. */
export function isWell({ look, cameras }) {
  return look === "good" && cameras.every(([, , state]) => state === "good");
}

/** What is known of a gateway's clock: { off_s, spread_s }; null while nothing is. */
export function clockOf({ siteName, gateway }) {
  const told = model.heads.find((one) => one.site === siteName)?.clocks ?? [];
  const found = told.find(([name]) => name === gateway);
  return found === undefined ? null : { off_s: found[1], spread_s: found[2] };
}

function gatewayChip({ place, gateway, health, chinese, state, siteName }, quiet, silent) {
  const offline = state !== undefined && !state.online;
  const words = [];
  if (offline) words.push(word("offline"));
  else if (silent && Number.isFinite(quiet)) words.push(word("silent", quiet.toFixed(0)));
  else if (silent) words.push(word("not_heard_yet"));
  else words.push(word("online"));
  if (health !== undefined && !silent) {
    words.push(word("panorama_rate", health.panorama_fps.toFixed(1)));
    words.push(word("detection_rate", health.detection_fps.toFixed(1)));
    words.push(health.detection_age_s === null ? word("no_detection")
      : word("detection_age", health.detection_age_s.toFixed(1)));
    words.push(health.detection_provider.replace("ExecutionProvider", ""));
    if (health.alarms_waiting > 0) words.push(word("alarms_waiting", health.alarms_waiting));
    if (health.degraded) words.push(word("trouble", technical(health.degraded, chinese)));
  }
  const lost = Object.hasOwn(model.positionsLost, place) ? model.positionsLost[place] : 0;
  if (lost > 0) words.push(word("positions_lost", (100 * lost).toFixed(1)));
  const off_s = clockOff(siteName, gateway);
  if (off_s !== 0) words.push(word("clock_off", off_s));
  const doubtful = health?.degraded || lost > 0 || off_s !== 0;
  const look = offline || silent ? "bad" : doubtful ? "doubtful" : "good";
  return [gatewayName(siteName, gateway), words.join(" · "), look, lost > 0 ? word("why_positions_lost") : ""];
}

function clockOff(siteName, gateway) {
  const told = model.heads.find((one) => one.site === siteName)?.clocks_off ?? [];
  return told.find(([name]) => name === gateway)?.[1] ?? 0;
}

/** What is wrong with a camera stands in its state, or, as dust and less light do, in an alarm. */
function cameraChip({ place, chinese }, camera, silent, about) {
  if (silent) return [camera.name, "?", "bad"];
  const kinds = (about.get(`${place}/${camera.name}`) ?? [])
    .filter((kind) => !kind.endsWith(`_${camera.state}`));
  const parts = [word(camera.state), ...kinds.map((kind) => kindName({ kind })),
    `${camera.fps.toFixed(1)}/s`];
  if (camera.detail) parts.push(technical(camera.detail, chinese));
  const state = camera.state !== "ok" ? "bad" : kinds.length > 0 ? "doubtful" : "good";
  return [camera.name, parts.join(" · "), state];
}

/** The kinds of active alarms about each camera, by "site/gateway/camera". */
export function camerasAlarms() {
  const found = new Map();
  for (const { site, gateway, anomaly } of model.alarms.values()) {
    if (anomaly.state !== "active" || anomaly.camera === null) continue;
    const key = `${site}/${gateway}/${anomaly.camera}`;
    found.set(key, [...new Set([...(found.get(key) ?? []), anomaly.kind])]);
  }
  return found;
}
