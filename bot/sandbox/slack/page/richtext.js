/**
 * The `rich_text` block and the `markdown` block.
 */
import { append, h } from "./dom.js";
import { emoji, isEmoji, withEmoji } from "./emoji.js";
import { safeLink } from "./mrkdwn.js";
import { formatDate } from "./time.js";

/** @typedef {import("./mrkdwn.js").Reader} Reader */
/** @typedef {Record<string, any>} Json */

/**
 * @param {Json} block
 * @param {Reader} reader
 * @param {(part: Json) => Node} unknown draws a part this page does not know
 */
export function richText(block, reader, unknown) {
  const container = h("div", { class: "rich-text" });
  const elements = /** @type {Json[]} */ (block.elements ?? []);
  elements.forEach((element, index) => {
    const above = /** @type {HTMLElement | null} */ (container.lastElementChild);
    if (element.type === "rich_text_list" && element.indent > 0 && above?.matches("ul, ol")) {
      nest(above, element, reader, unknown);
    } else {
      container.append(richPart(element, reader, unknown, index));
    }
  });
  return container;
}

/**
 * @param {Json} element
 * @param {Reader} reader
 * @param {(part: Json) => Node} unknown
 * @param {number} index
 * @returns {Node}
 */
function richPart(element, reader, unknown, index) {
  const inner = () => (element.elements ?? []).map(
    (/** @type {Json} */ part) => richInline(part, reader, unknown),
  );
  switch (element.type) {
    case "rich_text_section":
      return h("div", { class: index ? "rich-section spaced" : "rich-section" }, inner());
    case "rich_text_quote":
      return h("blockquote", {}, inner());
    case "rich_text_preformatted":
      return h("pre", { class: "preformatted", tabindex: "0" }, inner());
    case "rich_text_list":
      return richList(element, reader, unknown);
    default:
      return unknown(element);
  }
}

/**
 * @param {Json} element
 * @param {Reader} reader
 * @param {(part: Json) => Node} unknown
 */
function richList(element, reader, unknown) {
  const ordered = element.style === "ordered";
  const items = (element.elements ?? []).map((/** @type {Json} */ item) =>
    h("li", {}, (item.elements ?? []).map((/** @type {Json} */ part) => richInline(part, reader, unknown))),
  );
  return h(
    ordered ? "ol" : "ul",
    { start: ordered && element.offset ? element.offset + 1 : undefined },
    items,
  );
}

/**
 * Slack sends an indented list as a sibling; in a document it belongs to the item above it.
 *
 * @param {HTMLElement} above
 * @param {Json} element
 * @param {Reader} reader
 * @param {(part: Json) => Node} unknown
 */
function nest(above, element, reader, unknown) {
  let target = above.lastElementChild;
  for (let depth = 1; depth < element.indent; depth += 1) {
    const inner = target?.querySelector(":scope > ul, :scope > ol");
    if (!inner?.lastElementChild) break;
    target = inner.lastElementChild;
  }
  (target ?? above).append(richList(element, reader, unknown));
}

/**
 * @param {Json} part
 * @param {Reader} reader
 * @param {(part: Json) => Node} unknown
 * @returns {Node}
 */
function richInline(part, reader, unknown) {
  switch (part.type) {
    case "text":
      return styled(withEmoji(part.text ?? ""), part.style);
    case "link":
      return styled([safeLink(part.url, withEmoji(part.text || part.url))], part.style);
    case "emoji":
      return isEmoji(part.name) ? emoji(part.name) : document.createTextNode(`:${part.name}:`);
    case "user":
      return h("span", { class: "mention" }, `@${reader.personName(part.user_id) ?? part.user_id}`);
    case "channel":
      return h("span", { class: "mention" }, `#${reader.channelName(part.channel_id) ?? part.channel_id}`);
    case "broadcast":
      return h("span", { class: "mention" }, `@${part.range}`);
    case "date": {
      const text = formatDate(part.timestamp, part.format ?? "", reader.tz) ?? part.fallback ?? "";
      const time = h("time", { datetime: new Date(part.timestamp * 1000).toISOString() }, text);
      return styled([part.url ? safeLink(part.url, [time]) : time], part.style);
    }
    case "color":
      return h("code", {}, part.value);
    default:
      return unknown(part);
  }
}

/** @type {[string, "strong" | "em" | "s" | "code" | "u"][]} */
const STYLES = [["code", "code"], ["underline", "u"], ["strike", "s"], ["italic", "em"], ["bold", "strong"]];

/**
 * @param {Node[]} nodes
 * @param {Record<string, boolean> | undefined} style
 * @returns {Node}
 */
function styled(nodes, style) {
  let content = nodes;
  for (const [name, tag] of STYLES) if (style?.[name]) content = [h(tag, {}, ...content)];
  const fragment = document.createDocumentFragment();
  append(fragment, content);
  return fragment;
}

const LIST_ITEM = /^\s*(?:([-*+])|(\d+)[.)])\s+(.*)$/;

/**
 * Standard Markdown, as the `markdown` block takes it: headings, lists, quotes, fences, rules and
 * inline marks.
 *
 * @param {string} text
 * @returns {HTMLElement}
 */
export function markdown(text) {
  const container = h("div", { class: "rich-text markdown" });
  const lines = String(text ?? "").split("\n");
  let at = 0;
  /** @param {(line: string) => boolean} belongs */
  const take = (belongs) => {
    const from = at;
    while (at < lines.length && belongs(lines[at])) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    if (!line.trim()) {
      at += 1;
    } else if (line.startsWith("```")) {
      at += 1;
      const code = take((each) => !each.startsWith("```"));
      at += 1;
      container.append(h("pre", { class: "preformatted", tabindex: "0" }, code.join("\n")));
    } else if (heading) {
      at += 1;
      container.append(
        h(
          "p",
          { class: "markdown-heading", role: "heading", "aria-level": 3 + heading[1].length },
          ...markdownInline(heading[2]),
        ),
      );
    } else if (/^(-{3,}|\*{3,}|_{3,})$/.test(line.trim())) {
      at += 1;
      container.append(h("hr"));
    } else if (line.startsWith(">")) {
      const quoted = take((each) => each.startsWith(">")).map((each) => each.replace(/^>\s?/, ""));
      container.append(h("blockquote", {}, ...markdownInline(quoted.join("\n"))));
    } else if (LIST_ITEM.test(line)) {
      const ordered = Boolean(LIST_ITEM.exec(line)?.[2]);
      const items = take((each) => LIST_ITEM.test(each)).map(
        (each) => h("li", {}, ...markdownInline(LIST_ITEM.exec(each)?.[3] ?? "")),
      );
      container.append(h(ordered ? "ol" : "ul", {}, items));
    } else {
      const paragraph = take(
        (each) => each.trim() !== "" && !/^(#{1,6}\s|```|>)/.test(each) && !LIST_ITEM.test(each),
      );
      container.append(h("p", {}, ...markdownInline(paragraph.join("\n"))));
    }
  }
  return container;
}

const INLINE =
  /`([^`]+)`|\[([^\]]+)\]\(([^\s)]+)\)|\*\*(.+?)\*\*|__(.+?)__|(?<![\p{L}\p{N}])[*_](?!\s)(.+?)(?<!\s)[*_](?![\p{L}\p{N}])|~~(.+?)~~/gu;

/**
 * @param {string} text
 * @returns {Node[]}
 */
function markdownInline(text) {
  /** @type {Node[]} */
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(...withEmoji(text.slice(from, match.index)));
    const [, code, label, url, strong, strong2, em, strike] = match;
    if (code) nodes.push(h("code", {}, code));
    else if (label) nodes.push(safeLink(url, markdownInline(label)));
    else if (strong ?? strong2) nodes.push(h("strong", {}, ...markdownInline(strong ?? strong2)));
    else if (em) nodes.push(h("em", {}, ...markdownInline(em)));
    else if (strike) nodes.push(h("s", {}, ...markdownInline(strike)));
    from = match.index + match[0].length;
  }
  nodes.push(...withEmoji(text.slice(from)));
  return nodes;
}
