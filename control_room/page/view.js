// Pan and zoom of a picture in a box by wheel, drag, two fingers and keys. Knows nothing about the picture.

const MAX_ZOOM = 20;

/**
 * Where a picture of `width` x `height` units lies in a box: units times `scale` plus `left`, `top`
 * are box pixels. Starts with the whole picture in the box.
 */
export class View {
  constructor(element, onChange) {
    this.element = element;
    this.onChange = onChange;
    this.box = { width: 1, height: 1 };
    this.picture = { width: 1, height: 1 };
    /** Whether it rests as high as its box, however much lies beside it. */
    this.fills = false;
    this.rest();
    this.listen(element);
  }

  /** Set the sizes; the whole picture stays in sight if it was, and what rests goes on resting. */
  resize(box, picture) {
    this.box = box;
    this.picture = picture;
    if (this.isAtRest) this.rest();
    else if (this.isWhole) this.fit();
    else this.settle();
  }

  /** Show the whole picture. */
  fit() {
    this.scale = this.wholeScale();
    this.left = (this.box.width - this.picture.width * this.scale) / 2;
    this.top = (this.box.height - this.picture.height * this.scale) / 2;
    this.isWhole = true;
    this.isAtRest = !this.fills;
    this.leaveScrolling();
  }

  /** Show what is shown while nobody moves it: all, or as much as fills the box, round `x`. */
  rest(x = this.picture.width / 2) {
    if (!this.fills) return this.fit();
    this.scale = this.box.height / this.picture.height;
    this.left = this.box.width / 2 - x * this.scale;
    this.top = 0;
    this.isWhole = false;
    this.settle();
    this.isAtRest = true;
  }

  /** A finger that goes up or down scrolls the page where the picture has nothing to move that way. */
  leaveScrolling() {
    const high = this.picture.height * this.scale > this.box.height + 1;
    this.element.style.touchAction = high ? "none" : "pan-y";
  }

  /** Bring a point of the picture to the middle, at least `zoom` times enlarged. */
  centre(x, y, zoom) {
    this.scale = Math.max(this.scale, zoom * this.wholeScale());
    this.left = this.box.width / 2 - x * this.scale;
    this.top = this.box.height / 2 - y * this.scale;
    this.isWhole = false;
    this.settle();
  }

  wholeScale() {
    return Math.min(this.box.width / this.picture.width, this.box.height / this.picture.height);
  }

  zoom(factor, x, y) {
    const least = this.wholeScale();
    const scale = Math.min(Math.max(this.scale * factor, least), least * MAX_ZOOM);
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.isWhole = scale === least;
    this.settle();
  }

  /** Move as pointers do, and enlarge as two of them go apart. */
  follow(before, now) {
    this.left += now.x - before.x;
    this.top += now.y - before.y;
    if (before.apart > 0 && now.apart > 0) this.zoom(now.apart / before.apart, now.x, now.y);
    else this.settle();
  }

  /** Keep the picture from leaving the box. */
  settle() {
    this.isAtRest = false;
    const keep = (start, length, room) =>
      length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, start));
    this.left = keep(this.left, this.picture.width * this.scale, this.box.width);
    this.top = keep(this.top, this.picture.height * this.scale, this.box.height);
    this.leaveScrolling();
    this.onChange();
  }

  listen(element) {
    /** Map of each pointer that is down to where it was last. */
    const down = new Map();
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { x, y } = place(element, event);
      this.zoom(Math.exp(-event.deltaY / 400), x, y);
    }, { passive: false });
    element.addEventListener("pointerdown", (event) => {
      down.set(event.pointerId, place(element, event));
    });
    element.addEventListener("pointermove", (event) => {
      if (event.buttons === 0) down.delete(event.pointerId); // let go outside
      if (!down.has(event.pointerId)) return;
      const before = spanOf(down);
      down.set(event.pointerId, place(element, event));
      this.follow(before, spanOf(down));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      element.addEventListener(end, ({ pointerId }) => { down.delete(pointerId); });
    }
    element.addEventListener("keydown", (event) => {
      const step = this.box.width / 8;
      const { width, height } = this.box;
      if (event.key === "+" || event.key === "=") this.zoom(1.3, width / 2, height / 2);
      else if (event.key === "-") this.zoom(1 / 1.3, width / 2, height / 2);
      else if (event.key === "0") { this.fit(); this.onChange(); }
      else if (event.key === "ArrowLeft") { this.left += step; this.settle(); }
      else if (event.key === "ArrowRight") { this.left -= step; this.settle(); }
      else if (event.key === "ArrowUp") { this.top += step; this.settle(); }
      else if (event.key === "ArrowDown") { this.top -= step; this.settle(); }
      else return;
      event.preventDefault();
    });
  }
}

/** The middle of pointers and, of two, how far they are apart. */
function spanOf(down) {
  const [a, b = a] = [...down.values()];
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) };
}

/** Call `listener` with `{ x, y }` for a click that was no drag, nor one of two fingers. */
export function whenClicked(element, listener) {
  let pressed = null;
  element.addEventListener("pointerdown", (event) => {
    pressed = event.isPrimary ? place(element, event) : null;
  });
  element.addEventListener("pointercancel", () => { pressed = null; });
  element.addEventListener("pointerup", (event) => {
    const at = place(element, event);
    if (pressed !== null && Math.hypot(at.x - pressed.x, at.y - pressed.y) < 5) listener(at);
    pressed = null;
  });
}

/** Tell where in an element an event happened, CSS pixels. */
function place(element, event) {
  const box = element.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}
