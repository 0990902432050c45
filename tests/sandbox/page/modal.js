// Forms and questions: https://docs.slack.dev/surfaces/modals. A form that the app updates while it is open keeps what was entered.

import { post } from "./api.js";
import { blocks } from "./blocks.js";
import { el, icon } from "./dom.js";
import { question } from "./elements.js";
import { refocus } from "./messages.js";
import { text, words } from "./text.js";

const box = document.getElementById("modal");
const ask = document.getElementById("ask");
const seen = { id: "", hash: "", entered: {} };
const KEPT = "entered/"; // what was entered outlives a reload, and a look as somebody else

/** Closes a dialog. Chromium gives the focus back while the field behind is still inert, and then swallows what is typed: so once more. */
function shut(dialog) {
  dialog.close();
  const back = document.activeElement;
  back?.blur();
  requestAnimationFrame(() => { if (back?.isConnected && document.activeElement === document.body) back.focus({ preventScroll: true }); });
}

/** Slack's confirm dialog: true where the person goes on. */
export function confirmed(confirm) {
  return new Promise((done) => {
    ask.oncancel = () => done(false);
    ask.replaceChildren(question(confirm, (said) => { shut(ask); done(said); }));
    ask.showModal();
  });
}

/** Shows the form that this person has open, if any. `refresh` is called when something may have changed. */
export function drawModal(view, refresh) {
  if (!view) { forget(); return; }
  if (view.id === seen.id && view.hash === seen.hash && box.open) return;
  if (view.id !== seen.id) Object.assign(seen, { id: view.id, entered: JSON.parse(sessionStorage[KEPT + view.id] || "{}") });
  seen.hash = view.hash;
  const fresh = formOf(view, refresh);
  const had = box.contains(document.activeElement);
  const scroll = box.querySelector(".body")?.scrollTop || 0;
  if (box.firstElementChild && box.open) refocus(box, () => box.replaceChildren(fresh), fresh);
  else box.replaceChildren(fresh);
  fresh.querySelector(".body").scrollTop = scroll;
  box.oncancel = (event) => { event.preventDefault(); leave(view, refresh); };
  if (!box.open) box.showModal();
  const first = fresh.querySelector("[autofocus]") || fresh.querySelector(".body input:not([type=radio]:not(:checked)), .body textarea");
  if (first && !(had && fresh.contains(document.activeElement) && document.activeElement !== fresh)) (first.matches("input,textarea") ? first : first.querySelector("input") || first).focus();
}

function forget() {
  Object.assign(seen, { id: "", hash: "", entered: {} });
  if (box.open) shut(box);
  box.replaceChildren();
}

async function leave(view, refresh) {
  delete sessionStorage[KEPT + view.id];
  await post("close", { view_id: view.id });
  refresh();
}

function placeOf(view) {
  const told = (block, node) => ({ view_id: view.id, block_id: block.block_id, action_id: node.action_id, values: seen.entered });
  return {
    held: (block, node) => stateOf(seen.entered[block.block_id]?.[node.action_id]) ?? view.state?.values?.[block.block_id]?.[node.action_id],
    note: (block, node, value) => {
      seen.entered[block.block_id] = { ...seen.entered[block.block_id], [node.action_id]: value };
      sessionStorage[KEPT + view.id] = JSON.stringify(seen.entered);
      mark(block.block_id, "");
    },
    act: (block, node, value) => post("click", { ...told(block, node), ...(node.type === "button" ? { value } : { option: value }) }),
    suggest: (block, node, query) => post("suggest", { ...told(block, node), text: query }),
  };
}

/** What was entered here, as Slack writes a state: under every name that an element may read it by. */
function stateOf(value) {
  if (value === undefined) return undefined;
  const names = ["option", "user", "channel", "conversation", "date", "time", "date_time"].map((name) => `selected_${name}`);
  return Object.fromEntries([["value", value], ...names.flatMap((name) => [[name, Array.isArray(value) ? null : value], [`${name}s`, Array.isArray(value) ? value : null]])]);
}

function formOf(view, refresh) {
  const submit = view.submit ? el("button", { type: "submit", class: "button primary" }, text(view.submit)) : null;
  const form = el("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); send(view, submit, refresh); } },
    el("header", {}, el("h2", { id: "modal-title" }, text(view.title)), el("button", { type: "button", class: "plain", "aria-label": "Close the form", onclick: () => leave(view, refresh) }, icon("close"))),
    el("div", { class: "body" }, blocks(view.blocks, placeOf(view)), el("p", { class: "trouble", role: "alert", hidden: true })),
    el("footer", {}, el("button", { type: "button", class: "button", onclick: () => leave(view, refresh) }, view.close ? text(view.close) : view.depth > 1 ? "Back" : "Close"), submit));
  box.setAttribute("aria-labelledby", "modal-title");
  box.dataset.title = words(view.title);
  return form;
}

async function send(view, submit, refresh) {
  if (!submit || submit.disabled) return;
  view.blocks.forEach((block) => mark(block.block_id, ""));
  const trouble = box.querySelector(".body > .trouble");
  trouble.hidden = true;
  submit.disabled = true;
  submit.setAttribute("aria-busy", "true");
  const answer = await post("submit", { view_id: view.id, values: seen.entered });
  submit.disabled = false;
  submit.removeAttribute("aria-busy");
  if (answer.ok) delete sessionStorage[KEPT + view.id];
  const errors = Object.entries(answer.errors || {});
  errors.forEach(([block, said]) => mark(block, said));
  if (errors.length) fieldOf(errors[0][0])?.focus();
  if (!answer.ok && !errors.length) {
    trouble.textContent = `We had some trouble connecting: ${answer.error || "the app did not answer"}. Try again?`;
    trouble.hidden = false;
    trouble.scrollIntoView({ block: "nearest" });
  }
  refresh();
}

const fieldOf = (block) => document.getElementById(`in-${block}`) || box.querySelector(`[data-block="${CSS.escape(block)}"] input`);

function mark(block, said) {
  const line = document.getElementById(`err-${block}`);
  if (line) line.textContent = said;
  if (said) fieldOf(block)?.setAttribute("aria-invalid", "true");
  else fieldOf(block)?.removeAttribute("aria-invalid");
}
