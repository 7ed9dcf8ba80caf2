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
  const old = new Map(
    [...shown.children].flatMap((child) => (child.dataset.key ? [[child.dataset.key, child]] : [])),
  );
  let at = shown.firstChild;
  for (const child of [...wanted.childNodes]) {
    const keyed = child.dataset?.key === undefined ? undefined : old.get(child.dataset.key);
    if (keyed !== undefined && keyed !== at) shown.insertBefore(keyed, at);
    const there = keyed ?? at;
    if (there !== null && there !== undefined && isAlike(there, child)) {
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
  while (at !== null) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function isAlike(one, other) {
  return (
    one.nodeType === other.nodeType &&
    one.nodeName === other.nodeName &&
    one.dataset?.key === other.dataset?.key
  );
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
