// Puts the page together. Everything shown was written by others: it only ever becomes text.

import * as alarms from "./alarms.js";
import * as health from "./health.js";
import { connect } from "./link.js";
import { changed, model } from "./model.js";
import * as panorama from "./panorama.js";
import * as plan from "./plan.js";
import { language, setLanguage, word } from "./words.js";

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
  for (const id of ["panorama", "plan", "gateways"]) {
    const name = id === "gateways" ? "gateway" : id;
    document.getElementById(id).setAttribute("aria-label", word(name));
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

panorama.start();
plan.start();
alarms.start();
health.start();
for (const code of ["en", "zh"]) {
  document.getElementById(`lang-${code}`).addEventListener("click", () => chooseLanguage(code));
}
chooseLanguage(storedLanguage());
connect();

/** What a test may look at; nothing here can be changed from outside. */
window.lamproom = Object.freeze({
  get connected() { return model.link.open; },
  get prefix() { return model.prefix; },
  get framesDrawn() { return panorama.drawn.frames; },
  get ruler() { return panorama.drawn.ruler; },
  get framesSkipped() { return panorama.drawn.skipped; },
  get scale() { return panorama.drawn.scale; },
  get tags() { return structuredClone(panorama.drawn.tags); },
  get capturedAtNs() { return panorama.drawn.capturedAtNs; },
  get codec() { return panorama.drawn.codec; },
  get picture() { return panorama.pictureState(); },
  get alarms() { return structuredClone([...model.alarms.values()]); },
  get selected() { return structuredClone(model.selected); },
});
