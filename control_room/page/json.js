// Reads JSON whose times are nanoseconds beyond 2^53. Knows nothing about what they time.

/**
 * Parse JSON; every number whose key ends in `_ns` comes out as a string of digits, exact.
 * Inside a JSON string a quote is always escaped, so the pattern can only meet real keys.
 */
export function parse(text) {
  return JSON.parse(text.replace(/"(\w+_ns)":\s*(-?\d+)(?=\s*[,}\]])/g, '"$1":"$2"'));
}

/** Turn such a string into milliseconds since the Unix epoch; null stays null. */
export function msOf(ns) {
  return ns === null || ns === undefined ? null : Number(BigInt(ns) / 1000n) / 1000;
}
