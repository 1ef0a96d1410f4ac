// Shortcuts, and the list of them. Nothing here can't be reached by Tab as well.

import { say } from "./announce.js";
import { element } from "./dom.js";
import { model, on, select, selectAlarm, show } from "./model.js";
import * as muster from "./muster.js";
import { REPLAY_KEYS } from "./replay_bar.js";
import { muteFor } from "./sound.js";
import { word } from "./words.js";

const KEYS = [
  ["j", "key_next", () => step(1)],
  ["k", "key_previous", () => step(-1)],
  ["a", "key_acknowledge", () => document.querySelector("#details:not([hidden]) .acknowledge")?.click()],
  ["/", "key_search", () => { document.getElementById("filter-box").open = true; focus("alarm-search"); }],
  ["m", "key_muster", muster.open],
  ["s", "key_mute", () => muteFor(2)],
  ["g", "key_gateway", nextGateway],
  ["p", "key_panorama", () => focus("panorama")],
  ["l", "key_plan", () => focus("plan")],
  ["c", "key_count", () => say(document.getElementById("count").textContent)],
  ["Escape", "key_leave", () => select(null)],
  ["?", "key_help", help],
];

const dialog = document.getElementById("help");
const list = document.getElementById("help-list");

/** Start listening. */
export function start() {
  document.getElementById("help-open").addEventListener("click", help);
  document.getElementById("help-close").addEventListener("click", () => dialog.close());
  on("language", draw);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest?.("input, select, textarea")) {
      // Who types gives no orders; the first Esc leaves the field, but not while a word is composed.
      if (event.key === "Escape" && !event.isComposing) event.target.blur();
      return;
    }
    const found = keysNow().find(([key]) => key === event.key);
    if (found === undefined) return;
    // A button in focus is pressed by it.
    if (event.key === " " && event.target.closest?.("button, summary, a")) return;
    event.preventDefault();
    found[2]();
  });
}

function keysNow() {
  return model.replay === null ? KEYS : [...REPLAY_KEYS, ...KEYS];
}

function draw() {
  const more = [["+ − 0 ← → ↑ ↓", "key_move"], ["Enter", "key_place"], ["Tab, Enter", "key_tab"]];
  list.replaceChildren(...[...keysNow(), ...more].flatMap(([key, text]) => {
    const name = element("dt");
    name.append(element("kbd", "", { Escape: "Esc", " ": word("space_key") }[key] ?? key));
    return [name, element("dd", "", word(text))];
  }));
}

function help() {
  draw();
  dialog.showModal();
}

function focus(id) {
  document.getElementById(id).focus();
}

/** Select the next alarm of the list, and go there. */
function step(by) {
  const buttons = [...document.querySelectorAll("#alarms button.alarm")].filter((one) => one.checkVisibility());
  if (buttons.length === 0) return;
  const now = buttons.findIndex((one) => one.getAttribute("aria-pressed") === "true");
  const next = now < 0 ? (by > 0 ? 0 : buttons.length - 1) : (now + by + buttons.length) % buttons.length;
  buttons[next].focus();
  selectAlarm(buttons[next].dataset.key);
}

function nextGateway() {
  const places = [...model.gateways.keys()];
  if (places.length > 0) show(places[(places.indexOf(model.shown) + 1) % places.length]);
}

