// Head-counts by zone, each with how much of it cameras see. Counts nobody itself.

import { countText, countWhy, isBlind, seenText, whoText } from "./counts.js";
import { element } from "./dom.js";
import { oncePerFrame } from "./later.js";
import { model, on } from "./model.js";
import { word } from "./words.js";

const OLD_S = 5;

const table = document.getElementById("zone-counts");
const note = document.getElementById("zone-note");
let shown = "";

/** Start showing. */
export function start() {
  const later = oncePerFrame(draw);
  for (const about of ["heads", "link", "language"]) on(about, later);
  setInterval(later, 1000);
}

function draw() {
  const old = performance.now() - model.headsAt > OLD_S * 1000 || !model.link.open;
  note.hidden = !old;
  note.textContent = old ? word("count_unknown") : "";
  table.hidden = old;
  const rows = old ? [] : model.heads.flatMap((told) => told.areas.map((area) => [
    (model.heads.length > 1 ? `${told.site}: ` : "") + (area.zone ?? word("elsewhere")),
    countText(area.people, area.at_least, isBlind(area, told)),
    seenText(area),
    whoText(area), isBlind(area, told), countWhy(area.people, area.at_least),
  ]));
  const text = JSON.stringify([word("zone"), rows]);
  if (text === shown) return;
  shown = text;
  const head = element("tr");
  for (const name of ["zone", "people", "seen_part", "who"]) {
    const cell = element("th", "", word(name));
    cell.scope = "col";
    head.append(cell);
  }
  table.replaceChildren(head, ...rows.map(([name, count, seen, who, blind, why]) => {
    const row = element("tr", blind ? "blind" : "");
    const title = element("th", "", name);
    title.scope = "row";
    const counted = element("td", "count", count);
    counted.title = why;
    row.append(title, counted, element("td", "seen", seen), element("td", "", who));
    return row;
  }));
}
