import { blocks, combo, el } from "./blocks.js";

const $ = (id) => document.getElementById(id);
const store = { me: sessionStorage.me || "U0ALICE0001", channel: sessionStorage.channel || "C0SECURITY1", thread: null, names: { users: {}, groups: {} }, view: null, sent: [], at: 0 };

async function get(path, query = {}) {
  return (await fetch(`/sandbox/${path}?${new URLSearchParams({ user: store.me, ...query })}`)).json();
}
async function post(path, body) {
  const answer = await fetch(`/sandbox/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ user: store.me, ...body }) });
  return answer.json();
}
function toast(text) {
  $("toast").textContent = text; $("toast").hidden = false;
  clearTimeout(toast.timer); toast.timer = setTimeout(() => { $("toast").hidden = true; }, 5000);
}

function confirmed(confirm) {
  if (!confirm) return Promise.resolve(true);
  return new Promise((done) => {
    const end = (yes) => { $("ask").close(); done(yes); };
    $("ask").replaceChildren(el("form", { onsubmit: (e) => { e.preventDefault(); end(true); } }, el("h2", {}, confirm.title.text), el("p", {}, confirm.text.text),
      el("div", { className: "foot" }, el("button", { className: "button", type: "button", onclick: () => end(false) }, confirm.deny.text), el("button", { className: `button ${confirm.style || "primary"}`, type: "submit" }, confirm.confirm.text))));
    $("ask").oncancel = () => done(false);
    $("ask").showModal();
  });
}

function acts(place, ts) {
  return {
    press: async (e, node) => {
      if (!(await confirmed(e.confirm))) return;
      node.disabled = true;
      const answer = await post("click", { place, ts, action_id: e.action_id });
      node.disabled = false;
      if (!answer.ok) toast(answer.error || "This did not work: the app did not answer in time (operation_timeout).");
    },
    suggest: async (e, text) => (await post("suggest", { place, ts, action_id: e.action_id, text })).body,
    choose: async (e, option) => { const answer = await post("click", { place, ts, action_id: e.action_id, option }); if (!answer.ok) toast("The app did not answer in time."); },
  };
}

function message(m, inThread) {
  const bot = m.user === "U0IAMAUDIT1" || m.ephemeral;
  const name = bot ? "IAM Audit" : store.names.users[m.user] || m.user;
  const time = new Date(Number(m.ts) * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const body = el("div", {}, el("div", { className: "who" }, name, bot ? el("span", { className: "app" }, "APP") : "", el("small", {}, time)));
  if (m.ephemeral) body.prepend(el("div", { className: "eye" }, "👁 Only visible to you · ", el("button", { className: "dismiss", type: "button", onclick: () => post("dismiss", { ts: m.ts }) }, "Dismiss")));
  if (m.blocks.length) body.append(...blocks(m.blocks, store.names, acts(store.channel, m.ts)));
  else if (m.text) body.append(el("div", { className: "line" }, m.text));
  for (const file of m.files || []) {
    const url = `/sandbox/file?${new URLSearchParams({ user: store.me, id: file.id })}`;
    body.append(el("div", { className: "file" }, file.name.endsWith(".png") ? el("img", { src: url, alt: file.alt_txt }) : el("a", { href: url, download: file.name }, `📄 ${file.title} · ${file.name}`)));
  }
  if (!inThread && m.replies) body.append(el("button", { className: "replies", type: "button", onclick: () => { store.thread = m.ts; draw(); } }, `${m.replies} ${m.replies === 1 ? "reply" : "replies"}`));
  return el("article", { className: `message ${m.ephemeral ? "private" : ""}`, "data-ts": m.ts, "aria-label": `${name}: ${m.text.slice(0, 200)}` }, el("div", { className: "avatar", "aria-hidden": "true" }, bot ? "I" : name[0].toUpperCase()), body);
}

// Redraws only what changed, so that focus, scroll and an open list survive.
function fill(box, list, inThread) {
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  const old = new Map([...box.children].map((n) => [n.dataset.ts, n]));
  const kept = list.map((m) => {
    const print = JSON.stringify(m) + store.me;
    const known = old.get(m.ts);
    if (known && known.print === print) return known;
    const made = message(m, inThread);
    made.print = print;
    return made;
  });
  if (kept.length !== box.children.length || kept.some((n, i) => box.children[i] !== n)) box.replaceChildren(...kept);
  if (atEnd) box.scrollTop = box.scrollHeight;
}

function inputElement(block, state) {
  const e = block.element, id = `in-${block.block_id}`;
  const set = (value) => { state[block.block_id] = value; };
  if (e.type === "external_select") return combo(e, async (text) => (await post("suggest", { place: store.view, action_id: e.action_id, text })).body, (o) => set({ selected_option: o }), id);
  if (e.type === "radio_buttons" || e.type === "checkboxes") {
    const kind = e.type === "radio_buttons" ? "radio" : "checkbox";
    return el("div", { role: kind === "radio" ? "radiogroup" : "group" }, e.options.map((o) => el("label", { className: "choice" }, el("input", { type: kind, name: id, checked: e.initial_option?.value === o.value, onchange: (ev) => set(kind === "radio" ? { selected_option: o } : { selected_options: ev.target.checked ? [o] : [] }) }), el("span", {}, o.text.text, el("small", {}, o.description ? ` ${o.description.text}` : "")))));
  }
  if (e.type === "conversations_select") {
    const options = store.channels.filter((c) => !c.shared).map((c) => el("option", { value: c.id, selected: c.id === store.channel }, c.kind === "dm" ? "Yourself" : `#${c.name}`));
    const select = el("select", { id, onchange: (ev) => set({ selected_conversation: ev.target.value }) }, options);
    set({ selected_conversation: select.value });
    return select;
  }
  return el("input", { id, type: e.type === "number_input" ? "number" : "text", value: e.initial_value || "", min: e.min_value, max: e.max_value, maxLength: e.max_length, placeholder: e.placeholder?.text || "", oninput: (ev) => set({ value: ev.target.value }) });
}

async function drawModal() {
  const { view } = await get("view");
  if (!view) { if ($("modal").open) $("modal").close(); store.view = null; store.hash = null; return; }
  if (store.hash === view.hash) return;
  store.view = view.id; store.hash = view.hash;
  const state = {};
  const body = view.blocks.map((b) => b.type === "input"
    ? el("div", { className: "input" }, el("label", { htmlFor: `in-${b.block_id}` }, b.label.text), inputElement(b, state), b.hint ? el("span", { className: "hint" }, b.hint.text) : "", el("span", { className: "error", id: `err-${b.block_id}`, role: "alert" }))
    : el("div", {}, blocks([b], store.names, acts(view.id, ""))));
  const leave = async () => { await post("close", {}); draw(); };
  const send = async (event) => {
    event.preventDefault();
    document.querySelectorAll(".error").forEach((n) => { n.textContent = ""; });
    const answer = await post("submit", { values: state });
    for (const [id, text] of Object.entries(answer.body?.errors || {})) $(`err-${id}`).textContent = text;
    if (!answer.ok) toast("The app did not answer in time.");
    draw();
  };
  $("modal").replaceChildren(el("form", { onsubmit: send }, el("h2", {}, view.title.text), ...body, el("div", { className: "foot" }, el("button", { className: "button", type: "button", onclick: leave }, view.close.text), view.submit ? el("button", { className: "button primary", type: "submit" }, view.submit.text) : "")));
  $("modal").oncancel = (e) => { e.preventDefault(); leave(); };
  if (!$("modal").open) $("modal").showModal();
}

function drawSide(state) {
  store.channels = state.channels;
  store.names = { users: Object.fromEntries(state.users.map((u) => [u.id, u.name])), groups: state.groups };
  if ($("me").children.length !== state.users.length - 1) $("me").replaceChildren(...state.users.filter((u) => !u.is_bot).map((u) => el("option", { value: u.id, selected: u.id === store.me }, u.name)));
  if (!state.channels.some((c) => c.id === store.channel)) store.channel = state.channels[0].id;
  const print = JSON.stringify([state.channels, store.channel]);
  if (drawSide.print !== print) {
    drawSide.print = print;
    $("channels").replaceChildren(...state.channels.map((c) => el("li", {}, el("button", { type: "button", "aria-current": String(c.id === store.channel), onclick: () => { store.channel = sessionStorage.channel = c.id; store.thread = null; draw(); } }, `${c.kind === "dm" ? "◆" : c.kind === "private" ? "🔒" : "#"} ${c.name}${c.shared ? " (shared)" : ""}${c.archived ? " (archived)" : ""}`))));
  }
  const here = state.channels.find((c) => c.id === store.channel);
  $("place").textContent = `${here.kind === "dm" ? "" : "# "}${here.name}${here.bot ? "" : " · the bot is not in this channel"}${state.bot ? "" : " · the bot is not connected"}`;
  const knobs = JSON.stringify(state.knobs);
  if (drawSide.knobs !== knobs) {
    drawSide.knobs = knobs;
    $("knobs").replaceChildren(...state.knobs.map((k) => el("label", { title: k.help }, el("input", k.kind === "toggle" ? { type: "checkbox", checked: k.value, onchange: (e) => post("knob", { id: k.id, value: e.target.checked }) } : { type: "number", value: k.value, min: 0, onchange: (e) => post("knob", { id: k.id, value: Number(e.target.value) }) }), k.label)));
  }
}

async function drawNow() {
  drawSide(await get("state"));
  fill($("messages"), (await get("messages", { channel: store.channel })).messages, false);
  $("thread").hidden = !store.thread;
  if (store.thread) fill($("replies"), (await get("thread", { channel: store.channel, ts: store.thread })).messages, true);
  await drawModal();
}
let drawing = null, again = false;
function draw() {
  if (drawing) { again = true; return drawing; }
  drawing = drawNow().catch(() => toast("The sandbox is not running any more.")).finally(() => { drawing = null; if (again) { again = false; draw(); } });
  return drawing;
}

$("me").onchange = (e) => { store.me = sessionStorage.me = e.target.value; store.thread = null; store.hash = null; draw(); };
$("unthread").onclick = () => { store.thread = null; draw(); };
$("bolt").onclick = async () => { const answer = await post("shortcut", { callback_id: "audit.new" }); if (!answer.ok) toast("The app did not answer in time."); };
$("world").onclick = () => { $("knobs").hidden = !$("knobs").hidden; $("world").setAttribute("aria-expanded", String(!$("knobs").hidden)); };
$("theme").onclick = () => { const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches; document.documentElement.dataset.theme = dark ? "light" : "dark"; };
$("compose").onsubmit = async (e) => {
  e.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  store.sent.push(text); store.at = store.sent.length; $("text").value = "";
  const answer = await post("command", { channel: store.channel, text });
  if (!answer.ok) toast("/iam-audit failed with the error operation_timeout");
};
$("text").onkeydown = (e) => {
  if (e.key === "ArrowUp" && store.at > 0) { store.at -= 1; $("text").value = store.sent[store.at]; e.preventDefault(); }
  if (e.key === "ArrowDown" && store.at < store.sent.length) { store.at += 1; $("text").value = store.sent[store.at] || ""; e.preventDefault(); }
};
addEventListener("keydown", (e) => { if (e.key === "Escape" && store.thread && !$("modal").open && !$("ask").open) { store.thread = null; draw(); } });
new EventSource("/sandbox/events").onmessage = draw;
draw().then(() => $("text").focus());
