// Block Kit layout blocks as DOM. `press(element, value, block)` is called when somebody acts on an element.

import { h, safeUrl } from "./dom.js";
import { element as draw } from "./elements.js";
import { richText } from "./richtext.js";
import { markdown, textObject, withEmoji } from "./text.js";

function section(block, at) {
  const words = h("div", { class: "section-text" },
    block.text ? h("div", { class: "mrkdwn" }, textObject(block.text)) : null,
    block.fields ? h("div", { class: "fields" }, block.fields.map((field) => h("div", { class: "mrkdwn" }, textObject(field)))) : null);
  const accessory = block.accessory ? h("div", { class: "accessory" }, draw(block.accessory, block, at)) : null;
  return h("div", { class: "block section" }, words, accessory);
}

const image = (block) => h("figure", { class: "block picture" },
  block.title ? h("figcaption", {}, withEmoji(block.title.text)) : null,
  h("img", { src: safeUrl(block.image_url) || "", alt: block.alt_text, loading: "lazy" }));

function context(block) {
  return h("div", { class: "block context" }, block.elements.map((one) => one.type === "image"
    ? h("img", { src: safeUrl(one.image_url) || "", alt: one.alt_text })
    : h("div", { class: "mrkdwn" }, textObject(one))));
}

function cell(one, tag, setting = {}) {
  const content = one.type === "rich_text" ? richText(one) : withEmoji(String(one.text ?? one.value ?? ""));
  return h(tag, { class: setting.align ? `align-${setting.align}` : null, scope: tag === "th" ? "col" : null }, content);
}

function table(block) {
  const settings = block.column_settings || [];
  const row = (cells, tag) => h("tr", {}, cells.map((one, i) => cell(one, tag, settings[i] || {})));
  const [head, ...rest] = block.rows;
  return h("div", { class: "block table", tabindex: "0", role: "group", "aria-label": "Table" },
    h("table", {}, h("thead", {}, row(head, "th")), h("tbody", {}, rest.map((one) => row(one, "td")))));
}

const TASK = { pending: ":white_circle:", in_progress: ":hourglass:", complete: ":white_check_mark:", error: ":x:" };

const plan = (block) => h("div", { class: "block plan" }, h("strong", {}, block.title),
  h("ul", {}, block.tasks.map((task) => h("li", {}, withEmoji(`${TASK[task.status] || TASK.pending} ${task.title}`)))));

function input(block, at) {
  const wrong = at.errors?.[block.block_id];
  const id = `field-${block.block_id}-${block.element.action_id}`;
  const many = ["radio_buttons", "checkboxes"].includes(block.element.type);
  const label = [withEmoji(block.label.text), block.optional ? h("span", { class: "optional" }, " (optional)") : null];
  return h(many ? "fieldset" : "div", { class: `block input${wrong ? " wrong" : ""}`, "data-block": block.block_id },
    many ? h("legend", {}, label) : h("label", { for: id }, label),
    draw(block.element, block, { ...at, id, describedby: wrong ? `${id}-wrong` : null, required: !block.optional }),
    block.hint ? h("p", { class: "hint" }, withEmoji(block.hint.text)) : null,
    wrong ? h("p", { class: "error", id: `${id}-wrong`, role: "alert" }, withEmoji(wrong)) : null);
}

const DRAW = {
  header: (block) => h("h3", { class: "block header" }, withEmoji(block.text.text)),
  section,
  divider: () => h("hr", { class: "block" }),
  context,
  actions: (block, at) => h("div", { class: "block actions", role: "group", "aria-label": "Actions" },
    block.elements.map((one) => draw(one, block, at))),
  image,
  table,
  plan,
  input,
  rich_text: (block) => h("div", { class: "block" }, richText(block)),
  markdown: (block) => h("div", { class: "block mrkdwn" }, markdown(block.text)),
  alert: (block) => h("div", { class: `block alert ${block.level || "default"}`, role: "note" }, textObject(block.text)),
};

export function blocks(list, at) {
  return list.map((block) => {
    const one = DRAW[block.type];
    return one ? one(block, at) : h("p", { class: "block unknown" }, `(a block of type ${block.type})`);
  });
}
