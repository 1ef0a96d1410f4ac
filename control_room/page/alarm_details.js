// The details of the selected alarm, and all that was ever done with it. Fetches only that.

import { actText, desk, show as showDesk } from "./desk.js";
import { element, setText } from "./dom.js";
import { gatewayName } from "./gateway_names.js";
import { msOf, parse } from "./json.js";
import { byLandmark } from "./landmarks.js";
import { alarmKey, isOfOurselves, isUnacknowledged, model, nowMs, on, raiseOf, select, whoOf } from "./model.js";
import { chainageOf } from "./roadway.js";
import { clockTime } from "./times.js";
import { whereNow } from "./where_now.js";
import { kindName, newestEvidence, raisedEvidence } from "./words_of_alarms.js";
import { word } from "./words.js";

const details = document.getElementById("details");
const title = element("h3");
const table = element("dl");
const actsTitle = element("h4");
const acts = element("ol", "acts");
details.append(title, table, desk, actsTitle, acts);
/** When the newest picture was taken. */
let capturedMs = 0;
/** Of which alarm, as it stood when, the acts are shown. */
let actsOf = "";

on("picture", (state) => { capturedMs = state.captured_ms ?? 0; });

/** In a replay time is the recording's: alarms last until where it is, or the newest captured frame. */
export function endMs(anomaly) {
  if (model.replay !== null) return Math.max(msOf(anomaly.captured_at_ns), msOf(model.replay.at_ns));
  if (model.prefix !== "replay") return nowMs();
  return Math.max(msOf(anomaly.captured_at_ns), capturedMs);
}

/** Tell the state of an alarm; of the group that it leads, how many nobody has seen. */
export function stateOf(entry, unseen = 0) {
  const parts = [word(entry.anomaly.severity), word(entry.anomaly.state)];
  if (hasRaise(entry) && raiseOf(entry).certainty === "possibly") parts.push(word("possibly"));
  if (entry.ending !== null && entry.anomaly.state === "active") parts.push(word("ending"));
  if (entry.phase === "shelved") {
    parts.push(word("shelved_until", clockTime(msOf(entry.shelved.until_ns))));
  } else if (unseen > 0) parts.push(word("group_unseen", unseen));
  else if (isUnacknowledged(entry)) parts.push(word("not_acknowledged"));
  else if (entry.acknowledged_at_ns !== null) {
    const by = entry.acknowledged_by;
    parts.push(by ? word("acknowledged_by", by) : word("acknowledged"));
  }
  return parts.join(" · ");
}

/** Show the selected alarm, with what can be done with it and its group. */
export function drawDetails(groups) {
  const entry = chosen();
  details.hidden = entry === undefined;
  if (entry === undefined) return;
  drawRows();
  setText(title, kindName(entry.anomaly));
  showDesk(entry, groups.find((group) => group.includes(entry)) ?? [entry], () => select(null));
  drawActs(entry);
}

function chosen() {
  return model.selected?.alarm ? model.alarms.get(model.selected.alarm) : undefined;
}

/** Show what is so now of the selected alarm: its person walks on, or gets a name. */
export function drawRows() {
  const entry = chosen();
  if (entry === undefined) return;
  const rows = rowsOf(entry).filter(([, value]) => value !== null);
  const text = JSON.stringify(rows.map(([name, value]) => [word(name), value]));
  if (table.dataset.text !== text) {
    table.dataset.text = text;
    table.replaceChildren(...rows.flatMap(
      ([name, value]) => [element("dt", "", word(name)), element("dd", "", value)],
    ));
  }
}

function rowsOf(entry) {
  const { anomaly } = entry;
  const raise = raiseOf(entry);
  const isOver = anomaly.state !== "active";
  const isKnown = hasRaise(entry);
  return [
    ["severity", word(anomaly.severity)],
    ["certainty", isKnown ? word(raise.certainty) : null],
    ["state", stateOf(entry)],
    ["where", isKnown ? placeText(entry, raise.xyz_m) : null],
    ["where_now", whereNow(entry)],
    ["zone", anomaly.zone],
    ["person", personText(entry)],
    ["camera", anomaly.camera],
    ["gateway", isOfOurselves(entry) ? gatewayName(entry.site, entry.gateway) : `${entry.site} / ${entry.gateway}`],
    ["raised", clockTime(msOf(anomaly.raised_at_ns), true)],
    ["cleared_at", entry.cleared_at_ns === null ? null : clockTime(msOf(entry.cleared_at_ns), true)],
    ["seen_by", entry.acknowledged_at_ns === null ? null
      : `${clockTime(msOf(entry.acknowledged_at_ns))} · ${entry.acknowledged_by}`],
    ["shelved", entry.phase === "shelved" ? actText(entry.shelved, clockTime) : null],
    ["ended", entry.ending === null ? null : actText(entry.ending, clockTime)],
    ["stored", clockTime(msOf(entry.stored_at_ns), true)],
    ["probability", isKnown ? `${(raise.probability * 100).toFixed(0)} %` : null],
    ["evidence", isKnown ? raisedEvidence(entry) : null],
    ["clearing", isOver
      ? [placeText(entry, anomaly.xyz_m), newestEvidence(entry)].filter(Boolean).join(" · ") || null : null],
    ["alarm_id", anomaly.id],
  ];
}

/** Whether it is known what an alarm was raised on: a clearing alone is sure of nothing. */
function hasRaise({ anomaly, raised }) {
  return anomaly.state === "active" || Boolean(raised);
}

/** A name with its number: what was said before somebody had a name speaks of the number. */
function personText(entry) {
  const who = whoOf(entry);
  const number = entry.anomaly.track === null ? null : `#${entry.anomaly.track}`;
  return who === null || number === null || who === number ? who : `${who} (${number})`;
}

function placeText({ site, gateway }, xyz_m) {
  if (xyz_m === null) return null;
  const metres = xyz_m.map((value, i) => `${"xyz"[i]} ${value.toFixed(2)}`).join("  ") + " m";
  const known = model.gateways.get(`${site}/${gateway}`)?.site;
  return [`${chainageOf(known, xyz_m).toFixed(1)} m`, byLandmark(known, xyz_m), metres]
    .filter((part) => part !== null).join(" · ");
}

/** Ask what was done with an alarm, whenever it has changed. */
async function drawActs(entry) {
  const now = JSON.stringify([alarmKey(entry), entry.phase, entry.acknowledged_at_ns,
    entry.shelved, entry.ending, word("history")]);
  if (actsOf === now) return;
  if (!actsOf.startsWith(JSON.stringify([alarmKey(entry)]).slice(0, -1))) acts.replaceChildren();
  actsOf = now;
  setText(actsTitle, word("history"));
  const asked = new URLSearchParams({
    site: entry.site, gateway: entry.gateway, id: entry.anomaly.id,
  });
  try {
    const answer = await fetch(`/api/alarms/acts?${asked}`);
    if (!answer.ok) throw new Error(await answer.text());
    const found = parse(await answer.text());
    if (actsOf !== now) return;
    const lines = found.map((act) => `${word(`act_${act.action}`)} · ${actText(act, (ms) => clockTime(ms, true))}`);
    acts.replaceChildren(...(lines.length > 0 ? lines : [word("no_acts")])
      .map((line) => element("li", "", line)));
  } catch {
    if (actsOf === now) acts.replaceChildren(element("li", "trouble", word("no_history")));
  }
}
