// Tables: https://docs.slack.dev/reference/block-kit/blocks/table-block and /data-table-block.

import { el, unique } from "./dom.js";
import { rich } from "./text.js";

const isNumber = (cell) => cell.type === "raw_number";
const shown = (cell) => (cell.type === "rich_text" ? rich(cell) : [cell.text ?? String(cell.value)]);
const words = (cell) => el("span", {}, shown(cell)).textContent;

function cellOf(tag, cell, settings = {}, more = {}) {
  const side = settings.align || (isNumber(cell) ? "right" : "left");
  return el(tag, { class: `${side}${settings.is_wrapped ? " wrap" : ""}`, ...more }, shown(cell));
}

/** A plain table: the first row is its head. */
export function table(block) {
  const [head, ...rows] = block.rows;
  const settings = block.column_settings || [];
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table" }, el("table", {},
    el("thead", {}, el("tr", {}, head.map((cell, n) => cellOf("th", cell, settings[n], { scope: "col" })))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, n) => cellOf(n ? "td" : "th", cell, settings[n], n ? {} : { scope: "row" })))))));
}

/** A table that sorts, filters and turns pages by itself. */
export function dataTable(block) {
  const [head, ...rows] = block.rows;
  const size = block.page_size || 5, key = block.row_header_column_index ?? 0;
  const state = { page: 0, column: -1, up: true, filter: "" };
  const id = unique("filter");
  const body = el("tbody"), foot = el("div", { class: "pages" });
  const filter = el("input", { id, type: "search", placeholder: "Filter rows", oninput: () => { state.filter = filter.value.toLowerCase(); state.page = 0; draw(); } });
  const settings = head.map((_, n) => ({ align: rows.some((row) => isNumber(row[n])) ? "right" : "left" }));
  const heads = head.map((cell, n) => {
    const button = el("button", { type: "button", class: "sort", onclick: () => sort(n) }, shown(cell), el("span", { class: "arrow", "aria-hidden": "true" }));
    return el("th", { scope: "col", "aria-sort": "none", class: settings[n].align }, button);
  });
  const sort = (n) => {
    state.up = state.column === n ? !state.up : true;
    state.column = n;
    state.page = 0;
    draw();
  };
  const draw = () => {
    const found = order(rows.filter((row) => row.some((cell) => words(cell).toLowerCase().includes(state.filter))), state);
    const pages = Math.max(1, Math.ceil(found.length / size));
    state.page = Math.min(state.page, pages - 1);
    heads.forEach((th, n) => th.setAttribute("aria-sort", n !== state.column ? "none" : state.up ? "ascending" : "descending"));
    const part = found.slice(state.page * size, (state.page + 1) * size);
    body.replaceChildren(...part.map((row) => el("tr", {}, row.map((cell, n) => cellOf(n === key ? "th" : "td", cell, settings[n], n === key ? { scope: "row" } : {})))));
    if (!part.length) body.append(el("tr", {}, el("td", { colspan: head.length, class: "none" }, "No row has that.")));
    foot.replaceChildren(...turner(state, pages, found.length, rows.length, draw));
  };
  draw();
  return el("div", { class: "data-table" },
    el("div", { class: "bar" }, el("b", {}, block.caption), el("label", { for: id, class: "hidden" }, "Filter rows"), filter),
    el("div", { class: "scroll", tabindex: 0 }, el("table", {}, el("caption", { class: "hidden" }, block.caption), el("thead", {}, el("tr", {}, heads)), body)), foot);
}

function order(rows, { column, up }) {
  if (column < 0) return rows;
  const rank = (cell) => (isNumber(cell) ? cell.value : words(cell));
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1; // "–" and other words stand after the numbers
    return a.localeCompare(b, "en", { numeric: true });
  };
  return [...rows].sort((a, b) => compare(rank(a[column]), rank(b[column])) * (up ? 1 : -1));
}

function turner(state, pages, found, all, draw) {
  const count = el("span", { "aria-live": "polite" }, `${found === all ? all : `${found} of ${all}`} rows${pages > 1 ? `, page ${state.page + 1} of ${pages}` : ""}`);
  if (pages === 1) return [count];
  const turn = (label, by, off) => el("button", { type: "button", class: "button small", disabled: off, onclick: () => { state.page += by; draw(); } }, label);
  return [turn("Previous", -1, state.page === 0), count, turn("Next", 1, state.page === pages - 1)];
}
