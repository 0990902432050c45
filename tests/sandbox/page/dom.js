// The one place where elements are made. Text becomes text nodes and nothing else, so nothing that is shown can be markup.

const SVG = "http://www.w3.org/2000/svg";
let made = 0;

/** An id that nothing else on the page has. */
export const unique = (prefix) => `${prefix}-${(made += 1)}`;

/** An element. `on*` are listeners, `class` and every other name are attributes; null, undefined and false are left out. */
export function el(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/** The same for a drawing. */
export function svg(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

function dress(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** The address if it is one that may be followed, else an empty string: no `javascript:`, no `data:`. */
export function safe(address) {
  try {
    const url = new URL(String(address));
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : "";
  } catch {
    return "";
  }
}

/** A link, or its words alone where the address may not be followed. */
export function link(address, ...words) {
  const href = safe(address);
  const shown = words.flat().length ? words : [String(address)];
  return href ? el("a", { href, target: "_blank", rel: "noopener noreferrer" }, shown) : el("span", { class: "dead" }, shown);
}

const ICONS = {
  bolt: "M13 2 4 14h6l-1 8 9-12h-6z",
  world: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm-9 9h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
  theme: "M12 3a9 9 0 1 0 9 9 7 7 0 0 1-9-9Z",
  close: "M6 6l12 12M18 6 6 18",
  send: "M4 4l17 8-17 8 3-8zM7 12h14",
  menu: "M4 6h16M4 12h16M4 18h16",
  eye: "M2 12s4-6 10-6 10 6 10 6-4 6-10 6S2 12 2 12Zm10-2.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5Z",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  down: "M6 9l6 6 6-6",
  home: "M4 11l8-7 8 7v9h-5v-6H9v6H4z",
  out: "M8 16 17 7M10 7h7v7",
};

/** A small line drawing that only decorates. */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" }, svg("path", { d: ICONS[name] }));
}
