// What an operator does with the selected alarm: buttons, the reason, the request.
// Knows nothing about which acts are allowed: the control room says so with every alarm, and of
// whoever looks.

import { begin, canExport, draw as drawExport, exporting } from "./export.js";
import { msOf } from "./json.js";
import { loginPath } from "./me.js";
import { alarmKey, changed, isUnacknowledged, mayAct, model } from "./model.js";
import { technical, word } from "./words.js";

const STORED = "lamproom.operator";
const SHELF_MIN = [5, 15, 30, 60, 120, 240, 480];

const buttons = node("p", "actions");
/** What can be done, and how an export stands: in sight however long the details are. */
const doing = node("div", "doing");
doing.append(exporting, buttons);
const trouble = node("p", "trouble");
trouble.setAttribute("role", "alert");
const who = input("who", 80);
const reason = input("reason", 500);
const minutes = node("select", "minutes");
const form = node("div", "form");
form.append(labelled("by", who), labelled("reason", reason), labelled("shelf_time", minutes));
/** To be put into the page once; `show` changes only what must change, so typing goes on. */
export const desk = node("div", "desk");
const again = node("a", "log-in-again");
desk.append(doing, again, form, trouble);
let shown = null;

try {
  who.value = localStorage.getItem(STORED) ?? "";
} catch {
  // A browser that stores nothing asks again next time.
}

/** Show what can be done with an alarm of a group, and a button to leave it. */
export function show(entry, group, leave) {
  if (shown !== alarmKey(entry)) {
    shown = alarmKey(entry);
    reason.value = "";
    trouble.textContent = "";
  }
  const active = entry.anomaly.state === "active";
  const unseen = group.filter(isUnacknowledged);
  draw([...(mayAct() ? actsOn(entry, unseen) : []), ["close", word("close"), leave]]);
  drawExport();
  again.hidden = !model.me?.log_in_to_act;
  again.href = loginPath();
  again.textContent = word("log_in_to_act");
  form.hidden = !active || !mayAct();
  // Who has logged in acts under that name, whatever is written here.
  who.parentElement.hidden = Boolean(model.me?.name);
  minutes.parentElement.hidden = entry.phase === "shelved";
  const allowed = SHELF_MIN.filter((time) => time <= entry.shelf_max_min);
  const options = allowed.map((time) => word("minutes", time));
  if ([...minutes.options].map((option) => option.text).join() !== options.join()) {
    const chosen = minutes.value || "15";
    minutes.replaceChildren(...allowed.map((time, i) => new Option(options[i], time)));
    minutes.value = allowed.includes(Number(chosen)) ? chosen : String(allowed[0]);
  }
  for (const text of form.querySelectorAll("span")) text.textContent = word(text.dataset.name);
}

/** What can be done: [class, text, what it does]. */
function actsOn(entry, unseen) {
  const active = entry.anomaly.state === "active";
  const wanted = [];
  if (isUnacknowledged(entry)) {
    wanted.push(["acknowledge", word("acknowledge"), () => send("acknowledge", [entry])]);
  }
  if (unseen.length > 1) {
    wanted.push(["acknowledge-all", word("acknowledge_all", unseen.length),
      () => send("acknowledge", unseen)]);
  }
  if (entry.phase === "shelved") {
    wanted.push(["unshelve", word("unshelve"), () => send("unshelve", [entry])]);
  } else if (active) wanted.push(["shelve", word("shelve"), () => send("shelve", [entry])]);
  if (active && entry.may_end && entry.ending === null) {
    wanted.push(["end", word("end"), () => send("end", [entry])]);
  }
  if (canExport()) wanted.push(["export", word("export"), () => begin(entry)]);
  return wanted;
}

/** Tell who did what, in one line: `15:20:03 · Li Wei · pump is being repaired`. */
export function actText(act, clockTime) {
  return [clockTime(msOf(act.at_ns)), act.by, act.reason].filter(Boolean).join(" · ");
}

function draw(wanted) {
  const had = buttons.contains(document.activeElement) ? document.activeElement.className : null;
  const names = wanted.map(([name]) => name).join();
  if (names !== [...buttons.children].map((button) => button.className).join()) {
    buttons.replaceChildren(...wanted.map(([name]) => {
      const button = node("button", name);
      button.type = "button";
      return button;
    }));
    if (had !== null) (buttons.querySelector(`.${had}`) ?? buttons.lastChild).focus();
  }
  wanted.forEach(([, text, act], i) => {
    buttons.children[i].textContent = text;
    buttons.children[i].onclick = act;
  });
}

/** Ask the control room, one alarm after the other; what it refuses is told in its own words. */
async function send(action, entries) {
  trouble.textContent = "";
  try {
    localStorage.setItem(STORED, who.value);
  } catch {
    // As above.
  }
  for (const { site, gateway, anomaly } of entries) {
    const body = { site, gateway, id: anomaly.id, by: who.value };
    if (action !== "acknowledge") body.reason = reason.value;
    if (action === "shelve") body.minutes = Number(minutes.value);
    if ((action === "shelve" || action === "end") && !reason.value.trim()) {
      trouble.textContent = word("reason_needed");
      reason.focus();
      return;
    }
    try {
      const answer = await fetch(`/api/alarms/${action}`, {
        method: "POST", headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      if ([401, 403].includes(answer.status)) changed("refused");
      if (!answer.ok) trouble.textContent = word("refused_act", technical((await answer.json()).error));
      else if (action !== "acknowledge") reason.value = "";
    } catch {
      trouble.textContent = word("not_done");
    }
  }
}

function labelled(name, field) {
  const label = node("label");
  const text = node("span");
  text.dataset.name = name;
  label.append(text, field);
  return label;
}

function input(name, most) {
  const made = node("input", name);
  made.maxLength = most;
  made.autocomplete = "off";
  return made;
}

function node(name, className = "") {
  const made = document.createElement(name);
  made.className = className;
  return made;
}
