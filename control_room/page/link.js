// The WebSocket that carries messages: connects, comes back after a loss, says when it is lost.
// Knows nothing about what the messages mean.

import { parse } from "./json.js";
import {
  changed, model, takeAlarm, takeAlarmRate, takeClock, takeGroups, takeHeads, takeMachine,
  takeMessage, takeOutOfService, takeReplay, takeReplayMarks, takeSnapshot,
} from "./model.js";

const QUIET_MS = 3000;
/** The first words tell of everything; of a large mine, at a busy control room, they take a while. */
const FIRST_MS = 15_000;
const AGAIN_MS = 1000;
const MOST_ASKED = 20;

let socket = null;
let heardAt = 0;
let spoke = false;
let asked = [];  // of a replay while the line was lost: said as soon as it is there again

/** Give the WebSocket address of a path on this server. */
export function address(path) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}${path}`;
}

/** Connect, and stay connected. */
export function connect() {
  open();
  setInterval(() => {
    // The server speaks twice a second: a line that is silent is dead, whatever TCP believes.
    const limit_ms = spoke ? QUIET_MS : FIRST_MS;
    if (socket !== null && performance.now() - heardAt > limit_ms) drop();
  }, 500);
}

/** Ask a replay for something; the live mine does not listen. */
export function ask(what) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(what));
  else asked = [...asked, what].slice(-MOST_ASKED);
}

function open() {
  const mine = new WebSocket(address("/messages"));
  socket = mine;
  heardAt = performance.now();
  spoke = false;
  mine.onopen = () => {
    for (const what of asked.splice(0)) mine.send(JSON.stringify(what));
  };
  mine.onmessage = (event) => {
    if (socket !== mine) return;
    heardAt = performance.now();
    spoke = true;
    take(parse(event.data));
  };
  mine.onclose = () => {
    if (socket === mine) drop();
  };
}

function drop() {
  const old = socket;
  socket = null;
  old.close();
  if (model.link.open) {
    model.link.open = false;
    model.link.lostAt = heardAt;
  }
  changed("link");
  changed("unlinked");
  setTimeout(open, AGAIN_MS);
}

function take(said) {
  if (said.is === "snapshot") {
    model.link.open = true;
    takeSnapshot(said);
    changed("linked");
  } else if (said.is === "several") said.said.forEach(take);
  else if (said.is === "message") takeMessage(said);
  else if (said.is === "alarm") takeAlarm(said);
  else if (said.is === "groups") takeGroups(said);
  else if (said.is === "alarm_rate") takeAlarmRate(said);
  else if (said.is === "heads") takeHeads(said);
  else if (said.is === "machine") takeMachine(said);
  else if (said.is === "clock") takeClock(said);
  else if (said.is === "out_of_service") takeOutOfService(said);
  else if (said.is === "replay") takeReplay(said);
  else if (said.is === "replay_marks") takeReplayMarks(said);
}
