/** Charts: lines over categories, with what they show as words for a screen reader. */
import { h } from "./dom.js";

/** @typedef {{ label: string, value: number }} Point */
/** @typedef {{ name: string, data: Point[] }} Series */

const WIDTH = 480;
const HEIGHT = 160;
const LEFT = 44;
const BOTTOM = 20;
const TOP = 8;
const LABELS = 6;

/** @param {Record<string, any>} block */
export function chart(block) {
  const series = /** @type {Series[]} */ (block.chart?.series ?? []);
  const categories = /** @type {string[]} */ (block.chart?.axis_config?.categories ?? []);
  const values = series.flatMap((each) => each.data.map((point) => point.value));
  const most = Math.max(1, ...values);
  const least = Math.min(0, ...values);
  const x = (/** @type {number} */ index) =>
    LEFT + (index * (WIDTH - LEFT - TOP)) / Math.max(1, categories.length - 1);
  const y = (/** @type {number} */ value) =>
    TOP + ((most - value) * (HEIGHT - TOP - BOTTOM)) / (most - least);
  return h(
    "figure",
    { class: "chart" },
    h("figcaption", {}, block.title ?? ""),
    drawing(series, categories, { x, y, most, least }),
    h("p", { class: "chart-legend", "aria-hidden": "true" }, series.map((each, index) =>
      h("span", { class: `chart-name series-${index}` }, each.name))),
  );
}

/**
 * @param {Series[]} series
 * @param {string[]} categories
 * @param {{ x: (index: number) => number, y: (value: number) => number, most: number, least: number }} scale
 */
function drawing(series, categories, { x, y, most, least }) {
  const root = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "img",
    "aria-label": series.map(spoken).join(". "),
  });
  for (const value of new Set([least, 0, most])) {
    root.append(
      svg("line", { class: "chart-grid", x1: LEFT, x2: WIDTH - TOP, y1: y(value), y2: y(value) }),
      svg("text", { class: "chart-label", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, rounded(value)),
    );
  }
  const step = Math.ceil(categories.length / LABELS);
  categories.forEach((name, index) => {
    if (index % step) return;
    root.append(svg("text", { class: "chart-label", x: x(index), y: HEIGHT - 4, "text-anchor": "middle" }, name));
  });
  series.forEach((each, index) => {
    const points = each.data.map((point, place) => `${x(place)},${y(point.value)}`).join(" ");
    root.append(svg("polyline", { class: `chart-line series-${index}`, points }));
  });
  return root;
}

/** @param {Series} series */
function spoken(series) {
  return `${series.name}: ${series.data.map((point) => `${point.label} ${point.value}`).join(", ")}`;
}

/** @param {number} value */
function rounded(value) {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [words]
 */
function svg(name, attributes, words) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (words !== undefined) made.textContent = words;
  return made;
}
