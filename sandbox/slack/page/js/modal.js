// The modal on top of this person's stack, and the App Home.

import { post } from "./api.js";
import { blocks } from "./blocks.js";
import { byId, h, toast } from "./dom.js";
import { read } from "./elements.js";
import { state } from "./state.js";
import { withEmoji } from "./text.js";

let dialog = null;

async function act(path, body) {
  try {
    const answer = await post(`/sandbox/slack/${path}`, { user: state.user, ...body });
    if (answer.ack && answer.ack.status !== "acked") toast(`The app did not answer in time (${answer.ack.status}).`);
    return answer;
  } catch (error) {
    toast(error.message);
    return null;
  }
}

function pressIn(view, root) {
  return (element, value) => {
    const body = { view_id: view.id, action_id: element.action_id, values: read(root) };
    if (value !== undefined) body.value = value;
    return act("click", body);
  };
}

function drop() {
  const old = dialog;
  dialog = null;
  old?.close();
  old?.remove();
}

function footer(view, form) {
  const close = () => act("close", { view_id: view.id });
  return h("footer", {},
    h("button", { type: "button", class: "button", "data-testid": "modal-close", onclick: close }, withEmoji(view.close?.text || (view.submit ? "Cancel" : "Close"))),
    view.submit ? h("button", { type: "submit", class: "button primary", "data-testid": "modal-submit" }, withEmoji(view.submit.text)) : null);
}

async function send(view, form) {
  const button = form.querySelector("[data-testid=modal-submit]");
  if (!button || button.disabled) return;
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  await act("submit", { view_id: view.id, values: read(form) });
  button.disabled = false;
  button.removeAttribute("aria-busy");
}

// Drawn anew when the view or its errors have changed; what has been typed goes along.
export function showModal() {
  const view = state.views.at(-1);
  if (!view) return drop();
  const signature = JSON.stringify([view.id, view.hash, view.errors]);
  if (dialog?.signature === signature) return undefined;
  const typed = dialog && dialog.view === view.id ? keep(dialog, view) : view.state.values;
  drop();
  const content = h("div", { class: "sheet-body" });
  const form = h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); send(view, form); } },
    h("header", {}, h("h2", { id: "modal-title" }, withEmoji(view.title.text))), content, footer(view));
  content.append(...blocks(view.blocks, { press: pressIn(view, form), values: typed, errors: view.errors }));
  if (view.errors[""]) content.prepend(h("p", { class: "error", role: "alert" }, view.errors[""]));
  dialog = h("dialog", { class: "sheet", "data-testid": "modal", "aria-labelledby": "modal-title" }, form);
  Object.assign(dialog, { signature, view: view.id });
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); act("close", { view_id: view.id }); });
  document.body.append(dialog);
  dialog.showModal();
  form.querySelector("[aria-invalid=true], [autofocus], .input input, .input textarea, .input select")?.focus();
  return undefined;
}

// What stands in the form now, in the shape of `state.values`, over what the view itself holds.
function keep(root, view) {
  const values = structuredClone(view.state.values);
  for (const [block, actions] of Object.entries(read(root))) {
    for (const [action, value] of Object.entries(actions)) {
      if (values[block]?.[action]) values[block][action] = Array.isArray(value) ? { selected_users: value } : { value };
    }
  }
  return values;
}

export function showHome() {
  const root = byId("home");
  const signature = JSON.stringify([state.user, state.home]);
  if (root.signature === signature) return;
  root.signature = signature;
  root.replaceChildren(...(state.home
    ? blocks(state.home.blocks, { press: pressIn(state.home, root), values: state.home.state.values, errors: {} })
    : [h("p", { class: "empty" }, "The app has not published a Home tab for you yet.")]));
}
