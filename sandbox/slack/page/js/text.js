// Slack's mrkdwn, and the standard markdown of markdown blocks, as DOM nodes.
// Nothing is ever parsed as HTML, so a message cannot bring markup or scripts of its own.

import { h, safeUrl } from "./dom.js";
import { drawable, emoji } from "./emoji.js";
import { names } from "./state.js";

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
export const decoded = (text) => text.replace(/&(amp|lt|gt);/g, (entity) => ENTITIES[entity]);

export const withEmoji = (text) => drawable(decoded(text).replace(/:([a-z0-9_+-]+):/g, (_, name) => emoji(name)));

export const link = (url, children) => {
  const safe = safeUrl(decoded(url));
  return safe ? h("a", { href: safe, target: "_blank", rel: "noopener noreferrer" }, children) : h("span", {}, children);
};

export const mention = (text) => h("span", { class: "mention" }, text);

// What stands between < and >: a link, a person, a channel, a group, a date or a call to all.
function angle(inside) {
  const [target, label] = inside.split(/\|(.*)/s);
  if (target.startsWith("@")) return mention(`@${names.person(target.slice(1)) || label || target.slice(1)}`);
  if (target.startsWith("#")) return mention(`#${names.channel(target.slice(1)) || label || target.slice(1)}`);
  if (target.startsWith("!subteam^")) return mention(`@${names.group(target.slice(9)) || (label || "group").replace(/^@/, "")}`);
  if (target.startsWith("!date^")) return date(target.split("^"), label);
  if (target.startsWith("!")) return mention(`@${label || target.slice(1)}`);
  return link(target, decoded(label || target).replace(/^mailto:/, ""));
}

function date([, seconds, format], label) {
  const when = new Date(Number(seconds) * 1000);
  if (Number.isNaN(when.getTime())) return label || "";
  const day = when.toLocaleDateString(undefined, { dateStyle: "medium" });
  const time = when.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  const shown = format.replace(/\{date[a-z_]*\}/g, day).replace(/\{time(_secs)?\}/g, time);
  return h("time", { datetime: when.toISOString() }, shown);
}

const MRKDWN = [
  [/`([^`\n]+)`/, (m) => h("code", {}, decoded(m[1]))],
  [/<([^<>\n]+)>/, (m) => angle(m[1])],
  [/(?<![\w*])\*(?=\S)([^*\n]*[^*\s])\*(?![\w*])/, (m) => h("strong", {}, inline(m[1]))],
  [/(?<![\w_])_(?=\S)([^_\n]*[^_\s])_(?![\w_])/, (m) => h("em", {}, inline(m[1]))],
  [/(?<![\w~])~(?=\S)([^~\n]*[^~\s])~(?![\w~])/, (m) => h("s", {}, inline(m[1]))],
];

const MARKDOWN = [
  [/`([^`\n]+)`/, (m) => h("code", {}, m[1])],
  [/\[([^\]\n]+)\]\(([^)\s]+)\)/, (m) => link(m[2], inline(m[1], MARKDOWN))],
  [/\*\*(?=\S)(.+?)\*\*/, (m) => h("strong", {}, inline(m[1], MARKDOWN))],
  [/~~(?=\S)(.+?)~~/, (m) => h("s", {}, inline(m[1], MARKDOWN))],
  [/(?<![\w*])[*](?=\S)([^*\n]+)[*](?![\w*])/, (m) => h("em", {}, inline(m[1], MARKDOWN))],
  [/(?<!\w)_(?=\S)([^_\n]+)_(?!\w)/, (m) => h("em", {}, inline(m[1], MARKDOWN))],
];

// The earliest match of any rule is turned into a node, the text around it is gone through in the same way.
export function inline(text, rules = MRKDWN) {
  let first = null;
  for (const [pattern, make] of rules) {
    const match = pattern.exec(text);
    if (match && (first === null || match.index < first.match.index)) first = { match, make };
  }
  if (first === null) return [withEmoji(text)];
  const { match, make } = first;
  const before = text.slice(0, match.index);
  return [before && withEmoji(before), make(match), ...inline(text.slice(match.index + match[0].length), rules)];
}

const BULLET = /^\s*[•◦*-]\s+/;
const NUMBER = /^\s*\d+[.)]\s+/;
const QUOTE = /^(&gt;|>)\s?/;

function listOf(tag, pattern, lines, rules) {
  return h(tag, {}, lines.map((line) => h("li", {}, inline(line.replace(pattern, ""), rules))));
}

// Runs of lines that belong together: quotes, bullets, numbers, or plain lines kept with their breaks.
function paragraphs(text, rules) {
  const found = [];
  for (const line of text.split("\n")) {
    const kind = QUOTE.test(line) ? "quote" : BULLET.test(line) ? "ul" : NUMBER.test(line) ? "ol" : "p";
    const last = found.at(-1);
    if (last && last.kind === kind) last.lines.push(line);
    else found.push({ kind, lines: [line] });
  }
  return found.map(({ kind, lines }) => {
    if (kind === "ul") return listOf("ul", BULLET, lines, rules);
    if (kind === "ol") return listOf("ol", NUMBER, lines, rules);
    const broken = lines.flatMap((line, i) => [i ? h("br") : null, ...inline(line.replace(kind === "quote" ? QUOTE : "", ""), rules)]);
    return h(kind === "quote" ? "blockquote" : "p", {}, broken);
  });
}

const fenced = (text, plain) => text.split("```").flatMap((part, i) =>
  i % 2 ? h("pre", {}, decoded(part.replace(/^[a-z]*\n/, "").replace(/\n$/, ""))) : plain(part.replace(/^\n|\n$/g, "")));

export const mrkdwn = (text) => fenced(text, (part) => (part ? paragraphs(part, MRKDWN) : []));

export const textObject = (object) =>
  object.type === "mrkdwn" ? mrkdwn(object.text) : [h("p", {}, withEmoji(object.text))];

const cellsOf = (row) => row.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

function markdownTable(lines) {
  const [head, , ...rows] = lines.map(cellsOf);
  const line = (cells, tag) => h("tr", {}, cells.map((cell) => h(tag, {}, inline(cell, MARKDOWN))));
  return h("table", {}, h("thead", {}, line(head, "th")), h("tbody", {}, rows.map((row) => line(row, "td"))));
}

const IS_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

// The pieces of standard markdown, line by line: headings, tables, and paragraphs up to the next blank line.
function pieces(lines) {
  const found = [];
  let plain = [];
  const flush = () => {
    if (plain.length) found.push(...paragraphs(plain.join("\n"), MARKDOWN));
    plain = [];
  };
  for (let i = 0; i < lines.length; i += 1) {
    const heading = /^(#{1,6})\s+(.*)/.exec(lines[i]);
    if (heading || !lines[i].trim()) flush();
    if (heading) {
      found.push(h(`h${Math.min(heading[1].length + 2, 6)}`, {}, inline(heading[2], MARKDOWN)));
    } else if (lines[i].includes("|") && IS_RULE.test(lines[i + 1] || "")) {
      flush();
      let end = i + 2;
      while (end < lines.length && lines[end].includes("|")) end += 1;
      found.push(markdownTable(lines.slice(i, end)));
      i = end - 1;
    } else if (lines[i].trim()) {
      plain.push(lines[i]);
    }
  }
  flush();
  return found;
}

export const markdown = (text) => fenced(text, (part) => pieces(part.split("\n")));
