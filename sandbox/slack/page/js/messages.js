// Messages in a channel and in a thread. A message is drawn anew only when something of it has changed.

import { post } from "./api.js";
import { blocks } from "./blocks.js";
import { confirmed } from "./dialog.js";
import { h, toast } from "./dom.js";
import { read } from "./elements.js";
import { emoji } from "./emoji.js";
import { channel, names, state } from "./state.js";
import { mrkdwn } from "./text.js";

const clock = (ts) => new Date(Number(ts) * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

export async function press(message, node, element, value) {
  const body = { user: state.user, channel: channel().id, message_ts: message.ts, action_id: element.action_id, values: read(node) };
  if (value !== undefined) body.value = value;
  try {
    const { ack } = await post("/sandbox/slack/click", body);
    if (ack && ack.status !== "acked") toast(`The app did not answer in time (${ack.status}).`);
  } catch (error) {
    toast(error.message);
  }
}

const label = (one) => `${one.title || one.name} · ${one.size.toLocaleString("en")} bytes`;

const file = (one) => one.mimetype?.startsWith("image/") && !one.preview
  ? h("figure", { class: "upload", "data-testid": "upload" },
    h("figcaption", {}, label(one)),
    h("a", { href: `/sandbox/slack/pictures/${one.id}`, target: "_blank", rel: "noopener" },
      h("img", { src: `/sandbox/slack/pictures/${one.id}`, alt: one.alt_txt || one.title || one.name })))
  : h("details", { class: "file" }, h("summary", {}, label(one)), h("pre", {}, one.preview));

const DELETE = {
  title: { text: "Delete this message?" }, text: { type: "plain_text", text: "It is gone for everybody, the app too." },
  confirm: { text: "Delete" }, deny: { text: "Keep" }, style: "danger",
};

async function remove(message) {
  if (!message.ephemeral && !(await confirmed(DELETE))) return;
  const body = { user: state.user, channel: channel().id, message_ts: message.ts };
  await post("/sandbox/slack/delete", body).catch((error) => toast(error.message));
}

function tools(message, openThread) {
  if (message.deleted) return null;
  const tool = (name, sign, onclick) => h("button", { type: "button", class: "tool", "aria-label": name, title: name, onclick }, sign);
  return h("div", { class: "tools" },
    openThread && !message.ephemeral ? tool("Reply in a thread", "↩", () => openThread(message.ts)) : null,
    tool(message.ephemeral ? "Dismiss" : "Delete the message", "✕", () => remove(message)));
}

function reactions(message) {
  const all = Object.entries(message.reactions);
  if (!all.length) return null;
  return h("div", { class: "reactions" }, all.map(([name, users]) =>
    h("span", { title: users.map((id) => names.person(id) || id).join(", ") }, `${emoji(name)} ${users.length}`)));
}

function replyLink(message, openThread) {
  if (!message.reply_count || !openThread) return null;
  const words = message.reply_count === 1 ? "1 reply" : `${message.reply_count} replies`;
  return h("button", { type: "button", class: "replies", "data-testid": "open-thread", onclick: () => openThread(message.ts) }, words);
}

export function draw(message, openThread) {
  const bot = state.people.find((one) => one.id === message.user)?.bot;
  const time = h("time", { datetime: new Date(Number(message.ts) * 1000).toISOString() }, clock(message.ts));
  const content = h("div", { class: "content" });
  const node = h("li", {
    class: `message${message.ephemeral ? " ephemeral" : ""}${message.deleted ? " deleted" : ""}`,
    "data-testid": "message", "data-ts": message.ts, "data-ephemeral": String(message.ephemeral),
  },
    h("span", { class: `avatar ${bot ? "bot" : message.user_name}`, "aria-hidden": "true" }, bot ? "tb" : message.user_name[0].toUpperCase()),
    h("div", { class: "letter" },
      message.ephemeral ? h("p", { class: "only-you" }, "Only visible to you") : null,
      h("header", {}, h("strong", {}, message.user_name), bot ? h("span", { class: "badge" }, "APP") : null, time,
        message.edited ? h("span", { class: "edited" }, "(edited)") : null),
      content, message.files.map(file), reactions(message), replyLink(message, openThread)),
    tools(message, openThread));
  const at = { press: (element, value) => press(message, node, element, value) };
  content.append(...(message.blocks.length
    ? blocks(message.blocks, at)
    : message.text ? [h("div", { class: "block mrkdwn" }, mrkdwn(message.text))] : []));
  return node;
}

// Bring `list` to show `messages`: what did not change keeps its node, and with it focus and half-made choices.
export function show(list, messages, openThread, empty) {
  const bottom = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const old = new Map([...list.children].map((node) => [node.dataset.ts, node]));
  const nodes = messages.map((message) => {
    const signature = JSON.stringify([state.user, message, Boolean(openThread)]);
    const known = old.get(message.ts);
    if (known && known.signature === signature) return known;
    const node = draw(message, openThread);
    node.signature = signature;
    return node;
  });
  const shown = nodes.length ? nodes : [h("li", { class: "empty" }, empty)];
  const focused = document.activeElement;
  shown.forEach((node, i) => { if (list.children[i] !== node) list.insertBefore(node, list.children[i] || null); });
  while (list.children.length > shown.length) list.lastElementChild.remove();
  if (focused?.isConnected && focused !== document.activeElement) focused.focus();
  if (!bottom) return;
  const end = () => { list.scrollTop = list.scrollHeight; };
  end();
  for (const picture of list.querySelectorAll("img")) if (!picture.complete) picture.addEventListener("load", end, { once: true });
}
