// Times of the day and lengths of time as people read them.

import { language, word } from "./words.js";

/** The locale that goes with the chosen language. */
export function locale() {
  return language() === "zh" ? "zh-CN" : "en-GB";
}

/** Write milliseconds since the epoch as a time of the day. */
export function clockTime(ms, withDate = false) {
  const date = new Date(ms);
  const time = date.toLocaleTimeString(locale(), { hour12: false });
  return withDate ? `${date.toLocaleDateString(locale())} ${time}` : time;
}

/** Write a length of time. */
export function duration(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 60) return word("lasts_s", whole);
  if (whole < 3600) return word("lasts_min", Math.floor(whole / 60), whole % 60);
  return word("lasts_h", Math.floor(whole / 3600), Math.floor((whole % 3600) / 60));
}
