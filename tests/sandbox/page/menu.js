// A menu behind a button: https://www.w3.org/WAI/ARIA/apg/patterns/menu-button/.

import { el, unique } from "./dom.js";

/** Gives `trigger` a menu; `items` are [what is shown, what it does]. The two together are answered. */
export function menu(trigger, items, label) {
  const id = unique("menu");
  const rows = items.map(([shown, act]) => el("button", { type: "button", role: "menuitem", tabindex: -1, onclick: () => { box.hidePopover(); act(); } }, shown));
  const box = el("div", { id, class: "list menu", role: "menu", popover: "auto", "aria-label": label }, rows);
  box.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    rows.at((rows.indexOf(document.activeElement) + by) % rows.length).focus();
  });
  box.addEventListener("toggle", (event) => {
    trigger.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState !== "open") return;
    const at = trigger.getBoundingClientRect(), below = at.bottom + 4 + box.offsetHeight < innerHeight;
    box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - box.offsetHeight - 4)}px`;
    rows[0]?.focus();
  });
  trigger.setAttribute("aria-haspopup", "menu");
  trigger.setAttribute("aria-expanded", "false");
  trigger.setAttribute("popovertarget", id);
  return [trigger, box];
}
