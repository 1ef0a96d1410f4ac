// Reads what a decoder must know out of an H.264 access unit (Annex B). Draws nothing.

/** Give the codec string, such as "avc1.42C01F", from the sequence parameter set; null without. */
export function codecOf(bytes) {
  for (let i = 0; i + 6 < bytes.length; i += 1) {
    const startCode = bytes[i] === 0 && bytes[i + 1] === 0 && bytes[i + 2] === 1;
    if (startCode && (bytes[i + 3] & 0x1f) === 7) {
      const parts = [bytes[i + 4], bytes[i + 5], bytes[i + 6]];
      return "avc1." + parts.map((part) => part.toString(16).padStart(2, "0")).join("").toUpperCase();
    }
  }
  return null;
}
