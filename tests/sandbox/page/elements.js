// What a person can press, choose or type: https://docs.slack.dev/reference/block-kit/block-elements.
//
// A place gives four functions: `held(block, element)` is the element's state as Slack writes it, `act(block, element, value)` delivers a
// press or choice, `note(block, element, value)` keeps what was entered in a form, `suggest(block, element, text)` asks the app for options.

import { el, icon, link, safe, unique } from "./dom.js";
import { menu } from "./menu.js";
import { picker } from "./picker.js";
import { mrkdwn, names, text, words } from "./text.js";

/** Set by the page: what the dialogs and links need of it. */
export const page = { confirm: async () => true, jump: () => false, people: () => [], places: () => [], current: () => "" };

const option = (value, label, about = "") => ({ value, text: { type: "plain_text", text: label, emoji: false }, ...(about ? { description: { type: "plain_text", text: about, emoji: false } } : {}) });
const keepOf = (block, element) => `${block.block_id || ""}/${element.action_id || ""}`;

/** An element of an actions block, an accessory, or (with `form`) the one of an input block. */
export function element(node, block, place, form = null) {
  const draw = DRAW[node.type];
  if (!draw) return el("span", { class: "unknown" }, `Unknown element: ${node.type}`);
  return draw(node, block, place, form);
}

/** The element's state: what the place holds for it, else what it begins with (`initial_value`, `initial_options`, …). */
function heldBy(node, block, place) {
  const firsts = Object.entries(node).filter(([name]) => name.startsWith("initial_"));
  return place.held(block, node) ?? Object.fromEntries(firsts.map(([name, value]) => [name === "initial_value" ? "value" : name.replace("initial_", "selected_"), value]));
}

/** What a change does: in a form it is kept (and told where dispatch_action asks for it), elsewhere it is told at once. */
function changed(node, block, place, form) {
  return async (value, where) => {
    if (form) {
      place.note(block, node, value);
      if (!block.dispatch_action) return;
    }
    await tell(node, block, place, value, where);
  };
}

async function tell(node, block, place, value, where) {
  if (node.confirm && !(await page.confirm(node.confirm))) return;
  where?.setAttribute("aria-busy", "true");
  if (where?.tagName === "BUTTON") where.disabled = true;
  const answer = await place.act(block, node, value);
  where?.removeAttribute("aria-busy");
  if (where?.tagName === "BUTTON") where.disabled = false;
  complain(where, answer.ok ? "" : answer.error || "The app did not answer.");
}

/** What went wrong stands beside what was pressed, until the next try. */
function complain(where, said) {
  const box = where?.closest(".block, .input");
  box?.querySelectorAll(".trouble").forEach((old) => old.remove());
  if (said) box?.append(el("p", { class: "trouble", role: "alert" }, `⚠ That did not work: ${said}`));
}

function button(node, block, place) {
  const url = node.url ? safe(node.url) : "";
  const press = async (event) => {
    const where = event.currentTarget;
    if (url && !page.jump(url)) open(url, "_blank", "noopener,noreferrer");
    await tell(node, block, place, node.value ?? null, where);
  };
  return el("button", { type: "button", class: `button ${node.style || ""}`,
    "aria-label": node.accessibility_label, "data-action": node.action_id, "data-keep": keepOf(block, node), onclick: press },
    el("span", { class: "words" }, text(node.text)), url ? icon("out") : null);
}

// -- selects ---------------------------------------------------------------------------------------------------------

const MANY = 100;

/** Options of a select whose list is known. */
function filtered(groups) {
  return (query) => {
    const want = query.toLowerCase();
    const fits = (one) => `${words(one.text)} ${one.description ? words(one.description) : ""}`.toLowerCase().includes(want);
    return { groups: groups.map((group) => ({ label: group.label, options: group.options.filter(fits) })) };
  };
}

const people = () => [{ options: page.people().map((u) => option(u.id, `@${u.name}`, u.real_name === u.name ? "" : u.real_name)) }];
const places = (kinds) => () => [{ options: page.places().filter((c) => kinds.includes(c.kind) && !c.archived).map((c) =>
  option(c.id, c.kind === "dm" ? `@${c.name}` : `#${c.name}`, c.shared ? "shared with another company" : "")) }];
const ALL_KINDS = ["channel", "private", "dm"];

function conversations(node) {
  const include = node.filter?.include;
  if (!include) return places(ALL_KINDS)();
  const kinds = [include.includes("public") && "channel", include.includes("private") && "private", include.includes("im") && "dm"];
  const found = places(kinds)();
  const shared = new Set(page.places().filter((c) => c.shared).map((c) => c.id));
  return node.filter.exclude_external_shared_channels ? [{ options: found[0].options.filter((o) => !shared.has(o.value)) }] : found;
}

// type -> [field of the state, is it an option or an id, the groups to choose from]
const SELECTS = {
  static: ["option", (node) => node.option_groups || [{ options: node.options }]],
  external: ["option", null],
  users: ["user", people],
  channels: ["channel", places(["channel", "private"])],
  conversations: ["conversation", conversations],
};

function select(node, block, place, form) {
  const many = node.type.startsWith("multi_");
  const [field, groups] = SELECTS[node.type.replace(/^multi_|_select$/g, "")];
  const ids = field !== "option";
  const state = heldBy(node, block, place)?.[`selected_${field}${many ? "s" : ""}`] ?? [];
  const known = ids ? groups(node).flatMap((group) => group.options) : [];
  const chosen = [state].flat().filter(Boolean).map((one) => (ids ? known.find((o) => o.value === one) || option(one, one) : one));
  const told = changed(node, block, place, form);
  const here = node.default_to_current_conversation && !chosen.length && known.find((o) => o.value === page.current());
  if (here) {
    chosen.push(here);
    place.note(block, node, many ? [here.value] : here.value);
  }
  const made = picker({
    id: form?.id, label: form?.label || (node.placeholder ? words(node.placeholder) : "Choose"), placeholder: node.placeholder ? words(node.placeholder) : "Choose",
    keep: keepOf(block, node), many: many ? node.max_selected_items || MANY : 0, chosen,
    least: groups ? 0 : node.min_query_length ?? 3, asks: !groups,
    find: groups ? (query) => filtered(groups(node))(query) : (query) => asked(node, block, place, query),
    pick: (options) => {
      const values = ids ? options.map((o) => o.value) : options;
      return told(many ? values : values[0] ?? null, made);
    },
  });
  return made;
}

async function asked(node, block, place, query) {
  const answer = await place.suggest(block, node, query);
  if (answer.error) return { error: `The app gave no options (${answer.error})` };
  return { groups: answer.option_groups || [{ options: answer.options || [] }] };
}

// -- boxes, overflow -------------------------------------------------------------------------------------------------

function choices(node, block, place, form) {
  const radio = node.type === "radio_buttons", name = unique("choice");
  const held = heldBy(node, block, place);
  const on = new Set([held.selected_option, ...(held.selected_options || [])].filter(Boolean).map((one) => one.value));
  const told = changed(node, block, place, form);
  const boxes = node.options.map((one) => el("input", { type: radio ? "radio" : "checkbox", name, checked: on.has(one.value), value: one.value,
    "data-keep": `${keepOf(block, node)}/${one.value}`, onchange: () => told(value(), box) }));
  const value = () => {
    const picked = node.options.filter((_, n) => boxes[n].checked);
    return radio ? picked[0] ?? null : picked;
  };
  const box = el("div", { class: "choices", role: radio ? "radiogroup" : "group", "aria-label": form?.label },
    node.options.map((one, n) => el("label", { class: "choice" }, boxes[n], el("span", {}, el("span", { class: "run" }, text(one.text)), one.description ? el("small", {}, text(one.description)) : null))));
  return box;
}

function overflow(node, block, place) {
  const more = el("button", { type: "button", class: "button", "aria-label": "More", "data-keep": keepOf(block, node) }, "⋯");
  const choose = (one) => {
    if (one.url && safe(one.url)) open(safe(one.url), "_blank", "noopener,noreferrer");
    tell(node, block, place, one, more);
  };
  return el("span", {}, menu(more, node.options.map((one) => [text(one.text), () => choose(one)]), "More"));
}

// -- typed -----------------------------------------------------------------------------------------------------------

const TYPES = { plain_text_input: "text", number_input: "number", email_text_input: "email", url_text_input: "url", datepicker: "date", timepicker: "time", datetimepicker: "datetime-local" };
const FIELDS = { datepicker: "selected_date", timepicker: "selected_time", datetimepicker: "selected_date_time" };

function typed(node, block, place, form) {
  const field = FIELDS[node.type] || "value";
  const told = changed(node, block, place, form);
  const start = heldBy(node, block, place)?.[field] ?? "";
  const picks = field !== "value";
  const read = () => (node.type === "datetimepicker" ? (input.value ? Math.floor(new Date(input.value).getTime() / 1000) : null) : input.value);
  const events = picks ? { onchange: () => told(read(), input) } : { oninput: () => { if (form) place.note(block, node, input.value); },
    onkeydown: (event) => dispatch(event, node, block, place, input) };
  const common = {
    id: form?.id, "aria-label": form ? null : node.placeholder && words(node.placeholder), placeholder: node.placeholder ? words(node.placeholder) : null, "data-keep": keepOf(block, node),
    maxlength: node.max_length, minlength: node.min_length, min: node.min_value, max: node.max_value, step: node.type === "number_input" && node.is_decimal_allowed ? "any" : null, ...events,
  };
  const input = node.multiline ? el("textarea", { rows: 4, ...common }) : el("input", { type: TYPES[node.type], class: picks ? "short" : null, ...common });
  input.value = node.type === "datetimepicker" && start ? new Date(Number(start) * 1000).toISOString().slice(0, 16) : start;
  return input;
}

/** dispatch_action: Enter tells the app what was typed. */
function dispatch(event, node, block, place, input) {
  if (event.key !== "Enter" || !block.dispatch_action || node.multiline) return;
  event.preventDefault();
  tell(node, block, place, input.value, input);
}

function picture(node) {
  return image(node, "thumb");
}

/** A picture of the workspace's own is shown; one of elsewhere is named, as nothing is loaded from there. */
export function image(node, kind) {
  const own = node.slack_file?.id;
  if (own) return el("img", { class: kind, src: `/sandbox/file/${encodeURIComponent(own)}?user=${encodeURIComponent(names.me)}`, alt: node.alt_text });
  return el("span", { class: `elsewhere ${kind}` }, "Picture: ", node.image_url ? link(node.image_url, node.alt_text) : node.alt_text);
}

const DRAW = {
  button, workflow_button: button, overflow, checkboxes: choices, radio_buttons: choices, image: picture,
  ...Object.fromEntries(Object.keys(SELECTS).flatMap((kind) => [[`${kind}_select`, select], [`multi_${kind}_select`, select]])),
  ...Object.fromEntries(Object.keys(TYPES).map((kind) => [kind, typed])),
};

/** Slack's confirm object as the inside of a dialog. */
export function question(confirm, end) {
  return el("form", { class: "question", onsubmit: (event) => { event.preventDefault(); end(true); } },
    el("h2", { id: "ask-title" }, text(confirm.title)), el("div", { class: "body" }, confirm.text.type === "mrkdwn" ? mrkdwn(confirm.text.text) : text(confirm.text)),
    el("footer", {}, el("button", { type: "button", class: "button", onclick: () => end(false) }, text(confirm.deny)),
      el("button", { type: "submit", class: `button ${confirm.style || "primary"}`, autofocus: true }, text(confirm.confirm))));
}
