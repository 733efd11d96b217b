/**
 * The message box, with slash-command completion.
 */
import { api } from "./api.js";
import { h, icon, uniqueId } from "./dom.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./store.js").Store} Store */

const COACHED_KEY = "sandbox.coached";

/**
 * @param {Store} store
 * @param {HTMLElement} root
 * @param {{onSend: () => void, onRefused: (text: string, channel: string) => void}} handlers
 */
export function mountComposer(store, root, { onSend, onRefused }) {
  const listId = uniqueId("commands");
  const hintId = uniqueId("hint");
  const commands = /** @type {Json[]} */ (store.bootstrap.commands);
  const example = commands[0]?.command ?? "/help";
  const list = h(
    "div",
    { id: listId, class: "completion", role: "listbox", "aria-label": "Commands", hidden: true },
  );
  const field = h("textarea", {
    id: "composer",
    "data-testid": "composer",
    rows: 1,
    autocomplete: "off",
    spellcheck: "false",
    "aria-autocomplete": "list",
    "aria-controls": listId,
    "aria-haspopup": "listbox",
    "aria-describedby": hintId,
  });
  const sendButton = h("button", { type: "submit", class: "send", "aria-label": "Send" }, icon("send"));
  const slashButton = h(
    "button",
    { type: "button", class: "icon-button", "aria-label": "Commands", title: "Commands" },
    icon("slash"),
  );
  const coach = h(
    "p",
    { class: "coach", hidden: localStorage.getItem(COACHED_KEY) === "yes" },
    "Type ",
    h("button", { type: "button", class: "coach-command", onclick: () => write(example) }, example),
    " and press ",
    h("kbd", {}, "Enter"),
    h("span", { class: "coach-note" }, "This is a sandbox: nothing is charged."),
  );
  const hint = h("p", { id: hintId, class: "command-hint", hidden: true, "data-testid": "command-hint" });
  const closed = h(
    "p",
    { class: "read-only", hidden: true },
    "Sending messages to this app has been turned off.",
  );
  const form = h(
    "form",
    { class: "composer" },
    field,
    h(
      "div",
      { class: "composer-bar" },
      slashButton,
      h("span", { class: "keys" }, h("kbd", {}, "Enter"), " sends"),
      sendButton,
    ),
  );
  const open = h("div", {}, coach, h("div", { class: "composer-anchor" }, list, hint, form));
  root.append(open, closed);
  root.hidden = true;

  /** @type {{command: Json, node: HTMLElement}[]} */
  let offers = [];
  let active = 0;
  /** @type {string[]} */
  const sent = [];
  let recalled = 0;

  const fit = () => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
    sendButton.setAttribute("aria-disabled", String(!field.value.trim()));
    drawHint();
  };

  const hideOffers = () => {
    offers = [];
    list.hidden = true;
    field.removeAttribute("aria-activedescendant");
  };

  /** Says what a command takes for as long as its arguments are typed. */
  const drawHint = () => {
    const name = /^(\/\S+)\s/.exec(field.value)?.[1];
    const command = commands.find((one) => one.command === name);
    hint.hidden = !command || document.activeElement !== field;
    if (!command || hint.dataset.command === name) return;
    hint.dataset.command = name;
    hint.replaceChildren(
      h("strong", {}, command.command),
      " ",
      h("span", { class: "usage" }, command.usage_hint),
    );
  };

  const mark = (/** @type {number} */ index) => {
    active = (index + offers.length) % offers.length;
    offers.forEach(({ node }, at) => node.setAttribute("aria-selected", String(at === active)));
    field.setAttribute("aria-activedescendant", offers[active].node.id);
    offers[active].node.scrollIntoView({ block: "nearest" });
  };

  const offer = () => {
    const typed = field.value;
    const matching = /^\/\S*$/.test(typed) ? commands.filter((one) => one.command.startsWith(typed)) : [];
    if (matching.length === 0) {
      hideOffers();
      return;
    }
    offers = matching.map(
      (command) => ({ command, node: offerNode(command, store.bootstrap.app.name, () => complete(command)) }),
    );
    list.replaceChildren(
      h("p", { class: "completion-head", "aria-hidden": "true" }, "Commands"),
      ...offers.map(({ node }) => node),
    );
    list.hidden = false;
    mark(0);
  };

  const write = (/** @type {string} */ text) => {
    field.value = text;
    field.focus();
    field.setSelectionRange(text.length, text.length);
    fit();
    offer();
  };

  const complete = (/** @type {Json} */ command) => {
    write(`${command.command} `);
    hideOffers();
  };

  const send = async () => {
    const text = field.value.trim();
    const channel = store.channel;
    if (!text || !channel) return;
    sent.push(text);
    recalled = sent.length;
    field.value = "";
    hideOffers();
    fit();
    coach.hidden = true;
    localStorage.setItem(COACHED_KEY, "yes");
    onSend();
    const answer = await api.command({ user: store.person.id, channel, text });
    if (!answer.ok) onRefused(answer.error ?? "The command failed.", channel);
  };

  const recall = (/** @type {number} */ step) => {
    recalled = Math.max(0, Math.min(recalled + step, sent.length));
    field.value = sent[recalled] ?? "";
    field.setSelectionRange(field.value.length, field.value.length);
    fit();
    hideOffers();
  };

  field.addEventListener("input", () => {
    fit();
    offer();
  });
  field.addEventListener("blur", () => {
    hideOffers();
    drawHint();
  });
  field.addEventListener("focus", drawHint);
  field.addEventListener("keydown", (event) => {
    const { key } = event;
    if (event.isComposing) return;
    if (offers.length) {
      const whole = field.value === offers[active].command.command;
      if (key === "ArrowDown" || key === "ArrowUp") mark(active + (key === "ArrowDown" ? 1 : -1));
      else if (key === "Escape") hideOffers();
      else if (key === "Tab" || (key === "Enter" && !whole)) complete(offers[active].command);
      else if (key === "Enter") send();
      else return;
      event.preventDefault();
      return;
    }
    if (key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    } else if (key === "ArrowUp" && (field.value === "" || field.value === sent[recalled])) {
      event.preventDefault();
      recall(-1);
    } else if (key === "ArrowDown" && recalled < sent.length && field.value === sent[recalled]) {
      event.preventDefault();
      recall(1);
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  slashButton.addEventListener("click", () => write("/"));

  const relabel = () => {
    // Until the person's conversations are there, what is typed would belong nowhere.
    root.hidden = store.channel === null || !store.loaded;
    open.hidden = !store.canWrite;
    closed.hidden = store.canWrite;
    const channel = store.channels.find((one) => one.id === store.channel);
    const label = `Message ${channel ? `#${channel.name}` : store.bootstrap.app.name}`;
    field.placeholder = label;
    field.setAttribute("aria-label", label);
    fit();
  };
  store.on("place", relabel);
  store.on("person", relabel);
  return { write };
}

/**
 * @param {Json} command
 * @param {string} appName
 * @param {() => void} choose
 */
function offerNode(command, appName, choose) {
  return h(
    "div",
    {
      id: uniqueId("command"),
      class: "completion-item",
      role: "option",
      // The field must keep the focus, or its blur takes the list away before the click lands.
      onpointerdown: (/** @type {PointerEvent} */ event) => event.preventDefault(),
      onclick: choose,
    },
    h("span", { class: "avatar avatar-app", "aria-hidden": "true" }, icon("app")),
    h(
      "span",
      { class: "completion-text" },
      h("span", {}, h("strong", {}, command.command), " ", h("span", { class: "usage" }, command.usage_hint)),
      h("span", { class: "muted" }, command.description),
    ),
    h("span", { class: "completion-app muted" }, appName),
  );
}
