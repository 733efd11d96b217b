/**
 * Slack's mrkdwn and plain text as DOM nodes, and as the bare words a screen reader is told.
 */
import { emoji, isEmoji, withEmoji } from "./emoji.js";
import { h } from "./dom.js";
import { formatDate } from "./time.js";

/**
 * What a text needs to know of the person who reads it.
 *
 * @typedef {object} Reader
 * @property {string} tz
 * @property {(id: string) => string | undefined} personName
 * @property {(id: string) => string | undefined} channelName
 * @property {() => {id: string, name: string}[]} people
 * @property {() => {id: string, name: string}[]} privateChannels
 */

/** @typedef {{type: "plain_text" | "mrkdwn", text: string, emoji?: boolean, verbatim?: boolean}} TextObject */

const SAFE_SCHEME = /^(https?|mailto|slack):/i;
const BARE_URL = /https?:\/\/[^\s<>|*_~`]+[^\s<>|*_~`.,;:!?)\]'"]/g;
const ENTITIES = { amp: "&", lt: "<", gt: ">" };
const DELIMITERS = { "*": "strong", _: "em", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;

/**
 * Undoes Slack's escaping, exactly once: `&amp;lt;` reads `&lt;`.
 *
 * @param {string} text
 */
function unescapeText(text) {
  return text.replace(/&(amp|lt|gt);/g, (_all, /** @type {keyof typeof ENTITIES} */ name) => ENTITIES[name]);
}

/**
 * A link to the outside, or bare text when its scheme is none that a person should follow.
 *
 * @param {string} url
 * @param {Node[]} label
 * @returns {Node}
 */
export function safeLink(url, label) {
  if (!SAFE_SCHEME.test(url)) {
    const bare = label.length === 1 && label[0].textContent === url;
    return h("span", {}, ...label, bare ? "" : ` (${url})`);
  }
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...label);
}

/**
 * @param {string | null | undefined} url
 * @returns {boolean}
 */
export function isSafeUrl(url) {
  return SAFE_SCHEME.test(url ?? "");
}

/**
 * Any text object of Block Kit.
 *
 * @param {TextObject | null | undefined} object
 * @param {Reader} reader
 * @returns {Node}
 */
export function textObject(object, reader) {
  if (!object) return document.createTextNode("");
  if (object.type === "mrkdwn") return mrkdwn(object.text, reader, object.verbatim);
  return plainText(object);
}

/**
 * @param {{text: string, emoji?: boolean}} object
 * @returns {DocumentFragment}
 */
export function plainText(object) {
  const fragment = document.createDocumentFragment();
  const text = object.text ?? "";
  if (object.emoji === false) fragment.append(...withEmoji(unescapeText(text)));
  else fragment.append(...shortCodes(text));
  return fragment;
}

/**
 * @param {string} text still escaped
 * @returns {Node[]}
 */
function shortCodes(text) {
  /** @type {Node[]} */
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(/:([\w+-]+):/g)) {
    if (match.index < from || !isEmoji(match[1])) continue;
    nodes.push(...withEmoji(unescapeText(text.slice(from, match.index))), emoji(match[1]));
    from = match.index + match[0].length;
  }
  nodes.push(...withEmoji(unescapeText(text.slice(from))));
  return nodes;
}

/**
 * @param {string} text
 * @param {Reader} reader
 * @param {boolean} [verbatim] true leaves bare addresses alone
 * @returns {DocumentFragment}
 */
export function mrkdwn(text, reader, verbatim = false) {
  const fragment = document.createDocumentFragment();
  String(text ?? "")
    .split(/```\n?([\s\S]*?)\n?```\n?/)
    .forEach((piece, index) => {
      const isCode = index % 2 === 1;
      if (isCode) fragment.append(preformatted(unescapeText(stripLinks(piece))));
      else if (piece) fragment.append(...paragraphs(piece, reader, verbatim));
    });
  return fragment;
}

/** @param {string} code */
function preformatted(code) {
  return h("pre", { class: "preformatted", tabindex: "0" }, code);
}

/** @param {string} code */
function stripLinks(code) {
  return code.replace(/<(https?:[^|>]+)(?:\|([^>]*))?>/g, (_all, url, label) => label ?? url);
}

/**
 * Lines, with those that open with `>` gathered into a quote.
 *
 * @param {string} text
 * @param {Reader} reader
 * @param {boolean} verbatim
 * @returns {Node[]}
 */
function paragraphs(text, reader, verbatim) {
  /** @type {{quote: boolean, lines: string[]}[]} */
  const groups = [];
  for (const line of text.split("\n")) {
    const quoted = /^(?:>|&gt;) ?/.exec(line);
    const last = groups.at(-1);
    const body = quoted ? line.slice(quoted[0].length) : line;
    if (last && last.quote === Boolean(quoted)) last.lines.push(body);
    else groups.push({ quote: Boolean(quoted), lines: [body] });
  }
  return groups.flatMap(({ quote, lines }) => {
    const nodes = inline(lines.join("\n"), reader, verbatim);
    return quote ? [h("blockquote", {}, ...nodes)] : nodes;
  });
}

/**
 * @param {string} text
 * @param {Reader} reader
 * @param {boolean} verbatim
 * @returns {Node[]}
 */
function inline(text, reader, verbatim) {
  /** @type {Node[]} */
  const nodes = [];
  let run = "";
  const flush = () => {
    if (run) nodes.push(...bareText(run, verbatim));
    run = "";
  };
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at);
    const angle = /^<([^<>\n]+)>/.exec(rest);
    const code = /^`([^`\n]+)`/.exec(rest);
    const short = /^:([\w+-]+):/.exec(rest);
    const mark = /** @type {"*" | "_" | "~"} */ (text[at]);
    if (angle) {
      flush();
      nodes.push(angled(angle[1], reader, verbatim));
      at += angle[0].length;
    } else if (code) {
      flush();
      nodes.push(h("code", {}, unescapeText(stripLinks(code[1]))));
      at += code[0].length;
    } else if (short && isEmoji(short[1])) {
      flush();
      nodes.push(emoji(short[1]));
      at += short[0].length;
    } else if (mark in DELIMITERS) {
      const end = closing(text, at, mark);
      if (end > 0) {
        flush();
        nodes.push(
          h(
            /** @type {"strong"} */ (DELIMITERS[mark]),
            {},
            ...inline(text.slice(at + 1, end), reader, verbatim),
          ),
        );
        at = end + 1;
      } else {
        run += mark;
        at += 1;
      }
    } else {
      run += text[at];
      at += 1;
    }
  }
  flush();
  return nodes;
}

/**
 * Where the formatting that opens at `from` ends, or -1: both marks hug their words and stand at a
 * word's edge, on one line, and a mark inside a link or inline code does not count.
 *
 * @param {string} text
 * @param {number} from
 * @param {string} mark
 */
function closing(text, from, mark) {
  const before = text[from - 1] ?? " ";
  const after = text[from + 1] ?? " ";
  if (WORD.test(before) || /\s/.test(after) || after === mark) return -1;
  let at = from + 1;
  while (at < text.length && text[at] !== "\n") {
    const shielded = /^(<[^<>\n]+>|`[^`\n]+`)/.exec(text.slice(at));
    if (shielded) {
      at += shielded[0].length;
      continue;
    }
    if (text[at] === mark && !/\s/.test(text[at - 1]) && !WORD.test(text[at + 1] ?? " ")) return at;
    at += 1;
  }
  return -1;
}

/**
 * @param {string} text
 * @param {boolean} verbatim
 * @returns {Node[]}
 */
function bareText(text, verbatim) {
  if (verbatim) return withEmoji(unescapeText(text));
  /** @type {Node[]} */
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(BARE_URL)) {
    nodes.push(...withEmoji(unescapeText(text.slice(from, match.index))));
    const url = unescapeText(match[0]);
    nodes.push(safeLink(url, [document.createTextNode(url)]));
    from = match.index + match[0].length;
  }
  nodes.push(...withEmoji(unescapeText(text.slice(from))));
  return nodes;
}

/**
 * What stands between `<` and `>`.
 *
 * @param {string} token
 * @param {Reader} reader
 * @param {boolean} verbatim
 * @returns {Node}
 */
function angled(token, reader, verbatim) {
  const bar = token.indexOf("|");
  const target = bar < 0 ? token : token.slice(0, bar);
  const label = bar < 0 ? null : token.slice(bar + 1);
  if (target.startsWith("@")) {
    const id = target.slice(1);
    return mention(`@${reader.personName(id) ?? label ?? id}`);
  }
  if (target.startsWith("#")) {
    const id = target.slice(1);
    const name = reader.channelName(id);
    // Slack names no private channel to whoever is not in it.
    const text = name || label ? `#${name ?? label}` : "private channel";
    return name ? h("a", { class: "mention", href: `#${id}` }, text) : mention(text);
  }
  if (target.startsWith("!date^")) return dateNode(target.slice(6), label, reader);
  if (target.startsWith("!subteam^")) return mention(label ?? "@group");
  if (target.startsWith("!")) return mention(`@${label ?? target.slice(1)}`);
  const url = unescapeText(target);
  return safeLink(url, label === null ? [document.createTextNode(url)] : inline(label, reader, verbatim));
}

/** @param {string} text */
function mention(text) {
  return h("span", { class: "mention" }, unescapeText(text));
}

/**
 * @param {string} body `unix^template[^link]`
 * @param {string | null} fallback
 * @param {Reader} reader
 */
function dateNode(body, fallback, reader) {
  const [unix, template = "", link] = body.split("^");
  const text = formatDate(Number(unix), unescapeText(template), reader.tz) ?? unescapeText(fallback ?? "");
  const moment = new Date(Number(unix) * 1000);
  const iso = Number.isNaN(moment.getTime()) ? undefined : moment.toISOString();
  const time = h("time", { datetime: iso, title: fallback ? unescapeText(fallback) : undefined }, text);
  return link ? safeLink(unescapeText(link), [time]) : time;
}

/**
 * The words of a mrkdwn text, without its marks: what is announced and what a preview shows.
 *
 * @param {string} text
 * @param {Reader} reader
 */
export function words(text, reader) {
  const holder = h("div", {}, mrkdwn(text, reader));
  for (const picture of holder.querySelectorAll("[aria-label]")) picture.remove();
  return (holder.textContent ?? "").replace(/\s+/g, " ").trim();
}
