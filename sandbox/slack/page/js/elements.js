// Buttons, menus and inputs. Each input knows how to read itself: `data-action` marks it, `read` collects it.

import { h, safeUrl } from "./dom.js";
import { confirmed } from "./dialog.js";
import { state } from "./state.js";
import { mrkdwn, withEmoji } from "./text.js";

const label = (option) => withEmoji(option.text.text);

async function pressed(node, element, block, at, value) {
  if (element.confirm && !(await confirmed(element.confirm))) return;
  if (node.disabled) return;
  node.disabled = true;
  node.setAttribute("aria-busy", "true");
  try {
    await at.press(element, value, block);
  } finally {
    node.disabled = false;
    node.removeAttribute("aria-busy");
  }
}

function button(element, block, at) {
  const node = h("button", {
    type: "button",
    class: `button ${element.style || ""}`,
    "data-action": element.action_id,
    "aria-label": element.accessibility_label,
  }, withEmoji(element.text.text));
  node.addEventListener("click", () => {
    const url = element.url && safeUrl(element.url);
    if (url) window.open(url, "_blank", "noopener");
    pressed(node, element, block, at);
  });
  return node;
}

function overflow(element, block, at) {
  const node = h("select", { class: "overflow", "data-action": element.action_id, "aria-label": "More actions" },
    h("option", { value: "" }, "⋯"), element.options.map((option) => h("option", { value: option.value }, label(option))));
  node.addEventListener("change", () => {
    const value = node.value;
    node.value = "";
    pressed(node, element, block, at, value);
  });
  return node;
}

// Choices of a menu as [value, shown] pairs, in groups when the menu has them.
function choices(element) {
  if (element.type.endsWith("users_select")) return state.people.filter((one) => !one.bot).map((one) => [one.id, `${one.real_name} (@${one.name})`]);
  if (element.type.endsWith("channels_select") || element.type.endsWith("conversations_select")) {
    return state.channels.filter((one) => !one.direct).map((one) => [one.id, `#${one.name}`]);
  }
  return (element.options || []).map((option) => [option.value, label(option)]);
}

function started(element, at, block) {
  const held = at.values?.[block.block_id]?.[element.action_id];
  const from = held || {};
  return from.value ?? from.selected_user ?? from.selected_channel ?? from.selected_conversation ?? from.selected_date
    ?? from.selected_time ?? from.selected_option?.value ?? from.selected_users
    ?? from.selected_options?.map((option) => option.value) ?? from.selected_date_time ?? null;
}

function menu(element, block, at) {
  const many = element.type.startsWith("multi_");
  const start = started(element, at, block) ?? (element.initial_option?.value || element.initial_user || element.initial_channel);
  const chosen = (value) => (Array.isArray(start) ? start.includes(value) : start === value);
  const option = ([value, shown]) => h("option", { value, selected: chosen(value) }, shown);
  const groups = element.option_groups?.map((group) => h("optgroup", { label: group.label.text },
    group.options.map((one) => option([one.value, label(one)]))));
  const hint = element.placeholder?.text || "Choose…";
  const node = h("select", { ...common(element, at), multiple: many, "aria-label": at.id ? null : hint },
    many ? null : h("option", { value: "" }, hint), groups || choices(element).map(option));
  return node;
}

const common = (element, at) => ({
  id: at.id, "data-action": element.action_id, "data-kind": element.type,
  "aria-describedby": at.describedby, "aria-invalid": at.describedby ? "true" : null,
  "aria-required": at.required ? "true" : null,
});

function ticks(element, block, at) {
  const kind = element.type === "checkboxes" ? "checkbox" : "radio";
  const start = started(element, at, block)
    ?? (element.initial_options?.map((option) => option.value) || element.initial_option?.value);
  const chosen = (value) => (Array.isArray(start) ? start.includes(value) : start === value);
  return h("div", { ...common(element, at), class: "ticks" }, element.options.map((option) => h("label", {},
    h("input", { type: kind, name: `${block.block_id}-${element.action_id}`, value: option.value, checked: chosen(option.value) }),
    h("span", {}, option.text.type === "mrkdwn" ? mrkdwn(option.text.text) : label(option),
      option.description ? h("small", {}, withEmoji(option.description.text)) : null))));
}

const TYPED = { email_text_input: "email", url_text_input: "url", number_input: "text", datepicker: "date", timepicker: "time" };

function field(element, block, at) {
  const start = started(element, at, block) ?? element.initial_value ?? element.initial_date ?? element.initial_time ?? "";
  const shared = { ...common(element, at), placeholder: element.placeholder?.text, autofocus: element.focus_on_load, spellcheck: "false" };
  if (element.multiline) return h("textarea", { ...shared, rows: 4 }, start);
  const inputmode = element.type === "number_input" ? "decimal" : null;
  return h("input", { ...shared, type: TYPED[element.type] || "text", value: String(start), inputmode, maxlength: element.max_length && String(element.max_length) });
}

const DRAW = {
  button, overflow, checkboxes: ticks, radio_buttons: ticks, plain_text_input: field, number_input: field,
  email_text_input: field, url_text_input: field, datepicker: field, timepicker: field,
};

export function element(one, block, at) {
  if (one.type === "image") return h("img", { class: "thumb", src: safeUrl(one.image_url) || "", alt: one.alt_text });
  const make = DRAW[one.type] || (one.type.endsWith("_select") ? menu : null);
  if (!make) return h("span", { class: "unknown" }, `(${one.type})`);
  const node = make(one, block, at);
  const acts = block.type !== "input" || block.dispatch_action;
  if (acts && make !== button && make !== overflow) {
    node.addEventListener("change", () => pressed(node, one, block, at, reading(node)));
  }
  return node;
}

function reading(node) {
  if (node.classList.contains("ticks")) {
    const on = [...node.querySelectorAll("input:checked")].map((tick) => tick.value);
    return node.dataset.kind === "checkboxes" ? on : on[0] || null;
  }
  return node.multiple ? [...node.selectedOptions].map((option) => option.value) : node.value;
}

// {block_id: {action_id: value}} of every input below `root`.
export function read(root) {
  const values = {};
  for (const box of root.querySelectorAll("[data-block]")) {
    const node = box.querySelector("[data-kind]");
    if (node) values[box.dataset.block] = { [node.dataset.action]: reading(node) };
  }
  return values;
}

