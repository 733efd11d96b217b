/**
 * The short codes the page knows. Those the app leans on are drawn by the page itself, so that they
 * look the same on a machine without an emoji font; the rest are characters.
 */
import { icon } from "./dom.js";

/** @type {Record<string, string>} */
const CHARACTERS = {
  white_check_mark: "✅",
  heavy_check_mark: "✔️",
  x: "❌",
  warning: "⚠️",
  hourglass_flowing_sand: "⏳",
  hourglass: "⌛",
  credit_card: "💳",
  lock: "🔒",
  unlock: "🔓",
  link: "🔗",
  moneybag: "💰",
  arrows_counterclockwise: "🔄",
  repeat: "🔁",
  information_source: "ℹ️",
  large_green_circle: "🟢",
  large_yellow_circle: "🟡",
  large_orange_circle: "🟠",
  large_blue_circle: "🔵",
  red_circle: "🔴",
  white_circle: "⚪",
  large_green_square: "🟩",
  large_yellow_square: "🟨",
  large_red_square: "🟥",
  white_large_square: "⬜",
  heavy_minus_sign: "➖",
  no_entry: "⛔",
  no_entry_sign: "🚫",
  bulb: "💡",
  bell: "🔔",
  mag: "🔍",
  key: "🔑",
  stopwatch: "⏱️",
  clock3: "🕒",
  calendar: "📅",
  bar_chart: "📊",
  receipt: "🧾",
  gear: "⚙️",
  tada: "🎉",
  wave: "👋",
  eyes: "👀",
  rocket: "🚀",
  point_right: "👉",
  thinking_face: "🤔",
  "+1": "👍",
  question: "❓",
  exclamation: "❗",
  house: "🏠",
  bank: "🏦",
  dollar: "💵",
  money_with_wings: "💸",
  chart_with_upwards_trend: "📈",
  shield: "🛡️",
  sos: "🆘",
  zap: "⚡",
  pencil2: "✏️",
  arrow_right: "➡️",
  arrow_up: "⬆️",
};

const DRAWN = new Set([
  "white_check_mark",
  "heavy_check_mark",
  "x",
  "warning",
  "hourglass_flowing_sand",
  "hourglass",
  "credit_card",
  "lock",
  "unlock",
  "link",
  "moneybag",
  "arrows_counterclockwise",
  "repeat",
  "information_source",
  "large_green_circle",
  "large_yellow_circle",
  "large_orange_circle",
  "large_blue_circle",
  "red_circle",
  "white_circle",
  "large_green_square",
  "large_yellow_square",
  "large_red_square",
  "white_large_square",
  "heavy_minus_sign",
  "no_entry",
  "no_entry_sign",
  "bulb",
  "bell",
  "mag",
  "key",
  "stopwatch",
  "calendar",
  "bar_chart",
  "receipt",
  "gear",
  "tada",
  "wave",
]);

/** Characters that an app may have typed directly, by their code; a variation selector is optional. */
const BY_CHARACTER = new Map(
  Object.entries(CHARACTERS).map(([code, character]) => [character.replace("\uFE0F", ""), code]),
);
const CHARACTER = new RegExp(`(${[...BY_CHARACTER.keys()].join("|")})\\uFE0F?`, "gu");

/** @param {string} code */
export function isEmoji(code) {
  return Object.hasOwn(CHARACTERS, code);
}

/**
 * @param {string} code
 * @returns {Node}
 */
export function emoji(code) {
  return DRAWN.has(code) ? icon(
    code,
    code.replaceAll("_", " "),
    "emoji",
  ) : document.createTextNode(CHARACTERS[code]);
}

/**
 * Text in which emoji characters are drawn as their short codes would be.
 *
 * @param {string} text
 * @returns {Node[]}
 */
export function withEmoji(text) {
  /** @type {Node[]} */
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(CHARACTER)) {
    const code = BY_CHARACTER.get(match[1]) ?? "";
    if (!DRAWN.has(code)) continue;
    if (match.index > from) nodes.push(document.createTextNode(text.slice(from, match.index)));
    nodes.push(emoji(code));
    from = match.index + match[0].length;
  }
  if (from < text.length) nodes.push(document.createTextNode(text.slice(from)));
  return nodes;
}
