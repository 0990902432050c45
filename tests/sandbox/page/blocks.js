// Block Kit to DOM: https://docs.slack.dev/reference/block-kit/blocks. A block that is not known is shown by its name, never left out.

import { chart } from "./chart.js";
import { el, icon, unique } from "./dom.js";
import { element, image } from "./elements.js";
import { dataTable, table } from "./tables.js";
import { markdown, rich, text, words } from "./text.js";

/** The blocks of a message, a form or a home; `place` is what elements.js asks of it. */
export function blocks(list, place) {
  return list.map((block) => {
    const draw = BLOCKS[block.type];
    const inside = draw ? draw(block, place) : [el("p", { class: "unknown" }, `This page cannot show a block of type “${block.type}”.`)];
    return el("div", { class: `block ${draw ? block.type : "strange"}`, "data-block": block.block_id }, inside);
  });
}

function section(block, place) {
  const said = [
    block.text ? el("div", { class: "run" }, text(block.text)) : null,
    block.fields ? el("div", { class: "fields" }, block.fields.map((field) => el("div", { class: "run" }, text(field)))) : null,
  ];
  return [el("div", { class: "said" }, said), block.accessory ? el("div", { class: "accessory" }, element(block.accessory, block, place)) : null];
}

const context = (block) => block.elements.map((one) => (one.type === "image" ? image(one, "small") : el("span", {}, text(one))));

function input(block, place) {
  const node = block.element, id = `in-${block.block_id}`, label = words(block.label);
  const grouped = ["radio_buttons", "checkboxes"].includes(node.type);
  const made = element(node, block, place, { id, label });
  const field = made.id === id ? made : made.querySelector(`[id="${CSS.escape(id)}"]`) || made;
  const hint = block.hint ? el("p", { id: `hint-${block.block_id}`, class: "hint" }, text(block.hint)) : null;
  const error = el("p", { id: `err-${block.block_id}`, class: "fault", role: "alert" });
  field.setAttribute("aria-describedby", [hint?.id, error.id].filter(Boolean).join(" "));
  if (!block.optional) field.setAttribute("aria-required", "true");
  if (node.focus_on_load) field.setAttribute("autofocus", "");
  return el("div", { class: "input" }, el(grouped ? "span" : "label", { class: "label", for: grouped ? null : id }, text(block.label), block.optional ?
    el("small", {}, " (optional)") : null), made, hint, error);
}

const SIGNS = { default: "ℹ️", info: "ℹ️", warning: "⚠️", error: "⛔", success: "✅" };
const alert = (block) => el("div", { class: `alert ${block.level || "default"}`, role: "alert" },
  el("span", { "aria-hidden": "true" }, SIGNS[block.level || "default"] || "ℹ️"),
  el("div", { class: "run" }, text(block.text)));

const STATES = { pending: ["○", "To do"], in_progress: ["", "Now"], complete: ["✓", "Done"], error: ["✕", "Failed"] };

function task(node) {
  const [sign, said] = STATES[node.status] || STATES.pending;
  return el("div", { class: `task ${node.status || "pending"}` }, el("span", { class: "sign", role: "img", "aria-label": said }, sign),
    el("div", {}, el("span", {}, node.title), node.details ? rich(node.details) : null, node.output ? rich(node.output) : null));
}

const plan = (block) => [el("b", {}, block.title), el("ol", { class: "tasks" }, (block.tasks || []).map((one) => el("li", {}, task(one))))];

function container(block, place) {
  const head = [el("b", {}, text(block.title)), block.subtitle ? el("small", {}, text(block.subtitle)) : null];
  const inside = el("div", { class: "inside" }, blocks(block.child_blocks, place));
  if (!block.is_collapsible) return el("section", { class: "box" }, el("div", { class: "head" }, head), inside);
  return el("details", { class: "box", open: !block.default_collapsed }, el("summary", {}, head), inside);
}

function card(block, place) {
  const line = (name) => (block[name] ? el("div", { class: name }, text(block[name])) : null);
  const buttons = (block.actions || []).map((one) => element(one, block, place));
  return el("section", { class: "card" }, block.hero_image ? image(block.hero_image, "hero") : null,
    line("title"), line("subtitle"), line("body"), line("subtext"),
    buttons.length ? el("div", { class: "actions" }, buttons) : null);
}

function picture(block) {
  const title = block.title ? el("figcaption", {}, text(block.title)) : null;
  return el("figure", { class: "picture" }, title, image(block, "large"));
}

const video = (block) => el("p", { class: "elsewhere" }, "Video: ", text(block.title), " — ", block.alt_text);
const remote = (block) => el("p", { class: "chipline" }, icon("file"), ` A file kept elsewhere: ${block.external_id}`);

const BLOCKS = {
  header: (block) => el(`h${Math.min(6, Math.max(3, (block.level || 1) + 2))}`, { class: "title" }, text(block.text)),
  section, context, input, alert, plan, container, card, video,
  divider: () => el("hr"),
  actions: (block, place) => block.elements.map((one) => element(one, block, place)),
  image: picture,
  rich_text: rich,
  markdown: (block) => markdown(block.text),
  table, data_table: dataTable, data_visualization: chart,
  task_card: task,
  carousel: (block, place) => el("div", { class: "scroll row", tabindex: 0, id: unique("row") }, block.elements.map((one) => card(one, place))),
  file: remote,
};
