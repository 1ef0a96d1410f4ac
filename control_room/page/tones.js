// The tones of alarms, made here: different for each severity. Knows nothing about alarms.

/** Each tone of a call: [starts after s, lasts s, Hz]. */
const CALLS = {
  // Fast, rising, three times: cannot be taken for a telephone.
  critical: [[0, 0.14, 880], [0.16, 0.14, 1175], [0.36, 0.14, 880], [0.52, 0.14, 1175],
    [0.72, 0.14, 880], [0.88, 0.2, 1175]],
  warning: [[0, 0.22, 659], [0.3, 0.22, 659]],
  notice: [[0, 0.3, 440]],
  // Falling: the line is gone, and no alarm can come.
  lost: [[0, 0.3, 520], [0.32, 0.3, 390], [0.64, 0.5, 260]],
};
const LOUD = { critical: 0.5, warning: 0.3, notice: 0.2, lost: 0.4 };

/** Play one call on an `AudioContext`. */
export function play(context, name) {
  for (const [after_s, lasts_s, hz] of CALLS[name]) {
    const at = context.currentTime + 0.02 + after_s;
    const tone = context.createOscillator();
    const loud = context.createGain();
    tone.type = name === "critical" ? "square" : "triangle";
    tone.frequency.value = hz;
    loud.gain.setValueAtTime(0, at);
    loud.gain.linearRampToValueAtTime(LOUD[name], at + 0.01);
    loud.gain.setValueAtTime(LOUD[name], at + lasts_s - 0.03);
    loud.gain.linearRampToValueAtTime(0, at + lasts_s);
    tone.connect(loud).connect(context.destination);
    tone.start(at);
    tone.stop(at + lasts_s);
  }
}
