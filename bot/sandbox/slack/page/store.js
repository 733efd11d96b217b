/**
 * What the page knows, and who wants to be told when it changes. Topics: `person`, `place`,
 * `conversation`, `home`, `stack`, `unread`, `entries`, `connection`, `error`.
 */
import { api, openStream } from "./api.js";
import { forgetGuide } from "./guide.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {{kind: "channel", id: string} | {kind: "dm"} | {kind: "home"} | {kind: "about"}} Place */

const PERSON_KEY = "sandbox.person";
/** Who a pane acts as: its address says so, and it keeps nothing. */
const PANE = new URLSearchParams(location.search).get("as");
const KEPT_ENTRIES = 300;
const HOME_WAIT_MS = 2500;

export class Store {
  /** @type {Json} */
  bootstrap;
  /** @type {Json} the person acted as */
  person = {};
  /** @type {Place} */
  place = { kind: "dm" };
  /** @type {Record<string, Json>} by channel id */
  conversations = {};
  /** The app's direct message with the person. */
  dm = "";
  /** @type {Json | null} */
  home = null;
  /** What became of the last opening of the Home tab: "asking", "asked", or Slack's error code. */
  homeAnswer = "asking";
  /** @type {Json[]} */
  stack = [];
  /** @type {Set<string>} channel ids */
  unread = new Set();
  /** @type {Json[]} */
  entries = [];
  connected = true;
  /** True once the person's conversations are there. */
  loaded = false;

  /** @type {Map<string, Set<(detail: any) => void>>} */
  #listeners = new Map();
  /** @type {() => void} */
  #closeStream = () => {};
  /** @type {Json[] | null} events that arrive while the state is being fetched */
  #waiting = null;

  /** @param {Json} bootstrap */
  constructor(bootstrap) {
    this.bootstrap = bootstrap;
  }

  /**
   * @param {string} topic
   * @param {(detail: any) => void} listener
   */
  on(topic, listener) {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
  }

  /**
   * @param {string} topic
   * @param {unknown} [detail]
   */
  #tell(topic, detail) {
    for (const listener of this.#listeners.get(topic) ?? []) listener(detail);
  }

  /** @type {import("./mrkdwn.js").Reader} */
  get reader() {
    const { people, app } = this.bootstrap;
    return {
      tz: this.person.tz || "UTC",
      personName: (id) => {
        if (id === app.bot_user_id) return app.name;
        return people.find((/** @type {Json} */ one) => one.id === id)?.real_name;
      },
      channelName: (id) => this.channels.find((one) => one.id === id)?.name,
      people: () => people.map((/** @type {Json} */ one) => ({ id: one.id, name: one.real_name })),
      privateChannels: () => this.channels
        .filter((one) => one.private)
        .map((one) => ({ id: one.id, name: one.name })),
    };
  }

  /** The channels the person is in. */
  get channels() {
    const all = /** @type {Json[]} */ (this.bootstrap.channels);
    return this.loaded ? all.filter((one) => this.conversations[one.id]) : all;
  }

  /** The id of the conversation that is open, or null on the Home and About tabs. */
  get channel() {
    if (this.place.kind === "channel") return this.place.id;
    return this.place.kind === "dm" ? this.dm : null;
  }

  /** True where the person can write; a direct message with an app may be read-only. */
  get canWrite() {
    if (this.place.kind === "channel") return true;
    return this.place.kind === "dm" && !this.bootstrap.app.read_only;
  }

  /** Starts with the person of this tab's last visit. */
  async start() {
    const entries = await api.inspect();
    this.entries = entries.entries ?? [];
    this.#tell("entries");
    await this.actAs(PANE ?? sessionStorage.getItem(PERSON_KEY) ?? "");
  }

  /** @param {string} id */
  async actAs(id) {
    const people = /** @type {Json[]} */ (this.bootstrap.people);
    this.person = people.find((one) => one.id === id) ?? people[0];
    if (PANE === null) sessionStorage.setItem(PERSON_KEY, this.person.id);
    this.#closeStream();
    Object.assign(
      this,
      { conversations: {}, dm: "", home: null, stack: [], unread: new Set(), loaded: false },
    );
    this.#waiting = [];
    this.#tell("person");
    this.#tell("stack");
    const { id: user } = this.person;
    this.#closeStream = openStream(user, {
      onOpen: () => this.#load(user),
      onEvent: (event) => this.#receive(event),
      onLost: () => this.#setConnected(false),
    });
  }

  /** @param {string} user */
  async #load(user) {
    this.#waiting ??= [];
    const state = await api.state(user);
    if (user !== this.person.id) return;
    if (!state.ok) {
      this.#setConnected(false);
      return;
    }
    const { conversations, dm, home, stack } = /** @type {Json} */ (state);
    this.#setConnected(true);
    if (this.loaded) {
      for (const each of Object.values(conversations)) this.#setMessages(each.id, each.messages);
      Object.assign(this, { home, stack });
    } else {
      Object.assign(this, { conversations, dm, home, stack, loaded: true });
      this.#tell("person");
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const topic of ["home", "stack"]) this.#tell(topic);
    for (const event of waiting) this.#receive(event);
  }

  /** @param {Json} event */
  #receive(event) {
    if (event.type === "inspect") {
      this.#addEntry(event.entry);
      return;
    }
    if (this.#waiting) {
      this.#waiting.push(event);
      return;
    }
    switch (event.type) {
      case "conversation":
        this.#setMessages(event.channel, event.messages);
        break;
      case "stack":
        this.stack = event.stack;
        this.#tell("stack");
        break;
      case "home":
        this.home = event.home;
        this.#tell("home");
        break;
      case "error":
        this.#tell("error", event);
        break;
      case "started_over":
        sessionStorage.removeItem(PERSON_KEY);
        forgetGuide();
        history.replaceState(null, "", location.pathname + location.search);
        location.reload();
        break;
    }
  }

  /**
   * @param {string} channel
   * @param {Json[]} messages
   */
  #setMessages(channel, messages) {
    const conversation = (this.conversations[channel] ??= {
      id: channel,
      kind: "channel",
      name: channel,
      messages: [],
    });
    const before = new Map(conversation.messages.map((/** @type {Json} */ one) => [one.ts, one]));
    conversation.messages = messages;
    const fromOthers = messages.filter((one) => one.bot_id || one.user !== this.person.id);
    const arrived = fromOthers.filter((one) => !before.has(one.ts));
    const edited = fromOthers.filter((one) => before.has(one.ts) && before.get(one.ts).text !== one.text);
    if (arrived.length && channel !== this.channel) this.#setUnread(channel, true);
    this.#tell("conversation", { channel, arrived, edited });
  }

  /** @param {Json} entry */
  #addEntry(entry) {
    const index = this.entries.findIndex((one) => one.id === entry.id);
    if (index < 0) this.entries.push(entry);
    else this.entries[index] = entry;
    this.entries = this.entries.slice(-KEPT_ENTRIES);
    this.#tell("entries");
  }

  clearEntries() {
    this.entries = [];
    this.#tell("entries");
  }

  /** @param {Place} place */
  open(place) {
    this.place = place;
    if (this.channel) this.#setUnread(this.channel, false);
    if (place.kind === "home") this.openHome();
    this.#tell("place");
  }

  /** Tells the app that the person opened its Home tab. */
  async openHome() {
    const user = this.person.id;
    this.homeAnswer = "asking";
    this.#tell("home");
    const answer = await api.home(user);
    // The app publishes the tab by a call of its own, after it has acknowledged.
    if (answer.ok) await new Promise((done) => setTimeout(done, HOME_WAIT_MS));
    if (user !== this.person.id) return;
    this.homeAnswer = answer.ok ? "asked" : answer.error ?? "";
    this.#tell("home");
  }

  /** Closes every modal of the person, who goes on elsewhere. */
  closeModals() {
    const front = this.stack.at(-1);
    if (!front) return;
    api.close({ user: this.person.id, view_id: front.id, everything: true });
    this.stack = [];
    this.#tell("stack");
  }

  /**
   * @param {string} channel
   * @param {boolean} unread
   */
  #setUnread(channel, unread) {
    if (unread) this.unread.add(channel);
    else this.unread.delete(channel);
    this.#tell("unread");
  }

  /** @param {boolean} connected */
  #setConnected(connected) {
    if (connected === this.connected) return;
    this.connected = connected;
    this.#tell("connection");
  }
}
