// Exports the minutes round an alarm: asks the control room, tells how far it is, fetches the .zip.
// Shows nothing where no recordings lie, and knows nothing about what an export is made of.

import { element } from "./dom.js";
import { parse } from "./json.js";
import { alarmKey, changed, mayAct, model, on } from "./model.js";
import { technical, word } from "./words.js";

const LOOK_MS = 1000;

/** To be put into the page once. */
export const exporting = element("p", "exporting");
exporting.setAttribute("role", "status");
const text = element("span");
const link = element("a");
exporting.append(text, link);
exporting.hidden = true;

let available = null;
/** The export that was asked for last, and of which alarm; null for none. */
let now = null;
/** The alarm whose export was asked for while another was being made; null for none. */
let waits = null;

for (const about of ["language", "selected"]) on(about, draw);
on("me", ask);

/** Tell whether whoever looks can export. */
export function canExport() {
  return available === true && mayAct();
}

/** Ask whether recordings lie here: not before somebody may export. */
async function ask() {
  if (available !== null || !mayAct()) return;
  available = false;
  try {
    const answer = await fetch("/api/exports");
    if (!answer.ok) throw new Error(await answer.text());
    available = parse(await answer.text()).available;
  } catch {
    available = null; // and asked again
  }
  if (available) changed("alarms");
}

/** Begin to export an alarm. */
export async function begin({ site, gateway, anomaly }) {
  const alarm = alarmKey({ site, gateway, anomaly });
  waits = now?.state === "running" && now.alarm !== alarm ? alarm : null;
  if (now?.state === "running") return draw();
  now = { alarm, state: "running", percent: 0 };
  draw();
  try {
    const answer = await fetch("/api/exports", {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ site, gateway, id: anomaly.id }),
    });
    await take(alarm, answer);
    while (now.state === "running") {
      await new Promise((done) => { setTimeout(done, LOOK_MS); });
      await take(alarm, await fetch(`/api/exports/${now.job}`));
    }
  } catch {
    now = { alarm, state: "failed", error: null };
  }
  waits = null;
  draw();
  if (now.state !== "ready") return;
  aim();
  link.click();
}

/** Have the link lead to the .zip, whichever alarm is looked at. */
function aim() {
  link.href = `/api/exports/${now.job}/file`;
  link.download = "";
}

function worded({ error, error_zh }) {
  return technical(error, error_zh ? { [error]: error_zh } : {});
}

async function take(alarm, answer) {
  if ([401, 403].includes(answer.status)) changed("refused");
  const said = parse(await answer.text());
  now = answer.ok ? { alarm, ...said } : { alarm, ...said, state: "failed" };
  draw();
}

/** Show how the export stands, beside the alarm that it is of. */
export function draw() {
  const looked = model.selected?.alarm;
  exporting.hidden = now === null || ![now.alarm, waits].includes(looked);
  if (exporting.hidden) return;
  if (now.alarm !== looked) {
    exporting.className = "exporting trouble";
    link.hidden = true;
    text.textContent = word("export_busy", now.percent);
    return;
  }
  const bad = now.state === "failed" || (now.state === "ready" && !now.signed);
  exporting.className = bad ? "exporting trouble" : "exporting";
  link.hidden = now.state !== "ready";
  if (now.state === "running") text.textContent = word("exporting", now.percent);
  if (now.state === "failed") {
    text.textContent = now.error === null ? word("not_done") : word("export_failed", worded(now));
  }
  if (now.state !== "ready") return;
  const lacks = now.lacks > 0 ? word("export_lacks", now.lacks) : "";
  const unsigned = now.signed ? "" : word("export_unsigned");
  text.textContent = [unsigned, lacks].filter(Boolean).map((part) => `${part} `).join("");
  aim();
  link.textContent = word("export_ready", (now.bytes / 1e6).toFixed(1));
}
