/**
 * One conversation: messages with their replies, ephemerals, days, and the app's silences told as
 * Slack tells them.
 */
import { announce } from "./announce.js";
import { renderBlocks, unknownPart } from "./blocks.js";
import { h, icon, reconcile } from "./dom.js";
import { followEnd } from "./follow.js";
import { Form } from "./form.js";
import { mrkdwn } from "./mrkdwn.js";
import { avatar } from "./people.js";
import { spokenMessage } from "./spoken.js";
import { createSurface } from "./surface.js";
import { clockTime, dayName, formatDate } from "./time.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./store.js").Store} Store */

const COMPACT_SECONDS = 300;

/**
 * @param {Store} store
 * @param {HTMLElement} root the scrolling region
 */
export function mountMessages(store, root) {
  const list = h("ol", { class: "message-list", "aria-label": "Messages" });
  const jump = h(
    "button",
    { type: "button", class: "jump", hidden: true, onclick: () => end.toEnd() },
    icon("arrow-down"),
    "New messages",
  );
  root.append(list, jump);
  /** @type {Map<string, Form>} by channel and ts */
  const forms = new Map();
  /** @type {Set<string>} threads the reader folded */
  const folded = new Set();
  /** @type {Record<string, Json[]>} what Slack itself says to this person, by channel */
  let notices = {};
  let shown = "";

  const end = followEnd(root, list, (atEnd) => {
    if (atEnd) jump.hidden = true;
  });

  const draw = () => {
    const channel = store.channel;
    root.hidden = channel === null;
    if (channel === null) return;
    root.setAttribute(
      "aria-label",
      `Conversation: ${store.channels.find((one) => one.id === channel)?.name ?? store.bootstrap.app.name}`,
    );
    const place = `${store.person.id} ${channel} ${store.loaded}`;
    const isNewPlace = shown !== place;
    shown = place;
    const messages = [...(store.conversations[channel]?.messages ?? []), ...(notices[channel] ?? [])];
    messages.sort((a, b) => Number(a.ts) - Number(b.ts));
    if (isNewPlace) list.replaceChildren();
    const result = reconcile(list, [opening(store), ...rows(store, channel, messages, forms, folded, draw)]);
    if (isNewPlace || end.isFollowing()) end.toEnd();
    else if (result.added.length) jump.hidden = false;
    if (isNewPlace) return;
    for (const node of result.added) node.classList.add("arrived");
    for (const node of result.replaced) if (node.querySelector(".edited")) node.classList.add("changed");
  };

  store.on("place", draw);
  store.on("person", () => {
    notices = {};
    forms.clear();
    draw();
  });
  store.on("conversation", (/** @type {Json | undefined} */ change) => {
    if (change && change.channel !== store.channel) return;
    draw();
    const { reader } = store;
    const say = (/** @type {Json} */ message, /** @type {string} */ verb) =>
      announce(`${authorOf(message, store).name}${verb}: ${spokenMessage(message, reader)}`);
    for (const message of change?.arrived ?? []) say(message, "");
    for (const message of change?.edited ?? []) say(message, " edited a message");
  });

  return {
    /** Follows what the person is about to cause. */
    follow: end.toEnd,
    /**
     * Says something in Slack's own name, to this person alone.
     *
     * @param {string} text
     * @param {string} channel
     */
    notice: (text, channel) => {
      const ts = (Date.now() / 1000).toFixed(6);
      (notices[channel] ??= []).push({ ts, text, ephemeral: true, slack: true });
      draw();
      end.toEnd();
      announce(`Slackbot: ${text}`);
    },
  };
}

/**
 * The top of a conversation, which tells a newcomer where they are.
 *
 * @param {Store} store
 * @returns {import("./dom.js").Row}
 */
function opening(store) {
  const { app } = store.bootstrap;
  const channel = store.channels.find((one) => one.id === store.channel);
  const title = channel ? `# ${channel.name}` : app.name;
  let text = `This is your direct message with ${app.name}. It says here how each of your purchases ends.`;
  if (channel?.shared) {
    text = `People of another workspace are here too. They can click buttons, so ${app.name} must check who does.`;
  } else if (channel) {
    text = `This is the start of #${channel.name}. Commands typed here are answered to you alone.`;
  }
  return {
    key: "opening",
    signature: title + text,
    build: () => h("li", { class: "opening" }, h("h2", {}, title), h("p", {}, text)),
  };
}

/**
 * @param {Store} store
 * @param {string} channel
 * @param {Json[]} messages
 * @param {Map<string, Form>} forms
 * @param {Set<string>} folded
 * @param {() => void} redraw
 * @returns {import("./dom.js").Row[]}
 */
function rows(store, channel, messages, forms, folded, redraw) {
  const { tz } = store.reader;
  const isReply = (/** @type {Json} */ one) => one.thread_ts && one.thread_ts !== one.ts;
  const parents = new Set(messages.filter((one) => !isReply(one)).map((one) => one.ts));
  /** @type {import("./dom.js").Row[]} */
  const all = [];
  let day = "";
  /** @type {Json | null} */
  let previous = null;
  const push = (/** @type {Json} */ message, /** @type {string} */ variant) => {
    const formKey = `${channel} ${message.ts}`;
    const form = forms.get(formKey) ?? new Form();
    forms.set(formKey, form);
    all.push({
      key: message.ts,
      signature: JSON.stringify([message, variant, tz]),
      build: () => messageNode(store, channel, message, variant, form),
    });
  };
  for (const message of messages) {
    if (isReply(message) && parents.has(message.thread_ts)) continue;
    const today = dayName(message.ts, tz);
    if (today !== day) {
      all.push({
        key: `day ${today}`,
        signature: today,
        build: () => h("li", { class: "day" }, h("span", {}, today)),
      });
      day = today;
      previous = null;
    }
    const replies = messages.filter((one) => isReply(one) && one.thread_ts === message.ts);
    push(message, isReply(message) ? "stray" : isCompact(message, previous) ? "compact" : "full");
    previous = replies.length ? null : message;
    if (!replies.length) continue;
    const open = !folded.has(message.ts);
    all.push(threadLine(message, replies, open, tz, () => {
      if (!folded.delete(message.ts)) folded.add(message.ts);
      redraw();
    }));
    if (open) for (const reply of replies) push(reply, "reply");
  }
  return all;
}

/**
 * @param {Json} message
 * @param {Json | null} previous
 */
function isCompact(message, previous) {
  if (!previous || message.ephemeral || previous.ephemeral) return false;
  const sameAuthor = (message.bot_id ?? message.user) === (previous.bot_id ?? previous.user);
  return sameAuthor && Number(message.ts) - Number(previous.ts) < COMPACT_SECONDS;
}

/**
 * @param {Json} parent
 * @param {Json[]} replies
 * @param {boolean} open
 * @param {string} tz
 * @param {() => void} toggle
 * @returns {import("./dom.js").Row}
 */
function threadLine(parent, replies, open, tz, toggle) {
  const count = replies.length === 1 ? "1 reply" : `${replies.length} replies`;
  const last = formatDate(Number(replies.at(-1)?.ts), "{date_pretty} at {time}", tz);
  return {
    key: `thread ${parent.ts}`,
    signature: `${count} ${open} ${last}`,
    build: () =>
      h(
        "li",
        { class: "thread-line" },
        h(
          "button",
          {
            type: "button",
            class: "thread-toggle",
            "aria-expanded": String(open),
            "data-action-id": `thread ${parent.ts}`,
            onclick: toggle,
          },
          icon("chevron-down"),
          count,
        ),
        h("span", { class: "muted" }, last),
      ),
  };
}

/**
 * @param {Json} message
 * @param {Store} store
 * @returns {{name: string, isApp: boolean, person: Json | null}}
 */
function authorOf(message, store) {
  const { app, people } = store.bootstrap;
  if (message.slack) return { name: "Slackbot", isApp: false, person: null };
  const isApp = Boolean(message.bot_id || message.app_id);
  if (isApp) return { name: message.username ?? app.name, isApp, person: null };
  const person = people.find((/** @type {Json} */ one) => one.id === message.user) ?? null;
  return { name: person?.real_name ?? message.user ?? "Someone", isApp: false, person };
}

/**
 * @param {Store} store
 * @param {string} channel
 * @param {Json} message
 * @param {string} variant
 * @param {Form} form
 */
function messageNode(store, channel, message, variant, form) {
  const { reader } = store;
  const author = authorOf(message, store);
  const time = clockTime(message.ts, reader.tz);
  const moment = new Date(Number(message.ts) * 1000).toISOString();
  const guest = author.person && author.person.team_id !== store.bootstrap.workspace.id;
  const body = h("div", { class: "message-body" });
  if (message.ephemeral) body.append(h("p", { class: "only-you" }, icon("eye"), "Only visible to you"));
  body.append(
    h(
      "div",
      { class: variant === "compact" ? "message-head visually-hidden" : "message-head" },
      h("strong", { class: "author" }, author.name),
      author.isApp && h("span", { class: "badge" }, "APP"),
      guest && h("span", { class: "badge" }, "EXTERNAL"),
      h(
        "time",
        {
          datetime: moment,
          title: formatDate(Number(message.ts), "{date_pretty} at {time_secs}", reader.tz) ?? "",
        },
        time,
      ),
    ),
  );
  if (message.blocks?.length) {
    const blocks = h("div", { class: "blocks" });
    const surface = createSurface(store, { type: "message", channel, ts: message.ts }, form);
    renderBlocks(blocks, message.blocks, surface);
    body.append(blocks);
  } else {
    body.append(h("div", { class: "text" }, mrkdwn(message.text ?? "", reader)));
  }
  for (const file of message.files ?? []) {
    body.append(
      h(
        "a",
        { class: "file", href: file.url_private, download: file.name, "data-testid": "file" },
        h("strong", {}, file.title),
        h("span", { class: "muted" }, `${file.name} · ${file.size} bytes`),
      ),
    );
  }
  if (message.attachments?.length) {
    body.append(unknownPart("message", { type: "attachments", attachments: message.attachments }));
  }
  if (message.edited) {
    const at = formatDate(Number(message.edited.ts), "{date_pretty} at {time_secs}", reader.tz);
    body.append(
      h("span", { class: "edited", title: at ? `Edited ${at.toLowerCase()}` : undefined }, "(edited)"),
    );
  }
  return h(
    "li",
    {
      class: `message ${variant}${message.ephemeral ? " ephemeral" : ""}`,
      "data-testid": "message",
      "data-ts": message.ts,
      "data-ephemeral": message.ephemeral ? "true" : undefined,
    },
    h(
      "div",
      { class: "gutter" },
      variant === "compact" ? h("time", { "aria-hidden": "true" }, time.replace(/ .*/, "")) : avatar(author),
    ),
    body,
  );
}
