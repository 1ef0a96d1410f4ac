// What nobody may overlook: a lost line, a picture that stands still, a replay; and alarms while a
// dialog is open, for a screen reader hears nothing from behind it, and the eye sees little.
// A screen reader hears each once, not every second.

import { gatewayName } from "./gateway_names.js";
import { msOf } from "./json.js";
import { OLD_PICTURE_S, isUnacknowledged, model, on, replayEnded, weight } from "./model.js";
import { SIGN } from "./signs.js";
import { locale } from "./times.js";
import { kindName } from "./words_of_alarms.js";
import { setText } from "./dom.js";
import { technical, word } from "./words.js";

const place = document.getElementById("banners");
const announcer = document.getElementById("announcer");
const muster = document.getElementById("muster");
const inMuster = document.getElementById("muster-alarms");
let picture = null;
let told = "";

/** Start showing. */
export function start() {
  on("link", draw);
  on("language", draw);
  on("picture", (state) => { picture = state; draw(); });
  on("new alarm", ({ anomaly }) => { if (anomaly.severity === "critical") leaveDialogs(); });
  for (const about of ["alarms", "language"]) on(about, drawInMuster);
  inMuster.addEventListener("click", () => muster.close());
  setInterval(() => { draw(); drawInMuster(); }, 500);
}

function draw() {
  const wanted = [...ofReplay(), ...ofLink(), ...ofGateways(), ...ofPicture()];
  const { link } = model;
  document.body.classList.toggle("stale", !link.open);
  document.body.classList.toggle("lost", wanted.some(([name]) => name === "lost"));
  wanted.forEach(([name, text], i) => {
    let banner = place.children[i];
    if (banner === undefined) {
      banner = document.createElement("p");
      place.append(banner);
    }
    banner.className = `banner ${name}`;
    setText(banner, text);
  });
  while (place.children.length > wanted.length) place.lastChild.remove();
  const names = wanted.map(([name]) => name).join();
  if (names.includes("lost") && !told.includes("lost")) leaveDialogs();
  if (names !== told && wanted.length > 0) announcer.textContent = wanted.map(([, text]) => text).join(" ");
  told = names;
  const isReplay = model.prefix === "replay";
  document.title = wanted.some(([name]) => name === "lost") ? "✕ Lamproom"
    : isReplay ? `${word("replay_short")} – Lamproom` : "Lamproom";
  markDialogs(isReplay ? word("replay") : "");
}

/** A dialog lies over the banners, and may be printed without them: each says itself that it is a replay. */
function markDialogs(text) {
  for (const one of document.querySelectorAll("dialog")) {
    if ((one.dataset.replay ?? "") === text) continue;
    if (text === "") delete one.dataset.replay;
    else one.dataset.replay = text;
  }
}

/** The muster stays: it says itself what there is. */
function leaveDialogs() {
  for (const one of document.querySelectorAll("dialog[open]:not(#muster)")) one.close();
}

/** Only while it is open: what a screen reader says of it would be said twice else. */
function drawInMuster() {
  const open = !muster.open ? [] : [...model.alarms.values()].filter(isUnacknowledged).sort((a, b) => weight(b) - weight(a));
  inMuster.hidden = open.length === 0;
  if (open.length === 0) return setText(inMuster, "");
  const { anomaly } = open[0];
  inMuster.className = anomaly.severity;
  const worst = `${SIGN[anomaly.severity] ?? SIGN.notice} ${kindName(anomaly)}`;
  setText(inMuster, word(open.length === 1 ? "muster_alarm" : "muster_alarms", open.length, worst));
}

function ofReplay() {
  if (model.prefix !== "replay") return [];
  return [["replay", word(replayEnded() ? "replay_ended" : "replay")]];
}

function ofLink() {
  const { link } = model;
  if (!link.open) {
    const lost = (performance.now() - link.lostAt) / 1000;
    return lost > 1 ? [["lost", word("connection_lost", lost.toFixed(0))]] : [];
  }
  const found = [];
  if (!link.broker) found.push(["broker", word("broker_lost")]);
  if (link.trouble) found.push(["journal", word("journal_trouble", technical(link.trouble))]);
  return found;
}

/** What the control room can't take in, and who is back that nobody waited for. */
function ofGateways() {
  if (!model.link.open) return [];
  const { shed, passedOver: over } = model;
  const found = [];
  if (over.gateways_count) {
    found.push(["journal", word("gateways_passed_over", over.gateways_count, over.gateways.join(", "))]);
  }
  for (const what of ["sites", "tags", "machines"]) {
    if (over[what]) found.push(["broker", word(`${what}_passed_over`, over[what])]);
  }
  if (shed.late_s > 0) found.push(["late", word("positions_shed", shed.late_s.toFixed(1), shed.left_out)]);
  for (const { site, gateway, by, at_ns } of model.returned) {
    found.push(["late", word("is_back", gatewayName(site, gateway), by, new Date(msOf(at_ns)).toLocaleString(locale()))]);
  }
  return found;
}

function ofPicture() {
  if (picture === null || !picture.supported || model.shown === null || replayEnded()) return [];
  if (picture.quiet_s > OLD_PICTURE_S) {
    return [["picture", word("picture_old", picture.name, picture.quiet_s.toFixed(0))]];
  }
  if (picture.late_s > OLD_PICTURE_S) {
    return [["late", word("picture_late", picture.name, picture.late_s.toFixed(1))]];
  }
  return [];
}
