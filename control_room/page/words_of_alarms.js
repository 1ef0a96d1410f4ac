// What an alarm's kind is called in the chosen language.

import { model } from "./model.js";
import { language, word } from "./words.js";

/** Name the kind of an alarm. */
export function kindName({ kind, severity }) {
  // A gateway that said goodbye was stopped; that is no riddle, as silence is.
  if (kind === "gateway_silent" && severity === "warning") return word("gateway_stopped");
  return model.kinds[kind]?.[language()] ?? kind;
}
