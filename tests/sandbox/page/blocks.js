// Block Kit to DOM. Text only ever becomes text nodes, so nothing that is drawn can be markup.
const EMOJI = { large_green_circle: "🟢", large_yellow_circle: "🟡", white_circle: "⚪", grey_question: "❔", hourglass_flowing_sand: "⏳", raised_hand: "✋", white_check_mark: "✅", leftwards_arrow_with_hook: "↩️", no_entry: "⛔", heavy_minus_sign: "➖", warning: "⚠️", rotating_light: "🚨", eyes: "👀", lock: "🔒" };

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node && key !== "list") node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== ""));
  return node;
}

function when(epoch, form, fallback) {
  const at = new Date(epoch * 1000);
  if (Number.isNaN(at.getTime())) return fallback;
  const day = at.toLocaleDateString([], { year: "numeric", month: "short", day: "numeric" });
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return form.replace(/\{date[a-z_]*\}/g, day).replace(/\{time[a-z_]*\}/g, time);
}

const decode = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

export function mrkdwn(text, names) {
  const out = [];
  const rule = /<!date\^(\d+)\^([^|>]+)\|([^>]*)>|<@([UW][A-Z0-9]+)>|<!subteam\^(S[A-Z0-9]+)>|<(https?:[^|>]+)(?:\|([^>]*))?>|:([a-z_]+):|`([^`]+)`|\*([^*\n]+)\*/g;
  let at = 0;
  for (const m of text.matchAll(rule)) {
    out.push(decode(text.slice(at, m.index)));
    at = m.index + m[0].length;
    if (m[1]) out.push(when(Number(m[1]), m[2], m[3]));
    else if (m[4]) out.push(el("span", { className: "mention" }, `@${names.users[m[4]] || m[4]}`));
    else if (m[5]) out.push(el("span", { className: "mention" }, `@${names.groups[m[5]] || m[5]}`));
    else if (m[6]) out.push(el("a", { href: m[6], rel: "noreferrer" }, decode(m[7] || m[6])));
    else if (m[8]) out.push(EMOJI[m[8]] || m[0]);
    else if (m[9]) out.push(el("code", {}, decode(m[9])));
    else out.push(el("b", {}, decode(m[10])));
  }
  out.push(decode(text.slice(at)));
  return out;
}

const object = (o, names) => (o.type === "mrkdwn" ? mrkdwn(o.text, names) : [o.text]);

function leaf(e, names) {
  if (e.type === "emoji") return EMOJI[e.name] || `:${e.name}:`;
  if (e.type === "user") return el("span", { className: "mention" }, `@${names.users[e.user_id] || e.user_id}`);
  if (e.type === "usergroup") return el("span", { className: "mention" }, `@${names.groups[e.usergroup_id] || e.usergroup_id}`);
  if (e.type === "date") return when(e.timestamp, e.format, e.fallback);
  if (e.type === "link") return /^(https?|mailto):/.test(e.url) ? el("a", { href: e.url, rel: "noreferrer" }, e.text || e.url) : e.text || e.url;
  if (e.type !== "text") return `[${e.type}]`;
  if (e.style?.code) return el("code", {}, e.text);
  return e.style?.bold ? el("b", {}, e.text) : e.text;
}

function rich(block, names) {
  return block.elements.map((part) => {
    if (part.type === "rich_text_list") return el("ul", { className: "rich" }, part.elements.map((s) => el("li", {}, s.elements.map((e) => leaf(e, names)))));
    const inner = part.elements.map((e) => leaf(e, names));
    if (part.type === "rich_text_preformatted") return el("pre", {}, inner);
    if (part.type === "rich_text_quote") return el("blockquote", {}, inner);
    return el("div", { className: "line" }, inner);
  });
}

const cellText = (cell) => (cell.type === "rich_text" ? cell.elements.flatMap((s) => s.elements.map((e) => e.text || "")).join("") : cell.text);

function table(block) {
  const [head, ...rows] = block.rows;
  const settings = block.column_settings || [];
  const body = rows.map((row) => el("tr", {}, row.map((c, n) => el("td", { className: c.type === "raw_number" || settings[n]?.align === "right" ? "n" : "" }, cellText(c)))));
  return el("div", { className: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, head.map((c) => el("th", {}, cellText(c))))), el("tbody", {}, body)));
}

function dataTable(block) {
  const [head, ...rows] = block.rows;
  let page = 0, order = null, shown = rows;
  const box = el("div", { className: "scroll" });
  const draw = () => {
    const size = block.page_size || 5;
    const pages = Math.max(1, Math.ceil(shown.length / size));
    const sort = (n) => { order = order && order.n === n ? { n, up: !order.up } : { n, up: true };
      shown = [...rows].sort((a, b) => (a[n].value !== undefined && b[n].value !== undefined ? a[n].value - b[n].value : cellText(a[n]).localeCompare(cellText(b[n]))) * (order.up ? 1 : -1)); page = 0; draw(); };
    const headRow = el("tr", {}, head.map((c, n) => el("th", { "aria-sort": order?.n === n ? (order.up ? "ascending" : "descending") : "none" }, el("button", { type: "button", onclick: () => sort(n) }, cellText(c), order?.n === n ? (order.up ? " ↑" : " ↓") : ""))));
    const body = shown.slice(page * size, page * size + size).map((row) => el("tr", {}, row.map((c) => el("td", { className: c.type === "raw_number" ? "n" : "" }, cellText(c)))));
    const turn = (by) => { page += by; draw(); };
    box.replaceChildren(
      el("table", {}, el("caption", {}, block.caption), el("thead", {}, headRow), el("tbody", {}, body)),
      pages > 1 ? el("div", { className: "actions" }, el("button", { className: "button", type: "button", disabled: page === 0, onclick: () => turn(-1) }, "Back"), el("span", {}, `${page + 1} of ${pages}`), el("button", { className: "button", type: "button", disabled: page >= pages - 1, onclick: () => turn(1) }, "Next")) : "");
  };
  draw();
  return box;
}

function chart(block) {
  const data = block.chart.series[0].data;
  const most = Math.max(1, ...data.map((d) => d.value));
  return el("div", {}, el("b", {}, block.title), el("pre", {}, data.map((d) => `${d.label.padEnd(18)}${String(d.value).padStart(4)} ${"█".repeat(Math.round((d.value / most) * 30))}`).join("\n")));
}

// A type-ahead: the ARIA combobox pattern. `ask(text)` answers {options | option_groups}.
export function combo(element, ask, pick, id) {
  const input = el("input", { id, role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", autocomplete: "off", "aria-label": element.placeholder?.text || "Choose", placeholder: element.placeholder?.text || "" });
  const list = el("ul", { role: "listbox", hidden: true });
  let options = [], at = -1, asked = 0;
  const close = () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); at = -1; };
  const choose = (o) => { input.value = o.text.text; close(); pick(o); };
  const mark = () => [...list.querySelectorAll("[role=option]")].forEach((li, n) => { li.setAttribute("aria-selected", String(n === at)); if (n === at) li.scrollIntoView({ block: "nearest" }); });
  const open = async () => {
    if (input.value.length < (element.min_query_length ?? 3)) return close();
    const mine = ++asked;
    const body = await ask(input.value);
    if (mine !== asked || !body) return;
    const groups = body.option_groups || [{ options: body.options || [] }];
    options = groups.flatMap((g) => g.options);
    list.replaceChildren(...groups.flatMap((g) => [g.label ? el("li", { className: "group" }, g.label.text) : "", ...g.options.map((o) => el("li", { role: "option", onmousedown: (e) => { e.preventDefault(); choose(o); } }, o.text.text, o.description ? el("small", {}, o.description.text) : ""))]).filter(Boolean));
    list.hidden = false; at = -1; input.setAttribute("aria-expanded", "true");
  };
  input.addEventListener("input", open);
  input.addEventListener("focus", open);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (e) => {
    if (e.key === "ArrowDown" || e.key === "ArrowUp") { e.preventDefault(); if (list.hidden) open(); else { at = (at + (e.key === "ArrowDown" ? 1 : -1) + options.length) % options.length; mark(); } }
    else if (e.key === "Enter" && !list.hidden && at >= 0) { e.preventDefault(); choose(options[at]); }
    else if (e.key === "Escape" && !list.hidden) { e.preventDefault(); e.stopPropagation(); close(); }
  });
  return el("span", { className: "combo" }, input, list);
}

export function blocks(list, names, act) {
  return list.map((block) => {
    const box = (...children) => el("div", { className: `block ${block.type}` }, ...children);
    switch (block.type) {
      case "header": return box(el("h3", {}, block.text.text));
      case "section": return box(...(block.text ? object(block.text, names) : []));
      case "context": return box(...block.elements.map((e) => el("span", {}, object(e, names))));
      case "divider": return el("hr");
      case "rich_text": return box(...rich(block, names));
      case "table": return box(table(block));
      case "data_table": return box(dataTable(block));
      case "data_visualization": return box(chart(block));
      case "actions": return box(...block.elements.map((e) => e.type === "button"
        ? el("button", { className: `button ${e.style || ""}`, type: "button", "data-action": e.action_id, onclick: (event) => act.press(e, event.currentTarget) }, e.text.text)
        : combo(e, (text) => act.suggest(e, text), (o) => act.choose(e, o))));
      default: return el("div", { className: "unknown" }, `Unknown block: ${block.type}`);
    }
  });
}
