/**
 * An element with attributes and children.
 *
 * A child is a node, a text, a list of children, or null where there is nothing. An attribute that
 * is null or false is left out, and one that is true is empty. Texts never become markup.
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    made.setAttribute(attribute, value === true ? "" : String(value));
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

let count = 0;

/** An id for an element that a label or a description refers to. */
export function freshId() {
  count += 1;
  return `part-${count}`;
}

/** What is folded away behind its summary. */
export function folded(summary, content, attributes = {}) {
  return element("details", attributes, element("summary", {}, summary), content);
}

/** The element that the address of the page names after `#`, if there is one. */
export function addressed() {
  try {
    return document.getElementById(decodeURIComponent(location.hash.slice(1)));
  } catch {
    return null; // what follows a % is no number
  }
}
