// Head-counts by zone, each with how much of it cameras see. Counts nobody itself.

import { countIsOld, countText, countWhyHere, isBlind, lostWhy, seenText, whoText } from "./counts.js";
import { element } from "./dom.js";
import { oncePerFrame } from "./later.js";
import { model, on } from "./model.js";
import { word } from "./words.js";

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
  const old = countIsOld();
  note.hidden = !old;
  note.textContent = old ? word("count_unknown") : "";
  table.hidden = old;
  const rows = old ? [] : model.heads.flatMap((told) => told.areas.map((area) => [
    (model.heads.length > 1 ? `${told.site}: ` : "") + (area.zone ?? word("elsewhere")),
    countText(area.people, area.at_least, isBlind(area, told)),
    seenText(area),
    whoText(area), isBlind(area, told), countWhyHere(area.people, area.at_least), lostWhy(area),
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
  table.replaceChildren(head, ...rows.map(([name, count, seen, who, blind, why, lost]) => {
    const row = element("tr", blind ? "blind" : "");
    const title = element("th", "", name);
    title.scope = "row";
    const counted = element("td", "count", count);
    counted.title = why;
    const named = element("td", "", who);
    named.title = lost;
    row.append(title, counted, element("td", "seen", seen), named);
    return row;
  }));
}
