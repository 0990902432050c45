// The World drawer: what can be broken on either side.

import { get, post } from "./api.js";
import { el, unique } from "./dom.js";

/** Draws every knob; `told` hears what turning one did. */
export async function drawWorld(box, told) {
  const knobs = await get("knobs");
  box.replaceChildren(...knobs.map((knob) => row(knob, box, told)));
}

function row(knob, box, told) {
  const turn = async (value) => {
    const answer = await post("knob", { id: knob.id, value });
    if (!answer.ok) told(`${knob.label}: ${answer.error || "that did not work"}`);
    else if (answer.result) told(answer.result);
    const at = document.activeElement?.dataset.knob;
    await drawWorld(box, told);
    box.querySelector(`[data-knob="${CSS.escape(at || "")}"]`)?.focus();
  };
  const id = unique("knob");
  const about = el("span", {}, el("label", { for: id }, knob.label), el("small", { id: `${id}-about` }, knob.help));
  return el("div", { class: "knob" }, about, KINDS[knob.kind](knob, { id, "data-knob": knob.id, "aria-describedby": `${id}-about` }, turn));
}

const KINDS = {
  toggle: (knob, more, turn) => el("button", { type: "button", role: "switch", class: "switch",
    "aria-checked": String(Boolean(knob.value)), "aria-label": knob.label,
    onclick: () => turn(!knob.value), ...more }),
  number: (knob, more, turn) => el("input", { type: "number", min: 0, value: knob.value, onchange: (event) => turn(Number(event.target.value)), ...more }),
  choice: (knob, more, turn) => el("select", { onchange: (event) => turn(event.target.value), ...more },
    knob.options.map((one) => el("option", { value: one, selected: one === knob.value }, one))),
  button: (knob, more, turn) => el("button", { type: "button", class: "button small", "aria-label": knob.label, onclick: () => turn(null), ...more }, "Do it"),
};
