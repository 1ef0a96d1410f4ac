// Head-count, the strip of gateways and cameras, and the banners that nobody can overlook.
// Knows nothing about how pictures come.

import { msOf } from "./json.js";
import {
  OLD_PICTURE_S, PREDICTED_AFTER_S, SILENT_AFTER_S, changed, model, nowMs, on, replayEnded,
  silentFor,
} from "./model.js";
import { coverageOf } from "./plan.js";
import { language, word } from "./words.js";

const COUNT_OLD_S = 3;

const strip = document.getElementById("health-strip");
const count = document.getElementById("count");
const banners = document.getElementById("banners");
const rateLine = document.getElementById("alarm-rate");
const chooser = document.getElementById("gateways");
let picture = null;

/** Start showing. */
export function start() {
  on("health", draw);
  on("state", draw);
  on("gateways", () => { draw(); drawChooser(); });
  on("positions", drawCount);
  on("link", drawBanners);
  on("alarm rate", drawRate);
  on("picture", (state) => { picture = state; drawBanners(); });
  on("language", () => { draw(); drawBanners(); drawChooser(); drawRate(); });
  setInterval(() => { draw(); drawBanners(); }, 1000);
}

function draw() {
  drawCount();
  drawStrip();
  const recorded = model.prefix === "replay" ? picture?.captured_ms : null;
  const time = new Date(recorded ?? nowMs());
  setText(document.getElementById("time"), recorded ? time.toLocaleString(locale())
    : time.toLocaleTimeString(locale()));
  const names = new Set([...model.gateways.values()].map((known) => known.siteName));
  setText(document.getElementById("place"), [...names].join(", "));
}

function locale() {
  return language() === "zh" ? "zh-CN" : "en-GB";
}

function drawCount() {
  let people = 0;
  let lately = 0;
  let counted = false;
  let metres = 0;
  let unseen = 0;
  let unplaced = 0;
  const unknown = [];
  for (const known of model.gateways.values()) {
    if (known.positions !== undefined && silentFor(known, "positions") < COUNT_OLD_S) {
      const seen = known.positions.people.filter((person) => isSeenNow(person, known.positions));
      people += seen.length;
      lately += known.positions.people.length - seen.length;
      counted = true;
    }
    const coverage = coverageOf(known);
    metres += coverage.length;
    unseen += coverage.filter(({ seen }) => !seen).length;
    if (coverage.length === 0) unknown.push(known.gateway);
    for (const camera of known.health?.cameras ?? []) unplaced += camera.unplaced ?? 0;
  }
  let text = word("count_unknown");
  if (counted && model.link.open) text = people === 1 ? word("count_one") : word("count", people);
  const parts = [text];
  if (counted && model.link.open && lately > 0) parts.push(word("count_lately", lately));
  if (unplaced > 0) parts.push(word("count_unplaced", unplaced));
  if (unseen > 0) parts.push(word("unseen_of", unseen, metres));
  else if (metres > 0) parts.push(word("all_seen", metres));
  if (unknown.length > 0 && metres > 0) parts.push(word("coverage_unknown_of", unknown.join(", ")));
  else if (metres === 0) parts.push(word("coverage_unknown"));
  setText(count, parts.join("; "));
  count.classList.toggle("partly", unseen > 0 || unknown.length > 0 || metres === 0 || !counted);
}

/** Whose place is only predicted is not seen, and must not be counted as if. */
function isSeenNow(person, positions) {
  return msOf(positions.captured_at_ns) - msOf(person.seen_at_ns) <= PREDICTED_AFTER_S * 1000;
}

function drawStrip() {
  const parts = [];
  for (const known of model.gateways.values()) {
    const { health, state } = known;
    const quiet = silentFor(known, "health");
    const silent = quiet > SILENT_AFTER_S;
    const offline = state !== undefined && !state.online;
    const words = [];
    if (offline) words.push(word("offline"));
    else if (silent && Number.isFinite(quiet)) words.push(word("silent", quiet.toFixed(0)));
    else if (!silent) words.push(word("online"));
    if (health !== undefined) {
      words.push(word("panorama_rate", health.panorama_fps.toFixed(1)));
      words.push(word("detection_rate", health.detection_fps.toFixed(1)));
      words.push(health.detection_age_s === null ? word("no_detection")
        : word("detection_age", health.detection_age_s.toFixed(1)));
      words.push(health.detection_provider.replace("ExecutionProvider", ""));
      if (health.degraded) words.push(word("degraded", health.degraded));
    }
    const bad = offline || silent;
    parts.push(chip(known.gateway, words.join(" · "),
      bad ? "bad" : health?.degraded ? "doubtful" : "good"));
    for (const camera of health?.cameras ?? []) {
      const good = camera.state === "ok" && !silent;
      const text = `${word(camera.state)} · ${camera.fps.toFixed(1)}/s`
        + (camera.detail ? ` · ${camera.detail}` : "");
      parts.push(chip(camera.name, silent ? "?" : text, good ? "good" : "bad"));
    }
  }
  strip.replaceChildren(...parts);
}

function chip(name, text, state) {
  const made = document.createElement("span");
  made.className = `chip ${state}`;
  const sign = document.createElement("b");
  sign.textContent = { good: "✓", doubtful: "!", bad: "✕" }[state];
  const title = document.createElement("strong");
  title.textContent = name;
  made.append(sign, " ", title, ` ${text}`);
  return made;
}

/** The load of alarms against what an operator can deal with. */
function drawRate() {
  const rate = model.alarmRate;
  rateLine.hidden = rate === null;
  if (rate === null) return;
  const short = (number) => String(Math.round(number * 10) / 10);
  const { acceptable_per_hour: acceptable, most_per_hour: most } = rate;
  let state = "good";
  let verdict = word("rate_acceptable", acceptable);
  if (rate.last_hour > acceptable) {
    state = "doubtful";
    verdict = word("rate_manageable", acceptable, most);
  }
  if (rate.last_hour > most) {
    state = "bad";
    verdict = word("rate_too_many", most);
  }
  const parts = [word("rate", short(rate.last_hour), short(rate.last_10_min)), verdict];
  if (rate.flood) {
    state = "bad";
    parts.unshift(word("rate_flood"));
  }
  const shares = Object.entries(rate.share).filter(([, share]) => share > 0)
    .map(([severity, share]) => `${word(severity)} ${Math.round(share * 100)} %`);
  if (shares.length > 0) {
    parts.push(word("rate_shift", short(rate.shift_per_hour), shares.join(", ")));
  }
  if (rate.standing.length > 0) parts.push(word("rate_standing", rate.standing.length));
  const worst = rate.offenders[0];
  if (worst !== undefined && worst.count > 1) {
    const kind = model.kinds[worst.kind]?.[language()] ?? worst.kind;
    parts.push(word("rate_most", `${kind} ${worst.place || worst.gateway} ×${worst.count}`));
  }
  rateLine.className = state;
  setText(rateLine, parts.join(" · "));
}

function drawChooser() {
  chooser.hidden = model.gateways.size < 2;
  chooser.replaceChildren(...[...model.gateways.values()].map((known) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = known.place;
    button.setAttribute("aria-pressed", String(known.place === model.shown));
    button.addEventListener("click", () => { model.shown = known.place; changed("gateways"); });
    return button;
  }));
}

function drawBanners() {
  const wanted = [];
  const { link } = model;
  if (model.prefix === "replay") {
    wanted.push(["replay", word(replayEnded() ? "replay_ended" : "replay")]);
  }
  if (!link.open) {
    const lost = (performance.now() - link.lostAt) / 1000;
    if (lost > 1) wanted.push(["lost", word("connection_lost", lost.toFixed(0))]);
  } else {
    if (!link.broker) wanted.push(["broker", word("broker_lost")]);
    if (link.trouble) wanted.push(["journal", word("journal_trouble", link.trouble)]);
  }
  if (picture !== null && picture.supported && model.shown !== null && !replayEnded()) {
    if (picture.quiet_s > OLD_PICTURE_S) {
      wanted.push(["picture", word("picture_old", model.shown, picture.quiet_s.toFixed(0))]);
    } else if (picture.late_s > OLD_PICTURE_S) {
      wanted.push(["late", word("picture_late", model.shown, picture.late_s.toFixed(1))]);
    }
  }
  document.body.classList.toggle("stale", !link.open);
  wanted.forEach(([name, text], i) => {
    let banner = banners.children[i];
    if (banner === undefined) {
      banner = document.createElement("p");
      banners.append(banner);
    }
    banner.className = `banner ${name}`;
    setText(banner, text);
  });
  while (banners.children.length > wanted.length) banners.lastChild.remove();
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
