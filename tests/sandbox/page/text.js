// Slack's words to DOM: plain_text, mrkdwn, rich_text and markdown.
// https://docs.slack.dev/messaging/formatting-message-text and https://docs.slack.dev/reference/block-kit/blocks/rich-text-block

import { el, link } from "./dom.js";
import { when } from "./time.js";

const EMOJI = {
  large_green_circle: "🟢", large_yellow_circle: "🟡", white_circle: "⚪", grey_question: "❔", hourglass_flowing_sand: "⏳",
  raised_hand: "✋", white_check_mark: "✅", leftwards_arrow_with_hook: "↩️", no_entry: "⛔", heavy_minus_sign: "➖", warning: "⚠️",
  rotating_light: "🚨", eyes: "👀", lock: "🔒", x: "❌", red_circle: "🔴", large_blue_circle: "🔵", question: "❓", exclamation: "❗",
  information_source: "ℹ️", bulb: "💡", memo: "📝", calendar: "📆", bar_chart: "📊", mag: "🔍", bell: "🔔", key: "🔑", tada: "🎉",
  wave: "👋", "+1": "👍", "-1": "👎", heavy_check_mark: "✔️", arrow_right: "➡️", arrow_up: "⬆️", arrow_down: "⬇️", zap: "⚡",
  robot_face: "🤖", hourglass: "⌛", repeat: "🔁", link: "🔗", shield: "🛡️", page_facing_up: "📄", clock3: "🕒", star: "⭐",
};

const emoji = (name) => (Object.hasOwn(EMOJI, name) ? el("span", { class: "emoji", role: "img", "aria-label": name.replaceAll("_", " ") }, EMOJI[name]) : `:${name}:`);
const decode = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const mention = (text, mine = false) => el("span", { class: mine ? "mention mine" : "mention" }, text);

/** The names behind ids. */
export const names = { me: "", users: new Map(), groups: new Map(), channels: new Map() };

const user = (id) => mention(`@${names.users.get(id) ?? id}`, id === names.me);
const group = (id) => mention(`@${names.groups.get(id)?.handle ?? id}`, names.groups.get(id)?.mine);
const channel = (id) => mention(`#${names.channels.get(id) ?? id}`);

/** plain_text: nothing in it means anything, except emoji where the text asks for them (Slack's default). */
export function plain(object) {
  if (object.emoji === false) return [object.text];
  return object.text.split(/:([a-z0-9_+-]+):/).map((word, n) => (n % 2 ? emoji(word) : word));
}

/** A text object of either type. */
export function text(object) {
  return object.type === "mrkdwn" ? mrkdwn(object.text, object.verbatim === true) : plain(object);
}

/** A text object's words alone, for labels that cannot hold elements. */
export const words = (object) => el("span", {}, text(object)).textContent;

/** mrkdwn: fences and quotes first, then what stands within lines. */
export function mrkdwn(source, verbatim = true) {
  return source.split(/```\n?([\s\S]+?)\n?```/).flatMap((piece, n) => {
    if (n % 2) return [el("pre", {}, decode(piece))];
    return piece ? quotes(piece, verbatim) : [];
  });
}

function quotes(piece, verbatim) {
  const out = [];
  let lines = [], quoted = false;
  const end = () => {
    if (!lines.length) return;
    const inside = inline(lines.join("\n"), verbatim);
    out.push(quoted ? el("blockquote", {}, inside) : el("span", { class: "run" }, inside));
    lines = [];
  };
  for (const line of piece.split("\n")) {
    const mark = line.match(/^(&gt;|>) ?/);
    if (Boolean(mark) !== quoted) { end(); quoted = Boolean(mark); }
    lines.push(mark ? line.slice(mark[0].length) : line);
  }
  end();
  return out;
}

const TAGS = { "*": "b", _: "i", "~": "s" };

function inline(source, verbatim) {
  const out = [];
  let said = "", at = 0;
  const add = (node, length) => { if (said) out.push(decode(said)); said = ""; out.push(node); at += length; };
  const take = (rule) => { rule.lastIndex = at; return rule.exec(source); };
  while (at < source.length) {
    const sign = source[at], free = at === 0 || !/[\p{L}\p{N}]/u.test(source[at - 1]);
    let m;
    if (sign === "<" && (m = take(/<([^<>\n]+)>/y))) add(token(m[1]), m[0].length);
    else if (sign === "`" && (m = take(/`([^`\n]+)`/y))) add(el("code", {}, decode(m[1])), m[0].length);
    else if (sign === ":" && (m = take(/:([a-z0-9_+-]+):/y)) && Object.hasOwn(EMOJI, m[1])) add(emoji(m[1]), m[0].length);
    else if (sign in TAGS && free && (m = take(/([*_~])(?=\S)([^\n]*?\S)\1(?![\p{L}\p{N}])/uy))) add(el(TAGS[sign], {}, inline(m[2], verbatim)), m[0].length);
    else if (!verbatim && free && sign === "h" && (m = take(/https?:\/\/[^\s<>|]+[^\s<>|.,:;!?)]/y))) add(link(decode(m[0])), m[0].length);
    else { said += sign; at += 1; }
  }
  if (said) out.push(decode(said));
  return out;
}

/** What stands between < and >. */
function token(inside) {
  const cut = inside.indexOf("|");
  const [target, label] = cut < 0 ? [inside, ""] : [inside.slice(0, cut), decode(inside.slice(cut + 1))];
  const [kind, id] = [target[0], target.slice(1)];
  if (kind === "@") return user(id);
  if (kind === "#") return channel(id);
  if (kind !== "!") return link(decode(target), label || decode(target));
  const [word, ...rest] = id.split("^");
  if (word === "subteam") return group(rest[0]);
  if (word === "date") {
    const shown = when(rest[0], rest[1] || "", label);
    return rest[2] ? link(decode(rest[2]), shown) : el("time", { title: label }, shown);
  }
  return ["here", "channel", "everyone"].includes(word) ? mention(`@${word}`, true) : label || `<${inside}>`;
}

// -- rich_text -------------------------------------------------------------------------------------------------------

/** The parts of a rich_text block or cell. */
export function rich(block) {
  return block.elements.map(part);
}

function part(node) {
  if (node.type === "rich_text_list") return richList(node);
  const inside = node.elements.map(leaf);
  if (node.type === "rich_text_section") return el("div", { class: "run" }, inside);
  if (node.type === "rich_text_preformatted") return el("pre", { tabindex: 0 }, inside);
  if (node.type === "rich_text_quote") return el("blockquote", {}, inside);
  return el("div", { class: "unknown" }, `Unknown part of rich_text: ${node.type}`);
}

function richList(node) {
  const ordered = node.style === "ordered", indent = Math.min(8, node.indent || 0);
  const start = ordered && node.offset ? node.offset + 1 : null;
  const list = el(ordered ? "ol" : "ul", { class: `rich level-${indent % 3}`, start }, node.elements.map((line) => el("li", {}, line.elements.map(leaf))));
  list.style.marginLeft = `${indent * 24}px`;
  return list;
}

const LEAVES = {
  text: (e) => e.text,
  emoji: (e) => emoji(e.name),
  user: (e) => user(e.user_id),
  usergroup: (e) => group(e.usergroup_id),
  channel: (e) => channel(e.channel_id),
  broadcast: (e) => mention(`@${e.range}`, true),
  link: (e) => link(e.url, e.text || e.url),
  team: (e) => e.team_id,
  color: (e) => el("code", {}, e.value),
  date: (e) => {
    const shown = when(e.timestamp, e.format, e.fallback || "");
    return e.url ? link(e.url, shown) : el("time", { title: e.fallback }, shown);
  },
};

const STYLES = [["code", "code"], ["bold", "b"], ["italic", "i"], ["strike", "s"], ["underline", "u"], ["highlight", "mark"]];

function leaf(node) {
  const draw = LEAVES[node.type];
  if (!draw) return el("span", { class: "unknown" }, `Unknown: ${node.type}`);
  return STYLES.reduce((inside, [name, tag]) => (node.style?.[name] ? el(tag, {}, inside) : inside), draw(node));
}

// -- markdown --------------------------------------------------------------------------------------------------------

/** The markdown block: https://docs.slack.dev/reference/block-kit/blocks/markdown-block. Headings, lists, tables, fences, quotes. */
export function markdown(source) {
  return source.split(/^```\w*\n([\s\S]*?)\n?```$/m).flatMap((piece, n) => (n % 2 ? [el("pre", {}, piece)] : piece.split(/\n{2,}/).filter((p) => p.trim()).flatMap(paragraph)));
}

function paragraph(piece) {
  const lines = piece.split("\n").filter((line) => line.trim());
  if (lines.length > 1 && /^\s*\|?[\s:|-]+\|?\s*$/.test(lines[1]) && lines[0].includes("|")) return [markTable(lines)];
  const out = [];
  let run = [], kind = "";
  const end = () => { if (run.length) out.push(RUNS[kind](run)); run = []; };
  for (const line of lines) {
    const head = line.match(/^(#{1,6}) (.*)$/);
    const is = head ? "" : (/^\s*[-*+] /.test(line) ? "ul" : /^\s*\d+[.)] /.test(line) ? "ol" : /^> ?/.test(line) ? "quote" : "p");
    if (is !== kind || head) { end(); kind = is; }
    if (head) out.push(el(`h${Math.min(6, head[1].length + 2)}`, {}, marks(head[2])));
    else if (/^(-{3,}|\*{3,})$/.test(line.trim())) { end(); out.push(el("hr")); }
    else run.push(line);
  }
  end();
  return out;
}

const items = (lines) => lines.map((line) => el("li", {}, marks(line.replace(/^\s*([-*+]|\d+[.)]) /, ""))));
const RUNS = {
  "": (lines) => el("p", {}, marks(lines.join("\n"))),
  p: (lines) => el("p", {}, marks(lines.join("\n"))),
  ul: (lines) => el("ul", { class: "rich" }, items(lines)),
  ol: (lines) => el("ol", { class: "rich" }, items(lines)),
  quote: (lines) => el("blockquote", {}, marks(lines.map((line) => line.replace(/^> ?/, "")).join("\n"))),
};

function markTable(lines) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const row = (tag) => (line) => el("tr", {}, cells(line).map((cell) => el(tag, {}, marks(cell))));
  return el("div", { class: "scroll", tabindex: 0 }, el("table", {}, el("thead", {}, row("th")(lines[0])), el("tbody", {}, lines.slice(2).map(row("td")))));
}

function marks(source) {
  const rule = /`([^`\n]+)`|\*\*(?=\S)([^\n]+?)\*\*|\*(?=\S)([^*\n]+?)\*|~~([^~\n]+)~~|\[([^\]\n]+)\]\(([^)\s]+)\)|<((?:@|#|!|https?:)[^<>\n]+)>/g;
  const out = [];
  let at = 0;
  for (const m of source.matchAll(rule)) {
    out.push(source.slice(at, m.index));
    at = m.index + m[0].length;
    if (m[1]) out.push(el("code", {}, m[1]));
    else if (m[2]) out.push(el("b", {}, marks(m[2])));
    else if (m[3]) out.push(el("i", {}, marks(m[3])));
    else if (m[4]) out.push(el("s", {}, marks(m[4])));
    else out.push(m[5] ? link(m[6], m[5]) : token(m[7]));
  }
  out.push(source.slice(at));
  return out;
}
