/** The part of Markdown that descriptions use: paragraphs, lists, code, emphasis and links. */

import { element } from "./dom.js";

const INLINE = /(`+)(.+?)\1(?!`)|\*\*(.+?)\*\*|\[([^\]]+)\]\(([^()\s]+)\)/gs;
const FENCE = /^```.*\n([\s\S]*?)\n?```$/;
const ITEM = /^[-*] /;

/** A description as a list of paragraphs, lists and blocks of code. */
export function prose(text) {
  const blocks =
    (text ?? "")
      .replaceAll("\r\n", "\n")
      .trim()
      .match(/```[\s\S]*?```|[^\n](?:[^\n]|\n(?!\n))*/g) ?? [];
  return blocks.map((block) => {
    const fenced = FENCE.exec(block);
    if (fenced) return element("pre", { tabindex: 0 }, element("code", {}, fenced[1]));
    if (!ITEM.test(block)) return element("p", {}, inline(block));
    const items = block.split(/\n(?=[-*] )/).map((item) => item.replace(ITEM, ""));
    return element(
      "ul",
      {},
      items.map((item) => element("li", {}, inline(item))),
    );
  });
}

/** One line of Markdown as texts and elements. */
export function inline(text) {
  const parts = [];
  let from = 0;
  for (const match of (text ?? "").matchAll(INLINE)) {
    const [whole, , code, strong, label, target] = match;
    parts.push(text.slice(from, match.index));
    if (code !== undefined) parts.push(element("code", {}, code));
    else if (strong !== undefined) parts.push(element("strong", {}, inline(strong)));
    else parts.push(link(label, target));
    from = match.index + whole.length;
  }
  parts.push((text ?? "").slice(from));
  return parts.filter((part) => part !== "");
}

function link(label, target) {
  if (!/^(https?:|[^:]*$)/i.test(target)) return label;
  return element("a", { href: target, rel: "noreferrer" }, inline(label));
}
