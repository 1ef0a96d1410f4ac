// Puts the page together. Everything shown was written by others: it only ever becomes text.

import * as alarms from "./alarms.js";
import * as announce from "./announce.js";
import * as banners from "./banners.js";
import * as filters from "./filters.js";
import * as gatewayTable from "./gateway_table.js";
import * as health from "./health.js";
import * as keys from "./keys.js";
import { connect } from "./link.js";
import * as me from "./me.js";
import { changed, model } from "./model.js";
import * as muster from "./muster.js";
import * as panorama from "./panorama.js";
import * as people from "./people.js";
import * as placeAlarms from "./place_alarms.js";
import * as plan from "./plan.js";
import * as replayBar from "./replay_bar.js";
import * as sound from "./sound.js";
import { language, setLanguage, word } from "./words.js";
import * as zones from "./zones.js";

const STORED = "lamproom.language";

function chooseLanguage(wanted) {
  setLanguage(wanted);
  try {
    localStorage.setItem(STORED, wanted);
  } catch {
    // A browser that stores nothing asks again next time.
  }
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  for (const labelled of document.querySelectorAll("[data-word]")) {
    labelled.textContent = word(labelled.dataset.word);
  }
  for (const labelled of document.querySelectorAll("[data-label]")) {
    labelled.setAttribute("aria-label", word(labelled.dataset.label));
  }
  for (const code of ["en", "zh"]) {
    const button = document.getElementById(`lang-${code}`);
    button.setAttribute("aria-pressed", String(code === language()));
  }
  changed("language");
}

function storedLanguage() {
  try {
    const stored = localStorage.getItem(STORED);
    if (stored !== null) return stored;
  } catch {
    // As above.
  }
  return navigator.language.startsWith("zh") ? "zh" : "en";
}

const parts = [panorama, plan, filters, alarms, announce, banners, health, zones, people, muster,
  placeAlarms, sound, replayBar, keys, me, gatewayTable];
for (const part of parts) part.start();
for (const code of ["en", "zh"]) {
  document.getElementById(`lang-${code}`).addEventListener("click", () => chooseLanguage(code));
}
chooseLanguage(storedLanguage());
connect();

/** What a test may look at; nothing here can be changed from outside. */
window.lamproom = Object.freeze({
  get connected() { return model.link.open; },
  get role() { return model.me?.role ?? null; },
  get prefix() { return model.prefix; },
  get framesDrawn() { return panorama.drawn.frames; },
  get ruler() { return panorama.drawn.ruler; },
  get tagGroups() { return structuredClone(panorama.drawn.groups); },
  get raised() { return panorama.drawn.raised; },
  get framesSkipped() { return panorama.drawn.skipped; },
  get scale() { return panorama.drawn.scale; },
  get tags() { return structuredClone(panorama.drawn.tags); },
  get capturedAtNs() { return panorama.drawn.capturedAtNs; },
  get codec() { return panorama.drawn.codec; },
  get replay() { return structuredClone(model.replay); },
  get replayMarks() { return structuredClone(model.replayMarks); },
  get jump() { return panorama.drawn.jump; },
  get picture() { return panorama.pictureState(); },
  get alarms() { return structuredClone([...model.alarms.values()]); },
  get selected() { return structuredClone(model.selected); },
  get shown() { return model.shown; },
  get oldestDrawnS() { return plan.oldestDrawnS(); },
  get sound() { return { ...sound.sounded }; },
});
