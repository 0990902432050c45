// Lists of messages: channel, direct message, thread. Redraws only what changed, so that focus, scroll and open tables survive.

import { fileText, fileUrl, post } from "./api.js";
import { blocks } from "./blocks.js";
import { el, icon } from "./dom.js";
import { mrkdwn, names } from "./text.js";
import { dayName, exactly, timeOf } from "./time.js";

/** The app's own name, set by the page. */
export const app = { id: "", name: "IAM Audit" };

function placeOf(channel, message) {
  const told = (block, node) => ({ channel, ts: message.ts, block_id: block.block_id, action_id: node.action_id });
  return {
    held: (block, node) => message.state?.values?.[block.block_id]?.[node.action_id],
    note: () => undefined,
    act: (block, node, value) => post("click", { ...told(block, node), ...(node.type.endsWith("button") ? { value } : { option: value }) }),
    suggest: (block, node, text) => post("suggest", { ...told(block, node), text }),
  };
}

/** One message. `open` opens its thread; inside a thread there is none. */
function drawn(channel, message, open) {
  const bot = message.bot || message.user === app.id || message.ephemeral;
  const name = bot ? app.name : names.users.get(message.user) ?? message.user;
  const said = message.blocks?.length ? blocks(message.blocks, placeOf(channel, message)) : [message.text ? el("div", { class: "run" },
    bot ? mrkdwn(message.text) : message.text) : null];
  const hide = () => post("dismiss", { ts: message.ts });
  const node = el("article", { class: message.ephemeral ? "message private" : "message", "data-ts": message.ts, tabindex: -1, "aria-label": `${name}, ${timeOf(message.ts)}: ${(message.text || "").slice(0, 260)}` },
    message.ephemeral ? el("div", { class: "eye" }, icon("eye"), " Only visible to you ", el("button", { class: "text", type: "button", onclick: hide }, "Dismiss")) : null,
    el("div", { class: bot ? "avatar app" : `avatar tint${hue(name)}`, "aria-hidden": "true" }, bot ? icon("lock") : name[0].toUpperCase()),
    el("div", { class: "content" },
      el("div", { class: "who" }, el("b", {}, name), bot ? el("span", { class: "badge" }, "APP") : null, el("time", { title: exactly(message.ts) }, timeOf(message.ts))),
      said, (message.files || []).map(attached), message.edited && !message.blocks?.length ? el("small", { class: "edited" }, "(edited)") : null, el("div", { class: "below" })));
  node.update = (fresh) => node.querySelector(".below").replaceChildren(...(open && fresh.reply_count ? [repliesButton(fresh, open)] : []));
  node.update(message);
  return node;
}

const hue = (name) => [...name].reduce((sum, sign) => sum + sign.codePointAt(0), 0) % 6;

function repliesButton(message, open) {
  const count = `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`;
  return el("button", { class: "replies", type: "button", "data-keep": `replies/${message.ts}`, onclick: () => open(message.ts) },
    el("span", { class: "avatar app tiny", "aria-hidden": "true" }, icon("lock")), count, el("span", { class: "soft" }, "View thread"));
}

// -- files -----------------------------------------------------------------------------------------------------------

function attached(file) {
  const kind = file.name.split(".").pop().toLowerCase(), url = fileUrl(file);
  if (["png", "jpg", "jpeg", "gif"].includes(kind)) {
    return el("figure", { class: "picture" }, el("figcaption", {}, file.title || file.name),
      el("a", { href: url, target: "_blank", rel: "noopener" }, el("img", { class: "large", src: url, alt: file.alt_txt || file.title || file.name })));
  }
  const about = [kind.toUpperCase(), file.size ? sizeOf(file.size) : ""].filter(Boolean).join(" · ");
  const inside = el("div", { class: "scroll" });
  const look = el("details", { ontoggle: async () => { if (look.open && !inside.childNodes.length) inside.append(preview(kind, await fileText(file))); } }, el("summary", {}, "Preview"), inside);
  return el("div", { class: "file" },
    el("a", { class: "chip-file", href: url, download: file.name }, el("span", { class: `kind ${kind}`, "aria-hidden": "true" }, icon("file")),
      el("span", {}, el("b", {}, file.title || file.name), el("small", {}, file.title && file.title !== file.name ? `${file.name} · ${about}` : about))),
    ["csv", "json", "jsonl", "sh", "tf", "txt"].includes(kind) ? look : null);
}

const sizeOf = (bytes) => (bytes < 1024 ? `${bytes} bytes` : bytes < 1_048_576 ? `${(bytes / 1024).toFixed(1)} kB` : `${(bytes / 1_048_576).toFixed(1)} MB`);

function preview(kind, body) {
  if (kind !== "csv") return el("pre", {}, body.split("\n").slice(0, 14).join("\n"));
  const [head, ...rows] = csv(body).slice(0, 7);
  const line = (tag) => (row) => el("tr", {}, row.map((cell) => el(tag, {}, cell)));
  return el("table", {}, el("thead", {}, line("th")(head)), el("tbody", {}, rows.map(line("td"))));
}

function csv(body) {
  const rows = [[]];
  for (const m of body.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    rows.at(-1).push(m[1] !== undefined ? m[1].replaceAll('""', '"') : m[2]);
    if (m[3] !== ",") rows.push([]);
    if (!m[3] || rows.length > 8) break;
  }
  return rows.filter((row) => row.length && row.some(Boolean));
}

// -- keeping in step -------------------------------------------------------------------------------------------------

/** Puts a list of messages into `box`; `open` opens a thread, `pin` goes to the end. Answers whether something new stands below the fold. */
export function fill(box, channel, list, { open = null, pin = false } = {}) {
  const atEnd = pin || box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  box.dataset.end = String(atEnd);
  const rows = [];
  let day = "";
  for (const message of list) {
    if (dayName(message.ts) !== day) { day = dayName(message.ts);
      rows.push({ key: `day ${day}`, print: day, make: () => el("div", { class: "day", role: "separator", "aria-label": day }, el("span", {}, day)) }); }
    rows.push({ key: message.ts, print: JSON.stringify({ ...message, reply_count: 0, state: 0, channel, as: names.me }), message, make: () => drawn(channel, message, open) });
  }
  const before = box.lastElementChild?.key;
  sync(box, rows);
  if (atEnd) box.scrollTop = box.scrollHeight;
  return !atEnd && box.lastElementChild?.key !== before;
}

function sync(box, rows) {
  const old = new Map([...box.children].map((node) => [node.key, node]));
  rows.forEach((row, n) => {
    const known = old.get(row.key), here = box.children[n];
    old.delete(row.key);
    if (known?.print === row.print) {
      known.update?.(row.message);
      if (known !== here) box.insertBefore(known, here || null);
      return;
    }
    const made = Object.assign(row.make(), { key: row.key, print: row.print });
    if (known) refocus(known, () => known.replaceWith(made), made);
    else box.insertBefore(made, here || null);
    if (made !== box.children[n]) box.insertBefore(made, box.children[n] || null);
  });
  old.forEach((node) => node.remove());
}

/** Whoever had the focus in what is redrawn has it again, in the same field, at the same letter. */
export function refocus(old, swap, fresh) {
  const had = old.contains(document.activeElement) ? document.activeElement : null;
  const keep = had?.dataset.keep, at = had && "selectionStart" in had ? [had.selectionStart, had.selectionEnd] : null;
  swap();
  if (!had) return;
  const all = [...fresh.querySelectorAll("[data-keep]")];
  const next = all.find((node) => node.dataset.keep === keep) || all.find((node) => keep && node.dataset.keep.split("/").slice(1).join() === keep.split("/").slice(1).join());
  (next || fresh).focus({ preventScroll: true });
  try {
    if (next && at?.[0] !== null && at) next.setSelectionRange(...at);
  } catch {
    // a field of this type has no letters to stand at
  }
}
