// What the signs of the plan mean; only those that this mine has.

import { node } from "./dom.js";
import { model } from "./model.js";
import { ZONES } from "./plan_floor.js";
import { outline } from "./signs.js";
import { word } from "./words.js";

const list = document.getElementById("legend");

/** Write the legend. */
export function legend() {
  const known = [...model.gateways.values()];
  const kinds = new Set(known.flatMap(({ site, plan }) =>
    [...(site?.zones ?? []), ...(plan?.following ?? [])].map((zone) => zone.kind)));
  const entries = ["person", "possibly", "critical", "warning", "notice", "cleared",
    ...Object.keys(ZONES).filter((kind) => kinds.has(kind))];
  if (known.some(({ plan }) => (plan?.gates ?? []).length > 0)) entries.push("gate");
  if (model.machines.size > 0) entries.push("machine");
  entries.push("unseen");
  list.replaceChildren(...entries.map((what) => {
    const item = document.createElement("li");
    const sign = node("svg", { width: 22, height: 14, "aria-hidden": "true" });
    sign.append(...signOf(what));
    if (what === "unseen") item.title = word("why_unseen");
    item.append(sign, document.createTextNode(` ${word(`legend_${what}`)}`));
    return item;
  }));
}

function signOf(what) {
  if (what === "person" || what === "possibly") {
    const group = node("g", { class: `person ${what === "person" ? "certainly" : "possibly"}` });
    group.append(
      node("ellipse", { cx: 11, cy: 7, rx: 10, ry: 6, class: "ellipse" }),
      node("circle", { cx: 11, cy: 7, r: 4, class: "dot" }),
    );
    return [group];
  }
  if (Object.hasOwn(ZONES, what)) {
    return [node("rect", { width: 22, height: 14, fill: ZONES[what].fill, class: `zone ${what}` })];
  }
  if (what === "gate") return [node("path", { d: "M8 0V14M8 7H18M14 4L18 7L14 10", class: "gate" })];
  if (what === "machine") {
    return [node("path", { d: "M3 2H13L19 7L13 12H3Z", class: "machine-sign" })];
  }
  if (what === "unseen") {
    return [node("rect", { width: 22, height: 14, fill: "url(#unseen-hatch)", class: "unseen" })];
  }
  if (what === "cleared") {
    return [node("path", { d: outline("critical", 11, 7, 6), class: "mark cleared" })];
  }
  return [node("path", { d: outline(what, 11, 7, 7), class: `mark ${what}` })];
}
