/** Making elements, and bringing what is shown in line with them: what stays the same keeps its focus and what was typed. */

const SVG = "http://www.w3.org/2000/svg";

/** `attributes`: false, null and undefined leave one out. Children: elements, texts, and lists of them; empty ones are left out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children
      .flat(9)
      .filter((child) => child !== null && child !== undefined && child !== false && child !== ""),
  );
  return element;
}

/** Makes the children of `shown` like those of `wanted`, which is used up. */
export function morph(shown, wanted) {
  const keys = new Set([...wanted.children].map(keyOf));
  const old = new Map();
  for (const child of [...shown.children]) {
    const key = keyOf(child);
    if (key === undefined) continue;
    if (keys.has(key)) old.set(key, child);
    else child.remove();
  }
  let at = shown.firstChild;
  for (const child of [...wanted.childNodes]) {
    const keyed = old.get(keyOf(child));
    // What is moved loses its focus, in the middle of a word: what stands before it goes instead, unless it has a place of its own.
    while (keyed !== undefined && at !== null && at !== keyed && keyOf(at) === undefined) at = without(at);
    if (keyed !== undefined && keyed !== at) shown.insertBefore(keyed, at);
    const there = keyed ?? at;
    if (there !== null && isAlike(there, child)) {
      at = there.nextSibling;
      if (child.nodeType === Node.TEXT_NODE) {
        if (there.data !== child.data) there.data = child.data;
        continue;
      }
      morphAttributes(there, child);
      morph(there, child);
    } else {
      shown.insertBefore(child, at);
    }
  }
  while (at !== null) at = without(at);
}

/** Removes it; what comes after it. */
function without(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

/** The name of its own that an element has among its siblings. */
function keyOf(node) {
  return node.dataset?.key;
}

function isAlike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && keyOf(one) === keyOf(other);
}

function morphAttributes(there, wanted) {
  for (const { name } of [...there.attributes]) {
    // A dialog or a fold that somebody opened stays open.
    if (!wanted.hasAttribute(name) && name !== "open") there.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (there.getAttribute(name) !== value) there.setAttribute(name, value);
  }
}
