// Makes elements; what was written by others only ever becomes text.

/** Make an element with a class and a text. */
export function element(name, className = "", text = null) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== null) made.textContent = text;
  return made;
}

/** Make a button. */
export function button(className, text, act) {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

/** Make an SVG element with attributes and a text. */
export function node(name, attributes = {}, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

/** Change a text only where it is another: what does not change is not read out again. */
export function setText(into, text) {
  if (into.textContent !== text) into.textContent = text;
}

/** Put items into a list, only where they are others, and keep the focus. */
export function fill(into, items) {
  const same = items.length === into.children.length
    && items.every((item, i) => into.children[i] === item);
  if (same) return;
  const focused = document.activeElement;
  into.replaceChildren(...items);
  if (focused instanceof HTMLElement && into.contains(focused)) focused.focus();
}
