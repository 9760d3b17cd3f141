// Elements, made without markup: whatever a stranger called himself is a text, and never anything else.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** An element. `on` are its listeners; everything else are attributes, those that are null left out. */
export function el(tag, { on = {}, ...attributes } = {}, ...children) {
  return filled(document.createElement(tag), on, attributes, children);
}

/** The same, of a drawing. */
export function draw(tag, { on = {}, ...attributes } = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), on, attributes, children);
}

function filled(node, on, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  for (const [name, listener] of Object.entries(on)) node.addEventListener(name, listener);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Say this, if it is not said already: a screen reader and a selection are not disturbed by what did not change. */
export function say(node, text) {
  const wanted = text ?? "";
  if (node.textContent !== wanted) node.textContent = wanted;
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/** Set an attribute if it is another one. */
export function put(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

/**
 * One child an item, in this order. What is there stays there, so that focus stays where it is: `make` makes a child and
 * gives the function that brings it up to date.
 */
export function list(parent, items, keyOf, make) {
  const known = parent.known ?? (parent.known = new Map());
  const wanted = new Set(items.map(keyOf));
  for (const [key, { node }] of known) {
    if (!wanted.has(key)) {
      node.remove();
      known.delete(key);
    }
  }
  items.forEach((item, place) => {
    const key = keyOf(item);
    if (!known.has(key)) known.set(key, make(item));
    const { node, update } = known.get(key);
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] ?? null);
    update(item);
  });
}

/** What a dialog's form is to do; what goes wrong is said in it. `open` gives what it is about. */
export function formDialog(dialog, act) {
  const form = dialog.querySelector("form");
  const problem = dialog.querySelector(".problem");
  let about = null;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      await act(Object.fromEntries(new FormData(form)), about);
      dialog.close();
    } catch (error) {
      say(problem, error.message);
    } finally {
      button.disabled = false;
    }
  });
  return (subject) => {
    about = subject;
    form.reset();
    say(problem, "");
    dialog.showModal();
  };
}

export function closable(dialog) {
  for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close());
}

/** A short word on what was done. */
export function toast(text) {
  const node = byId("said");
  node.textContent = text;
  clearTimeout(node.timer);
  node.timer = setTimeout(() => say(node, ""), 6000);
}
