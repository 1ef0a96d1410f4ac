// What an alarm's kind is called in the chosen language, and why it was raised and cleared.

import { model, raiseOf } from "./model.js";
import { language, word } from "./words.js";

/** Name the kind of an alarm. */
export function kindName({ kind, severity }) {
  // A gateway that said goodbye was stopped; that is no riddle, as silence is.
  if (kind === "gateway_silent" && severity === "warning") return word("gateway_stopped");
  return model.kinds[kind]?.[language()] ?? kind;
}

/** Name the first of kinds, names, the gravest first, and say how many others there are. */
export function kindsText([first, ...rest]) {
  const more = new Set(rest.filter((kind) => kind !== first)).size;
  return more === 0 ? first : word(more === 1 ? "more_kinds_one" : "more_kinds", first, more);
}

/** Say why an alarm was raised; null where nobody says so. */
export function raisedEvidence(entry) {
  const { state } = entry.anomaly;
  const chinese = state === "active" ? entry.evidence_zh : entry.raised_evidence_zh ?? entry.evidence_zh;
  return inLanguage(raiseOf(entry).evidence, chinese);
}

/** Give the newest word's reason: of an alarm that is over, why it was cleared. */
export function newestEvidence(entry) {
  return inLanguage(entry.anomaly.evidence, entry.evidence_zh);
}

function inLanguage(english, chinese) {
  return (language() === "zh" ? chinese : null) || english || null;
}
