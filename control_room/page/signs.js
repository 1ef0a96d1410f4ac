// How severe something is, told by shape as well as by colour. Knows nothing about alarms.

/** In text. */
export const SIGN = { critical: "▲", warning: "◆", notice: "●" };

export const COLOUR = { critical: "#ff4d4d", warning: "#ffb020", notice: "#8fb7ff" };

/** The outline round `x`, `y`, `r` in size, as an SVG path: a triangle, a diamond, or a circle. */
export function outline(severity, x, y, r) {
  if (severity === "critical") return `M${x} ${y - r}L${x + r * 0.95} ${y + r * 0.75}H${x - r * 0.95}Z`;
  if (severity === "warning") return `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z`;
  const s = r * 0.8;
  return `M${x - s} ${y}A${s} ${s} 0 1 1 ${x + s} ${y}A${s} ${s} 0 1 1 ${x - s} ${y}Z`;
}
