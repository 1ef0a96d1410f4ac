// Draws at most once per frame of the screen, however many messages ask for it.

/** Give a function that has `draw` called in the next frame; asked for often, it is drawn once. */
export function oncePerFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}
