// The page: who one is, which channel and thread one sees, and what happens when something changes.

import { get, listen, post } from "./api.js";
import { setClock, startClock } from "./clock.js";
import { compose } from "./composer.js";
import { byId, h, toast } from "./dom.js";
import { show } from "./messages.js";
import { showHome, showModal } from "./modal.js";
import { channel, recall, remember, state } from "./state.js";

const onPhone = matchMedia("(max-width: 620px)"); // there a focused line brings up a keyboard over half of the screen

async function loadDirectory() {
  Object.assign(state, await get("/sandbox/slack/directory", { user: state.user }));
  if (!state.channels.some((one) => one.name === state.channel)) state.channel = "migrations";
}

// One fetch at a time; what is asked for meanwhile is fetched once more, so that a burst of changes costs two.
function oneAtATime(load) {
  let running = null;
  let again = false;
  return () => {
    again = true;
    running ??= (async () => {
      while (again) {
        again = false;
        await load();
      }
    })().finally(() => { running = null; });
    return running;
  };
}

const loadMessages = oneAtATime(async () => {
  const { user } = state;
  const here = channel();
  const { messages } = await get(`/sandbox/slack/channels/${here.id}/messages`, { user });
  if (user !== state.user || here.id !== channel().id) return; // one has gone elsewhere meanwhile
  state.messages = messages;
  drawMessages();
});

const loadViews = oneAtATime(async () => {
  const { user } = state;
  const { views, home } = await get("/sandbox/slack/views", { user });
  if (user !== state.user) return;
  Object.assign(state, { views, home });
  showModal();
  showHome();
});

function drawMessages() {
  const known = new Set(state.messages.map((one) => one.ts));
  const roots = state.messages.filter((one) => !one.thread_ts || one.broadcast || !known.has(one.thread_ts));
  show(byId("messages"), roots, openThread, "No messages yet. Type /tb help below.");
  const thread = state.messages.filter((one) => one.ts === state.thread || one.thread_ts === state.thread);
  byId("thread").hidden = !state.thread;
  document.body.classList.toggle("in-thread", Boolean(state.thread));
  if (state.thread) show(byId("replies"), thread, null, "This thread is gone.");
}

function openThread(ts) {
  state.thread = ts;
  remember();
  drawMessages();
  byId("replies").scrollTop = byId("replies").scrollHeight;
  byId(onPhone.matches ? "thread-close" : "reply-line").focus();
}

function closeThread() {
  state.thread = null;
  remember();
  drawMessages();
  if (!onPhone.matches) byId("line").focus();
}

function drawPersons() {
  const box = byId("persons");
  const drawn = [...box.querySelectorAll("input")];
  if (drawn.length) return drawn.forEach((radio) => { radio.checked = radio.value === state.user; });
  const radio = (one) => h("label", { class: "person", title: one.real_name },
    h("input", { type: "radio", name: "person", value: one.name, checked: one.name === state.user, onchange: () => become(one.name) }),
    h("span", { class: `avatar ${one.name}`, "aria-hidden": "true" }, one.name[0].toUpperCase()), h("span", {}, one.name));
  return box.append(...state.people.filter((one) => !one.bot).map(radio));
}

function drawChannels() {
  const entry = (one) => h("li", {}, h("button", {
    type: "button", class: "channel", "data-channel": one.name, "data-new": state.unread.has(one.id) ? "true" : null, "aria-current": one.name === state.channel ? "page" : null,
    onclick: () => visit(one.name),
  }, h("span", { class: one.private && !one.direct ? "locked" : "", "aria-hidden": "true" }, one.direct ? "◆" : one.private ? "" : "#"), one.name,
  state.unread.has(one.id) ? h("span", { class: "unseen" }, "(new)") : null));
  byId("menu").classList.toggle("has-new", state.unread.size > 0);
  byId("menu").setAttribute("aria-label", state.unread.size ? "Channels (new messages)" : "Channels");
  const focused = byId("sidebar").contains(document.activeElement) ? document.activeElement.dataset.channel : null;
  byId("channels").replaceChildren(...state.channels.filter((one) => !one.direct).map(entry));
  byId("apps").replaceChildren(...state.channels.filter((one) => one.direct).map(entry));
  if (focused) byId("sidebar").querySelector(`[data-channel="${focused}"]`)?.focus();
}

function drawRoom() {
  const here = channel();
  const home = here.direct && state.tab === "home";
  byId("room-name").textContent = here.direct || here.private ? here.name : `# ${here.name}`;
  byId("room-name").classList.toggle("locked", here.private && !here.direct);
  byId("room-topic").textContent = here.topic;
  byId("line").placeholder = here.direct ? "/tb help" : "/tb help or @tb help";
  byId("tabs").hidden = !here.direct;
  byId("home").hidden = !home;
  byId("messages").hidden = home;
  byId("composer").hidden = home || here.archived;
  byId("reply").hidden = here.archived;
  byId("archived").hidden = home || !here.archived;
  byId("manage").hidden = here.direct;
  byId("archive").textContent = here.archived ? "Unarchive" : "Archive";
  byId("membership").textContent = here.bot ? "Remove tb" : "Invite tb";
  byId("membership").hidden = here.archived;
  byId("tab-home").setAttribute("aria-selected", String(home));
  byId("tab-messages").setAttribute("aria-selected", String(!home));
  document.title = `${here.name} · ${state.user} · Sandbox`;
}

// What an administrator does to the channel; everybody's page hears of it.
async function manage(action) {
  byId("manage").open = false;
  await post(`/sandbox/slack/${action}`, { channel: channel().id }).catch((error) => toast(error.message));
}

async function openHome() {
  if (channel().direct && state.tab === "home") {
    await post("/sandbox/slack/home", { user: state.user }).catch((error) => toast(error.message));
  }
}

async function visit(name) {
  state.channel = name;
  state.thread = null;
  state.unread.delete(channel().id);
  toggleMenu(false);
  remember();
  drawChannels();
  drawRoom();
  byId("messages").replaceChildren();
  await loadMessages();
  await openHome();
}

async function become(name) {
  state.user = name;
  state.thread = null;
  state.unread.clear();
  await refresh();
}

async function choose(tab) {
  state.tab = tab;
  drawRoom();
  await openHome();
}

async function refresh() {
  await loadDirectory();
  remember();
  drawPersons();
  drawChannels();
  drawRoom();
  await Promise.all([loadMessages(), loadViews()]);
  await openHome();
}

function toggleMenu(open) {
  document.body.classList.toggle("menu-open", open);
  byId("menu").setAttribute("aria-expanded", String(open));
}

function heard(what) {
  const me = state.people.find((one) => one.name === state.user)?.id;
  if (what.type === "channel" && what.channel === channel()?.id) return loadMessages();
  if (what.type === "channel") {
    state.unread.add(what.channel);
    return drawChannels();
  }
  if (what.type === "views" && what.user === me) return loadViews();
  if (what.type === "clock") return setClock(what);
  if (what.type === "reset") {
    state.thread = null;
    state.unread.clear();
  }
  return ["reset", "open", "directory"].includes(what.type) ? refresh() : undefined;
}

recall();
await refresh();
await startClock();
compose("composer", "line", () => null);
compose("reply", "reply-line", () => state.thread);
byId("thread-close").addEventListener("click", closeThread);
byId("archive").addEventListener("click", () => manage(channel().archived ? "unarchive" : "archive"));
byId("membership").addEventListener("click", () => manage(channel().bot ? "kick" : "invite"));
byId("tab-home").addEventListener("click", () => choose("home"));
byId("tab-messages").addEventListener("click", () => choose("messages"));
byId("menu").addEventListener("click", () => toggleMenu(!document.body.classList.contains("menu-open")));
document.addEventListener("click", (event) => {
  if (!event.target.closest("#sidebar, #menu")) toggleMenu(false);
  if (!event.target.closest("#manage")) byId("manage").open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && state.thread && !document.querySelector("dialog[open]")) closeThread();
});
listen((what) => Promise.resolve(heard(what)).catch((error) => toast(error.message)));
document.body.dataset.ready = "true";
