// The field at the bottom: history, hints after "/", Enter sends.

import { post } from "./api.js";
import { el, unique } from "./dom.js";

// What can be typed, as in docs/commands.md; a test asks the bot's own grammar about each.
const COMMANDS = [
  ["/iam-audit role NAME", "who used what, and what could go"], ["/iam-audit user NAME", "the same for a user"], ["/iam-audit group NAME", "the same for a group"],
  ["/iam-audit policy NAME", "the same for a managed policy"], ["/iam-audit role NAME account=ALIAS", "in another account"], ["/iam-audit role NAME actions", "down to the action"],
  ["/iam-audit role NAME days=30", "another window"], ["/iam-audit role NAME fresh", "not from the store"], ["/iam-audit", "a form with type-ahead"],
  ["/iam-audit accounts", "where the bot may look"], ["/iam-audit whoami", "what you may do"], ["/iam-audit help", "all commands"],
];

const field = document.getElementById("text");
const list = document.getElementById("hints");
const form = document.getElementById("compose");
const sent = [];
let at = 0, marked = -1, shown = [];

/** Wires the field; `where()` is the channel of now, `told` hears what was refused. */
export function compose(where, told) {
  form.onsubmit = (event) => { event.preventDefault(); send(where, told); };
  field.oninput = () => { grow(); hint(); };
  field.onblur = () => fold();
  field.onkeydown = (event) => key(event, where, told);
}

function grow() {
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 160)}px`;
}

async function send(where, told) {
  const text = field.value.trim();
  if (!text) return;
  sent.push(text);
  at = sent.length;
  put("");
  const answer = await post("command", { channel: where(), text });
  if (!answer.ok) told(answer.error || `${text.split(" ")[0]} failed with operation_timeout`);
}

function put(text) {
  field.value = text;
  field.setSelectionRange(text.length, text.length);
  grow();
  fold();
}

/** What stands before the first capital word: that much can be completed. */
const fixed = (command) => command.replace(/ ?\b[A-Z]{1,}\b.*$/, " ");

function hint() {
  const typed = field.value.toLowerCase();
  shown = typed.startsWith("/") && !typed.includes("\n") ? COMMANDS.filter(([command]) => command.toLowerCase().startsWith(typed.trimEnd())) : [];
  if (!shown.length || (shown.length === 1 && shown[0][0] === field.value)) { fold(); return; }
  list.replaceChildren(...shown.map(([command, about]) => el("div", { role: "option", id: unique("hint"), "aria-selected": "false",
    onmousedown: (event) => { event.preventDefault(); complete(command); } },
    el("b", {}, command), el("small", {}, about))));
  list.hidden = false;
  field.setAttribute("aria-expanded", "true");
  mark(-1);
}

function fold() {
  list.hidden = true;
  shown = [];
  field.setAttribute("aria-expanded", "false");
  field.removeAttribute("aria-activedescendant");
  marked = -1;
}

function mark(n) {
  marked = n;
  [...list.children].forEach((row, i) => row.setAttribute("aria-selected", String(i === n)));
  if (n < 0) { field.removeAttribute("aria-activedescendant"); return; }
  field.setAttribute("aria-activedescendant", list.children[n].id);
  list.children[n].scrollIntoView({ block: "nearest" });
}

function complete(command) {
  put(fixed(command));
  field.focus();
}

function back(by, event) {
  if (!sent.length || (field.value && field.value !== sent[at] && at === sent.length)) return;
  event.preventDefault();
  at = Math.max(0, Math.min(sent.length, at + by));
  put(sent[at] || "");
}

function key(event, where, told) {
  const open = !list.hidden;
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (open && marked >= 0) complete(shown[marked][0]); else send(where, told);
  } else if (event.key === "Tab" && open && marked >= 0) {
    event.preventDefault();
    complete(shown[marked][0]);
  } else if (event.key === "Escape" && open) {
    event.stopPropagation();
    fold();
  } else if (event.key === "ArrowDown") {
    if (open) { event.preventDefault(); mark((marked + 1) % shown.length); } else back(1, event);
  } else if (event.key === "ArrowUp") {
    if (open && marked >= 0) { event.preventDefault(); mark(marked - 1); } else back(-1, event);
  }
}
