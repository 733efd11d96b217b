/**
 * What passes between Slack and the app, explained as it happens.
 */
import { append, h, icon, reconcile } from "./dom.js";
import { followEnd } from "./follow.js";
import { mrkdwn } from "./mrkdwn.js";
import { entryTime } from "./time.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./store.js").Store} Store */

const ACK_BUDGET_MS = 3000;

const FILTERS = [
  { name: "all", label: "All", keeps: () => true },
  { name: "to_app", label: "To the app", keeps: (/** @type {Json} */ entry) => entry.direction === "to_app" },
  {
    name: "from_app",
    label: "From the app",
    keeps: (/** @type {Json} */ entry) => entry.direction === "from_app",
  },
];

/**
 * @param {Store} store
 * @param {HTMLElement} root
 */
export function mountInspector(store, root) {
  let filter = FILTERS[0];
  const list = h("ol", { class: "entries", "aria-label": "Traffic, newest last" });
  const empty = h(
    "div",
    { class: "empty" },
    icon("traffic"),
    h("h3", {}, "Nothing has passed yet"),
    h(
      "p",
      {},
      `Type ${store.bootstrap.commands[0]?.command ?? "a command"} and watch: the request to the app, `,
      "how long its acknowledgement took, and every call it makes to answer.",
    ),
  );
  const scroller = h("div", { class: "entries-scroll" }, empty, list);
  followEnd(scroller, list);
  const buttons = FILTERS.map((each) =>
    h(
      "button",
      { type: "button", "data-testid": `filter-${each.name}`, onclick: () => choose(each) },
      each.label,
    ),
  );
  root.append(
    h(
      "div",
      { class: "inspector-bar" },
      h("div", { class: "segmented", role: "group", "aria-label": "Show" }, buttons),
      h("button", { type: "button", class: "button quiet", onclick: () => store.clearEntries() }, "Clear"),
    ),
    scroller,
  );

  const choose = (/** @type {typeof FILTERS[number]} */ next) => {
    filter = next;
    draw();
  };
  const draw = () => {
    FILTERS.forEach((each, index) => buttons[index].setAttribute("aria-pressed", String(each === filter)));
    const entries = store.entries.filter(filter.keeps).sort(
      (a, b) => startedAt(a) - startedAt(b) || a.id - b.id,
    );
    empty.hidden = store.entries.length > 0;
    const { tz } = store.reader;
    reconcile(
      list,
      entries.map(
        (entry) => ({
          key: String(entry.id),
          signature: `${entry.ms} ${tz}`,
          build: () => entryNode(store, entry),
        }),
      ),
    );
  };
  store.on("entries", draw);
  store.on("person", draw);
  draw();
}

/**
 * @param {Store} store
 * @param {Json} entry
 */
function entryNode(store, entry) {
  const { reader } = store;
  const toApp = entry.direction === "to_app";
  const { picture, label, mark, word } = looksOf(entry);
  const ms = Math.round(entry.ms ?? 0);
  const person = entry.user && reader.personName(entry.user);
  const content = h("div", { class: "entry-detail" });
  const details = h(
    "details",
    {},
    h(
      "summary",
      { class: "entry-head" },
      icon(picture, label),
      h("span", { class: "entry-name" }, String(entry.name ?? entry.kind)),
      h(
        "span",
        { class: "entry-ms" },
        toApp ? `${count(ms)} of ${count(ACK_BUDGET_MS)} ms` : `${count(ms)} ms`,
      ),
      h("span", { class: "entry-mark" }, icon(mark), word),
      h(
        "span",
        { class: "entry-sub" },
        [
          KINDS[entry.kind] ?? entry.kind,
          person,
          entryTime(startedAt(entry), reader.tz),
        ].filter(Boolean).join(" · "),
      ),
      toApp && h("span", { class: "entry-budget" }, gauge(ms)),
    ),
    content,
  );
  // Payloads are large and most are never looked at.
  details.addEventListener("toggle", () => append(content, detail(entry, toApp, reader)), { once: true });
  details.addEventListener("toggle", () => details.open && details.scrollIntoView({ block: "nearest" }));
  return h(
    "li",
    {
      class: `entry ${toApp ? "to-app" : "from-app"} ${word}`,
      "data-testid": "entry",
      "data-name": entry.name,
    },
    details,
  );
}

/**
 * How an entry is pictured. A modal that the person closed before the app could update it is no
 * failure.
 *
 * @param {Json} entry
 */
function looksOf(entry) {
  const way = {
    to_app: { picture: "arrow-right", label: "to the app" },
    from_app: { picture: "arrow-left", label: "from the app" },
  }[/** @type {string} */ (entry.direction)] ?? { picture: "bolt", label: "to the app's process" };
  if (entry.closed) return { ...way, mark: "close", word: "closed" };
  return entry.ok ? { ...way, mark: "check", word: "ok" } : { ...way, mark: "error", word: "failed" };
}

/**
 * An entry comes when its answer is there. Told by when they began, a request stands before the
 * calls it caused.
 *
 * @param {Json} entry
 */
function startedAt(entry) {
  return entry.at - (entry.ms ?? 0) / 1000;
}

/** Kinds whose own name says too little; the others are shown as Slack's payloads have them. */
const KINDS = /** @type {Record<string, string>} */ ({
  api: "Web API",
  command: "slash command",
  response_url: "answer to the person",
  kill: "killed, and started again",
});

/** @param {number} number */
function count(number) {
  return number.toLocaleString("en-US");
}

/**
 * @param {Json} entry
 * @param {boolean} toApp
 * @param {import("./mrkdwn.js").Reader} reader
 */
function detail(entry, toApp, reader) {
  if (entry.kind === "kill") return [h("p", { class: "entry-note" }, entry.note)];
  return [
    entry.note && h("p", { class: "entry-note" }, mrkdwn(entry.note, reader)),
    payload(toApp ? "What Slack sent" : "What the app asked", entry.request),
    payload(toApp ? "What the app answered" : "What Slack answered", entry.response, entry.status),
  ];
}

/** @param {number} ms */
function gauge(ms) {
  const fill = h("span", { class: ms > ACK_BUDGET_MS ? "gauge-fill over" : "gauge-fill" });
  fill.style.width = `${Math.max(1, Math.min(100, (ms / ACK_BUDGET_MS) * 100))}%`;
  return h("span", { class: "gauge", "aria-hidden": "true" }, fill);
}

/**
 * @param {string} title
 * @param {unknown} value
 * @param {number | string} [status]
 */
function payload(title, value, status) {
  const text = typeof value === "string" ? value : JSON.stringify(value ?? null, null, 2);
  const copy = h(
    "button",
    { type: "button", class: "button quiet", "aria-label": `Copy: ${title}`, hidden: !navigator.clipboard },
    "Copy",
  );
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
  return h(
    "section",
    { class: "payload" },
    h("h3", {}, title, status ? h("span", { class: "muted" }, ` · ${status}`) : null, copy),
    text === "" ? h("p", { class: "muted" }, "An empty body.") : h(
      "pre",
      { class: "json", tabindex: "0", "aria-label": title },
      ...colored(text),
    ),
  );
}

/**
 * JSON with its keys and values told apart.
 *
 * @param {string} text
 * @returns {Node[]}
 */
function colored(text) {
  /** @type {Node[]} */
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null|-?\d+(?:\.\d+)?)\b/g)) {
    nodes.push(document.createTextNode(text.slice(from, match.index)));
    const [all, string, colon] = match;
    nodes.push(
      h("span", { class: colon ? "json-key" : string ? "json-string" : "json-atom" }, string ?? all),
    );
    from = match.index + (string ?? all).length;
  }
  nodes.push(document.createTextNode(text.slice(from)));
  return nodes;
}
