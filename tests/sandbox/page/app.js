// A small Slack: who is looking, where they look, and what they see there. Every change on the other side draws again what differs.

import { become, get, listen, post } from "./api.js";
import { blocks } from "./blocks.js";
import { compose } from "./composer.js";
import { el, icon } from "./dom.js";
import { page } from "./elements.js";
import { menu } from "./menu.js";
import { app, fill, refocus } from "./messages.js";
import { confirmed, drawModal } from "./modal.js";
import { names } from "./text.js";
import { setZone } from "./time.js";
import { drawWorld } from "./world.js";

const $ = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
const FIRST = "U0ALICE0001"; // the sandbox's first person
const store = { me: asked.get("user") || sessionStorage.me || FIRST, channel: asked.get("channel") || sessionStorage.channel || "", tab: "messages",
  thread: "", channels: [], users: [], stop: null, pin: true, pinThread: true, home: "" };

const STALE = new Error("another person looks now");

/** What is read for a person is thrown away where another looks by the time it comes. */
async function look(path, query) {
  const me = store.me, told = await get(path, query);
  if (me !== store.me) throw STALE;
  return told;
}

// -- drawing ---------------------------------------------------------------------------------------------------------

async function drawNow() {
  drawSide(await look("state"));
  const home = store.tab === "home";
  $("home").hidden = !home;
  $("messages").hidden = $("compose").hidden = home;
  if (home) $("empty").hidden = true;
  if (home) await drawHome(); else await drawMessages();
  await drawThread();
  drawModal(await look("view"), draw);
}

let drawing = null, again = false;

/** Draws everything once more; several wishes at once are one. */
function draw() {
  if (drawing) { again = true; return drawing; }
  drawing = drawNow().catch((error) => {
    if (error === STALE) again = true;
    else if (!leaving) toast(`The sandbox did not answer: ${error.message}`);
  }).finally(() => {
    drawing = null;
    if (again) { again = false; draw(); }
  });
  return drawing;
}

let leaving = false;
addEventListener("beforeunload", () => { leaving = true; });

function drawSide(state) {
  Object.assign(store, { channels: state.channels, users: state.users });
  Object.assign(app, { id: state.bot.id, name: state.bot.real_name || state.bot.name });
  names.me = store.me;
  names.users = new Map([...state.users, state.bot].map((u) => [u.id, u.name]));
  names.groups = new Map((state.usergroups || []).map((g) => [g.id, g]));
  names.channels = new Map(state.channels.map((c) => [c.id, c.name]));
  setZone(state.me.tz);
  if (!here()) store.channel = state.channels[0]?.id || "";
  $("team").textContent = state.team.name;
  once($("me"), state.users, () => state.users.map((u) => new Option(u.role ? `${u.name} (${u.role})` : u.name, u.id, false, u.id === store.me)));
  $("me").value = store.me;
  $("offline").hidden = state.bot.connected !== false;
  const groups = [["Channels", (c) => c.kind !== "dm"], ["Apps", (c) => c.kind === "dm"]];
  once($("channels"), [state.channels, store.channel, store.tab], () =>
    groups.map(([title, of]) => el("section", {}, el("h2", {}, title), el("ul", {}, state.channels.filter(of).map(channelRow),
    title === "Apps" ? homeRow(state.channels.find(of)) : null))));
  drawHead(here());
}

const here = () => store.channels.find((c) => c.id === store.channel);

/** Fills a box only where what it shows has changed, and leaves the focus on the same button. */
function once(box, told, make) {
  const print = JSON.stringify(told);
  if (box.print === print) return;
  const at = [...box.querySelectorAll("button")].indexOf(document.activeElement);
  box.print = print;
  box.replaceChildren(...make());
  if (at >= 0) box.querySelectorAll("button")[at]?.focus();
}

const nameOf = (c) => (c.kind === "dm" ? app.name : c.name);
const signOf = (c) => (c.kind === "dm" ? el("span", { class: "avatar app tiny", "aria-hidden": "true" }, icon("lock")) :
  el("span", { class: "sign", "aria-hidden": "true" }, c.kind === "private" ? icon("lock") : "#"));

function channelRow(c) {
  const now = c.id === store.channel && store.tab === "messages";
  const note = [c.kind === "private" && "private", c.shared && "shared", c.archived && "archived"].filter(Boolean).join(", ");
  return el("li", {}, el("button", { type: "button", class: c.unread && !now ? "unread" : null, "aria-current": now ? "page" : null, onclick: () => go(c.id) },
    signOf(c), el("span", { class: "name" }, nameOf(c)), note ? el("small", {}, note) : null,
      c.unread && !now ? el("span", { class: "count", "aria-label": `${c.unread} unread` }, String(c.unread)) : null));
}

function homeRow(dm) {
  const now = store.tab === "home";
  return dm ? el("li", {}, el("button", { type: "button", "aria-current": now ? "page" : null,
    onclick: () => openHome(dm.id) }, el("span", { class: "sign", "aria-hidden": "true" }, icon("home")), el("span", { class: "name" }, "App Home"))) : null;
}

function drawHead(c) {
  if (!c) { $("place").replaceChildren(el("b", {}, "No channel")); return; }
  const tabs = c.kind === "dm" ? el("div", { role: "tablist", class: "tabs" },
    [["messages", "Messages"], ["home", "Home"]].map(([tab, label]) => el("button", { type: "button", role: "tab", "aria-selected": String(store.tab === tab),
    onclick: () => (tab === "home" ? openHome(c.id) : go(c.id)) }, label))) : null;
  const notes = [[c.shared, "shared with another company"], [c.archived, "archived"], [!c.bot, "the app is not a member"]].filter(([on]) => on).map(([, said]) => el("span", { class: "note" }, said));
  once($("place"), [c.id, c.name, c.kind, c.shared, c.archived, c.bot, store.tab], () => [el("h1", {}, signOf(c), nameOf(c)), ...notes, tabs].filter(Boolean));
  $("text").placeholder = c.archived ? "This channel is archived" : `Message ${c.kind === "dm" ? app.name : `#${c.name}`}, or type / for the commands`;
}

async function drawMessages() {
  if (!store.channel) return;
  const channel = store.channel;
  const { messages } = await look("messages", { channel });
  if (channel !== store.channel) { again = true; return; }
  const below = fill($("messages"), channel, messages, { open: openThread, pin: store.pin });
  if (store.pin) $("latest").hidden = true; else if (below) $("latest").hidden = false;
  store.pin = false;
  $("empty").hidden = messages.length > 0;
}

async function drawThread() {
  $("thread").hidden = !store.thread;
  if (!store.thread) return;
  const { messages } = await look("thread", { channel: store.channel, ts: store.thread });
  fill($("replies"), store.channel, messages, { pin: store.pinThread });
  store.pinThread = false;
}

async function drawHome() {
  const view = await look("home");
  const print = JSON.stringify([store.me, view?.id, view?.hash]);
  if (store.home === print) return;
  store.home = print;
  if (!view) { $("home").replaceChildren(el("p", { class: "nothing" }, "The app has not drawn a Home for you.")); return; }
  const told = (block, node) => ({ home: true, block_id: block.block_id, action_id: node.action_id });
  const sheet = el("div", { class: "sheet" }, blocks(view.blocks, {
    held: (block, node) => view.state?.values?.[block.block_id]?.[node.action_id],
    note: () => undefined,
    act: (block, node, value) => post("click", { ...told(block, node), ...(node.type === "button" ? { value } : { option: value }) }),
    suggest: (block, node, text) => post("suggest", { ...told(block, node), text }),
  }));
  refocus($("home"), () => $("home").replaceChildren(sheet), $("home"));
}

// -- going about -----------------------------------------------------------------------------------------------------

function go(channel, thread = "") {
  const moved = channel !== store.channel || store.tab === "home";
  Object.assign(store, { channel, thread, tab: "messages", pin: moved || store.pin, pinThread: true });
  sessionStorage.channel = channel;
  document.body.classList.remove("side-open");
  return draw();
}

async function openHome(channel) {
  Object.assign(store, { channel, thread: "", tab: "home", home: "" });
  document.body.classList.remove("side-open");
  draw();
  const answer = await post("home");
  if (!answer.ok) toast(`The app did not hear that its Home was opened: ${answer.error}`);
  draw();
}

async function openThread(ts) {
  Object.assign(store, { thread: ts, pinThread: true });
  await draw();
  $("unthread").focus();
}

function closeThread() {
  const back = document.querySelector(`[data-keep="replies/${store.thread}"]`);
  store.thread = "";
  $("thread").hidden = true;
  (back || $("text")).focus();
}

/** Links to messages of this workspace stay on the page. */
function jump(address) {
  const m = /\/archives\/([A-Z0-9]+)\/p(\d+)(\d{6})(?:\?.*thread_ts=([\d.]+))?/.exec(address);
  if (!m || !store.channels.some((c) => c.id === m[1])) return false;
  const ts = `${m[2]}.${m[3]}`;
  go(m[1], m[4] || "").then(() => {
    const node = document.querySelector(`[data-ts="${ts}"]`);
    node?.scrollIntoView({ block: "center" });
    node?.focus({ preventScroll: true });
  });
  return true;
}

function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $("toast").hidden = true; }, 8000);
}

function switchTo(person) {
  store.stop?.();
  Object.assign(store, { me: person, thread: "", home: "", pin: true, tab: "messages" });
  sessionStorage.me = person;
  become(person);
  $("messages").replaceChildren();
  $("replies").replaceChildren();
  store.stop = listen(draw, () => undefined);
  return draw();
}

async function shortcut() {
  const answer = await post("shortcut", { callback_id: "audit.new" });
  if (!answer.ok) toast(`The shortcut failed: ${answer.error}`);
}

function turnTheme() {
  const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = localStorage.theme = dark ? "light" : "dark";
}

function toggleWorld() {
  const open = $("world-panel").hidden;
  $("world-panel").hidden = !open;
  $("world").setAttribute("aria-expanded", String(open));
  if (open) drawWorld($("knobs"), toast).then(() => $("unworld").focus()); else $("world").focus();
}

function wire() {
  if (localStorage.theme) document.documentElement.dataset.theme = localStorage.theme;
  for (const [id, name] of [["bolt", "bolt"], ["world", "world"], ["theme", "theme"],
    ["unthread", "close"], ["unworld", "close"], ["burger", "menu"], ["send", "send"]]) $(id).prepend(icon(name));
  Object.assign(page, { confirm: confirmed, jump, people: () => store.users.filter((u) => !u.deleted), places: () => store.channels.map((c) => ({ ...c, name: nameOf(c) })), current: () => store.channel });
  $("me").onchange = (event) => switchTo(event.target.value);
  $("unthread").onclick = closeThread;
  $("theme").onclick = turnTheme;
  $("world").onclick = $("unworld").onclick = toggleWorld;
  $("burger").onclick = () => document.body.classList.toggle("side-open");
  $("latest").onclick = () => { $("messages").scrollTop = $("messages").scrollHeight; $("latest").hidden = true; };
  const [, list] = menu($("bolt"), [["Audit an IAM entity", shortcut]], "Shortcuts");
  $("bolt").after(list);
  for (const box of [$("messages"), $("replies")]) {
    box.addEventListener("load", () => { if (box.dataset.end === "true") box.scrollTop = box.scrollHeight; }, true); // a picture came
    box.addEventListener("scroll", () => { box.dataset.end = String(box.scrollHeight - box.scrollTop - box.clientHeight < 80);
      if (box === $("messages") && box.dataset.end === "true") $("latest").hidden = true; }, { passive: true });
  }
  document.addEventListener("click", (event) => { const a = event.target.closest?.("a[href]"); if (a && jump(a.href)) event.preventDefault(); });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || $("modal").open || $("ask").open) return;
    if (document.body.classList.contains("side-open")) document.body.classList.remove("side-open");
    else if (!$("world-panel").hidden) toggleWorld();
    else if (store.thread) closeThread();
  });
  compose(() => store.channel, toast);
}

wire();
switchTo(store.me).then(() => $("text").focus());
