// Which alarms the list shows: by severity, kind, zone, person, gateway, and by words.
// What is hidden is always counted.

import { button, element, setText } from "./dom.js";
import { OURSELVES, alarmKey, changed, isUnacknowledged, model, on, whoOf } from "./model.js";
import { oncePerFrame } from "./later.js";
import { kindName } from "./words_of_alarms.js";
import { word } from "./words.js";

const SEVERITIES = ["critical", "warning", "notice"];

const place = document.getElementById("filters");
const summary = document.getElementById("filters-title");
const hidden = document.getElementById("hidden-alarms");
const hiddenText = element("span");
const reset = button("reset", "", clear);
const search = element("input");
search.type = "search";
search.id = "alarm-search";
search.maxLength = 100;
search.autocomplete = "off";
/** By name: the choice, and what of an alarm it looks at. */
const choices = {
  severity: { of: ({ anomaly }) => anomaly.severity, name: (value) => word(value) },
  kind: { of: ({ anomaly }) => anomaly.kind, name: (value) => kindName({ kind: value }) },
  zone: { of: ({ anomaly }) => anomaly.zone, name: (value) => value },
  person: { of: whoOf, name: (value) => value },
  gateway: {
    of: ({ site, gateway }) => `${site}/${gateway}`,
    name: (value) => (value === OURSELVES ? word("control_room_itself") : value),
  },
};
let listener = () => {};

/** Start; the fields are filled with what there is. */
export function start() {
  place.append(search);
  for (const [name, choice] of Object.entries(choices)) {
    choice.field = element("select");
    choice.field.dataset.filter = name;
    choice.field.addEventListener("change", filtered);
    place.append(choice.field);
  }
  hidden.append(hiddenText, reset);
  search.addEventListener("input", filtered);
  const later = oncePerFrame(drawChoices);
  for (const about of ["alarms", "language"]) on(about, later);
  summary.addEventListener("click", later); // somebody may have got or lost a name since
}

/** Call `heard` whenever somebody wants to see others. */
export function onFilter(heard) {
  listener = heard;
}

/** Tell whether an alarm is to be shown. */
export function isWanted(entry) {
  for (const { field, of } of Object.values(choices)) {
    if (field.value !== "" && of(entry) !== field.value) return false;
  }
  const words = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const { anomaly } = entry;
  const text = [kindName(anomaly), anomaly.kind, anomaly.zone, anomaly.camera, whoOf(entry), anomaly.worker,
    anomaly.evidence, entry.raised?.evidence, entry.evidence_zh, entry.raised_evidence_zh, anomaly.id, entry.acknowledged_by, entry.shelved?.reason, entry.ending?.reason,
    alarmKey(entry)].filter(Boolean).join(" ").toLowerCase();
  return words.every((one) => text.includes(one));
}

/**
 * Say how many open alarms are not shown, and give that; a critical one that nobody has seen is
 * said loudly.
 */
export function drawHidden(entries) {
  const filtering = isFiltering();
  hidden.hidden = !filtering;
  if (!filtering) return 0;
  const grave = entries.filter((one) => one.anomaly.severity === "critical" && isUnacknowledged(one)).length;
  const text = word("hidden", entries.length)
    + (grave > 0 ? ` · ${word("hidden_critical", grave)}` : "");
  setText(hiddenText, text);
  hidden.classList.toggle("grave", grave > 0);
  setText(reset, word("show_all_alarms"));
  return entries.length;
}

function isFiltering() {
  return search.value.trim() !== "" || Object.values(choices).some(({ field }) => field.value !== "");
}

function filtered() {
  setText(summary, word(isFiltering() ? "filters_on" : "filters"));
  summary.classList.toggle("some", isFiltering());
  listener();
}

function clear() {
  search.value = "";
  for (const { field } of Object.values(choices)) field.value = "";
  filtered();
  changed("alarms");
}

function drawChoices() {
  search.placeholder = word("search");
  search.setAttribute("aria-label", word("search"));
  setText(summary, word(isFiltering() ? "filters_on" : "filters"));
  for (const [title, { field, of, name }] of Object.entries(choices)) {
    const found = new Set(title === "severity" ? SEVERITIES : []);
    for (const entry of model.alarms.values()) if (of(entry)) found.add(of(entry));
    if (field.value !== "") found.add(field.value);
    const values = title === "severity" ? [...found] : [...found].sort().slice(0, 500);
    const all = `${word(title)}: ${word("all")}`;
    const texts = [all, ...values.map(name)];
    field.setAttribute("aria-label", word(title));
    field.hidden = values.length === 0;
    if ([...field.options].map((option) => option.text).join("\n") === texts.join("\n")) continue;
    const chosen = field.value;
    field.replaceChildren(new Option(all, ""), ...values.map((value, i) => new Option(texts[i + 1], value)));
    field.value = chosen;
  }
}
