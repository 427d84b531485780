// rich_text blocks: sections, lists, code and quotes with styled runs of text.

import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { names } from "./state.js";
import { link, mention, withEmoji } from "./text.js";

function styled(node, style = {}) {
  let shown = node;
  if (style.code) shown = h("code", {}, shown);
  if (style.strike) shown = h("s", {}, shown);
  if (style.italic) shown = h("em", {}, shown);
  if (style.bold) shown = h("strong", {}, shown);
  return shown;
}

function run(element) {
  switch (element.type) {
    case "text": return styled(element.style?.code ? element.text : withEmoji(element.text), element.style);
    case "link": return styled(link(element.url, element.text || element.url), element.style);
    case "emoji": return emoji(element.name);
    case "user": return mention(`@${names.person(element.user_id) || element.user_id}`);
    case "channel": return mention(`#${names.channel(element.channel_id) || element.channel_id}`);
    case "usergroup": return mention(`@${names.group(element.usergroup_id) || element.usergroup_id}`);
    case "broadcast": return mention(`@${element.range}`);
    case "date": return h("time", {}, element.fallback || new Date(element.timestamp * 1000).toLocaleString());
    default: return "";
  }
}

const runs = (element) => element.elements.map(run);

function part(element) {
  switch (element.type) {
    case "rich_text_section": return h("p", {}, runs(element));
    case "rich_text_quote": return h("blockquote", {}, runs(element));
    case "rich_text_preformatted": return h("pre", {}, runs(element));
    case "rich_text_list": {
      const tag = element.style === "ordered" ? "ol" : "ul";
      return h(tag, { class: `indent-${element.indent || 0}` }, element.elements.map((item) => h("li", {}, runs(item))));
    }
    default: return null;
  }
}

export const richText = (block) => h("div", { class: "rich" }, block.elements.map(part));
