// Typing: Enter sends, Shift+Enter breaks the line, the arrow up brings back what was sent.

import { post } from "./api.js";
import { byId, toast } from "./dom.js";
import { channel, state } from "./state.js";

const sent = [];

function grow(line) {
  line.style.height = "auto";
  line.style.height = `${Math.min(line.scrollHeight, 160)}px`;
}

export function compose(formId, lineId, thread) {
  const form = byId(formId);
  const line = byId(lineId);
  let back = 0;
  line.addEventListener("input", () => { back = 0; grow(line); });
  line.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "ArrowUp" && sent.length && (line.value === "" || back)) {
      event.preventDefault();
      back = Math.min(back + 1, sent.length);
      line.value = sent.at(-back);
      grow(line);
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = line.value.trim();
    if (!text) return;
    sent.push(text);
    back = 0;
    line.value = "";
    grow(line);
    try {
      const body = { user: state.user, channel: channel().id, text };
      await post("/sandbox/slack/command", thread() ? { ...body, thread_ts: thread() } : body);
    } catch (error) {
      line.value = text;
      toast(error.message);
    }
  });
}
