// One widget for every select: an ARIA combobox with a list, https://www.w3.org/WAI/ARIA/apg/patterns/combobox/.

import { el, icon, unique } from "./dom.js";
import { words } from "./text.js";

/**
 * `find(text)` answers {groups: [{label, options}]} or {error}; an option is {text, value, description}.
 * `chosen` are the options at first, `many` allows several, `pick(options)` hears of each change.
 */
export function picker({ id, placeholder, label, find, least = 0, asks = false, many = 0, chosen = [], pick, keep }) {
  const made = new Picker({ id: id || unique("pick"), placeholder, label, find, least, asks, many, chosen, pick, keep });
  return made.box;
}

class Picker {
  constructor(told) {
    Object.assign(this, told);
    this.options = [];
    this.at = -1;
    this.asked = 0;
    const listId = unique("list");
    this.input = el("input", {
      id: this.id, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": listId,
      "aria-label": this.label, placeholder: this.placeholder, "data-keep": this.keep,
      oninput: () => this.open(), onclick: () => this.open(), onblur: () => this.leave(), onkeydown: (event) => this.key(event),
    });
    this.list = el("div", { id: listId, role: "listbox", class: "list", popover: "manual", "aria-label": this.label || this.placeholder,
      "aria-multiselectable": this.many ? "true" : null, onmousedown: (event) => event.preventDefault() });
    this.chips = el("span", { class: "chips" });
    this.box = el("span", { class: this.many ? "pick many" : "pick" }, this.chips, this.input, icon("down"), this.list);
    this.show();
  }

  /** What is chosen stands in the field, or before it as chips. */
  show() {
    if (!this.many) { this.input.value = this.chosen[0] ? words(this.chosen[0].text) : ""; return; }
    this.input.placeholder = this.chosen.length ? "" : this.placeholder || "";
    this.chips.replaceChildren(...this.chosen.map((option) => el("span", { class: "chip" }, words(option.text),
      el("button", { type: "button", tabindex: -1, "aria-label": `Remove ${words(option.text)}`, onclick: () => this.drop(option) }, "×"))));
  }

  drop(option) {
    this.set(this.chosen.filter((one) => one.value !== option.value));
    this.input.focus();
  }

  set(options) {
    this.chosen = options;
    this.show();
    this.pick(options);
  }

  get query() {
    const untouched = !this.many && this.chosen[0] && this.input.value === words(this.chosen[0].text);
    return untouched ? "" : this.input.value.trim();
  }

  async open() {
    const mine = (this.asked += 1), text = this.query;
    if (text.length < this.least) return this.say(`Type ${this.least - text.length} more ${this.least - text.length === 1 ? "character" : "characters"}`);
    if (this.asks && !this.isOpen) this.say("Looking…");
    const answer = await this.find(text);
    if (mine !== this.asked || document.activeElement !== this.input) return undefined;
    if (answer.error) return this.say(answer.error);
    return this.fill(answer.groups.filter((group) => group.options.length));
  }

  get isOpen() {
    return this.list.matches(":popover-open");
  }

  fill(groups) {
    this.options = groups.flatMap((group) => group.options);
    if (!this.options.length) return this.say("Nothing found");
    this.list.replaceChildren(...groups.map((group) => {
      const id = unique("group");
      return el("div", group.label ? { role: "group", "aria-labelledby": id } : { role: "presentation" },
        group.label ? el("div", { id, class: "label" }, words(group.label)) : null,
        group.options.map((option) => this.row(option)));
    }));
    return this.unfold(this.query ? 0 : -1);
  }

  row(option) {
    const on = this.chosen.some((one) => one.value === option.value);
    return el("div", { role: "option", id: unique("option"), "aria-selected": String(on), onclick: () => this.choose(option) },
      el("span", {}, words(option.text)), option.description ? el("small", {}, words(option.description)) : null);
  }

  say(text) {
    this.options = [];
    this.list.replaceChildren(el("div", { class: "none", role: "status" }, text));
    return this.unfold(-1);
  }

  unfold(at) {
    if (document.activeElement !== this.input) return;
    if (!this.isOpen) this.list.showPopover();
    const field = this.box.getBoundingClientRect(), room = innerHeight - field.bottom - 12;
    const above = room < 180 && field.top > room;
    this.list.style.left = `${Math.max(8, Math.min(field.left, innerWidth - Math.max(field.width, 300) - 8))}px`;
    this.list.style.width = `${Math.min(Math.max(field.width, 300), innerWidth - 16)}px`;
    this.list.style.maxHeight = `${Math.min(340, above ? field.top - 12 : room)}px`;
    this.list.style.top = above ? "auto" : `${field.bottom + 4}px`;
    this.list.style.bottom = above ? `${innerHeight - field.top + 4}px` : "auto";
    this.input.setAttribute("aria-expanded", "true");
    this.move(at);
  }

  fold() {
    this.asked += 1;
    if (this.isOpen) this.list.hidePopover();
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.at = -1;
  }

  leave() {
    this.fold();
    if (!this.many && !this.input.value.trim() && this.chosen.length) this.set([]);
    else if (!this.many) this.show();
    else this.input.value = "";
  }

  move(at) {
    const rows = this.list.querySelectorAll("[role=option]");
    this.at = rows.length ? Math.max(-1, Math.min(at, rows.length - 1)) : -1;
    rows.forEach((row, n) => row.classList.toggle("at", n === this.at));
    if (this.at < 0) { this.input.removeAttribute("aria-activedescendant"); return; }
    this.input.setAttribute("aria-activedescendant", rows[this.at].id);
    rows[this.at].scrollIntoView({ block: "nearest" });
  }

  choose(option) {
    if (!this.many) { this.fold(); this.set([option]); return; }
    const on = this.chosen.some((one) => one.value === option.value);
    if (!on && this.chosen.length >= this.many) return;
    this.input.value = "";
    this.set(on ? this.chosen.filter((one) => one.value !== option.value) : [...this.chosen, option]);
    this.open();
  }

  key(event) {
    const last = this.options.length - 1;
    const steps = { ArrowDown: () => this.move(this.at === last ? 0 : this.at + 1),
      ArrowUp: () => this.move(this.at <= 0 ? last : this.at - 1),
      PageDown: () => this.move(this.at + 8), PageUp: () => this.move(Math.max(0, this.at - 8)) };
    if (event.key in steps) {
      event.preventDefault();
      if (this.isOpen) steps[event.key](); else this.open();
    } else if (event.key === "Enter") {
      if (this.isOpen) event.preventDefault();
      if (this.isOpen && this.at >= 0) this.choose(this.options[this.at]);
    } else if (event.key === "Escape" && this.isOpen) {
      event.preventDefault();
      event.stopPropagation();
      this.fold();
      this.show();
    } else if (event.key === "Backspace" && this.many && !this.input.value && this.chosen.length) {
      this.set(this.chosen.slice(0, -1));
    }
  }
}
