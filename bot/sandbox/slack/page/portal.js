/**
 * What the sandbox portal says of itself: its organizations, their scenarios, the charges it has made.
 * It is asked again whenever something has passed between Slack and the app.
 */
import { api } from "./api.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./store.js").Store} Store */

const SETTLE_MS = 600;
const AGAIN_MS = 1000;
/** A charge that is still pending then is one that never settles. */
const PATIENCE_MS = 60_000;
/** The scenario in which a purchase's amount says what becomes of it. */
export const BY_AMOUNT = "by-amount";

export class Portal {
  /** @type {Json[]} */
  organizations = [];
  /** @type {Json[]} */
  scenarios = [];
  /** @type {Json[]} */
  charges = [];
  /** False once the portal did not answer. */
  answers = true;

  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** @type {Map<string, number>} when each person has connected, by the clock of this page */
  #since = new Map();
  #url = "";
  #timer = 0;

  /** @param {Store} store */
  constructor(store) {
    this.#url = String(store.bootstrap.portal_url ?? "").replace(/\/$/, "");
    if (this.exists) store.on("entries", () => this.#refreshIn(SETTLE_MS));
  }

  /** True when this sandbox has a portal. */
  get exists() {
    return this.#url !== "";
  }

  /** @param {() => void} listener told after each answer of the portal */
  on(listener) {
    this.#listeners.add(listener);
  }

  async refresh() {
    if (!this.exists) return;
    const [listed, charged] = await Promise.all([api.scenarios(this.#url), api.charges(this.#url)]);
    this.answers = listed.ok && charged.ok;
    if (this.answers) {
      this.organizations = /** @type {Json} */ (listed).organisations ?? [];
      this.scenarios = /** @type {Json} */ (listed).scenarios ?? [];
      this.charges = /** @type {Json} */ (charged).charges ?? [];
      this.#since = new Map(
        this.people
          .filter((one) => one.connected)
          .map((one) => [one.key, (Date.now() - one.connectedMs) / 1000]),
      );
    }
    for (const listener of this.#listeners) listener();
    // A charge may settle while nothing passes between Slack and the app.
    const since = Date.now() - PATIENCE_MS;
    const mayEnd = this.charges.some((one) => one.status === "pending" && Date.parse(one.createdAt) > since);
    if (mayEnd) this.#refreshIn(AGAIN_MS);
  }

  /** @param {number} ms */
  #refreshIn(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), ms);
  }

  /**
   * @param {string} organization its slug
   * @param {string} scenario
   */
  async setScenario(organization, scenario) {
    const answer = await api.setScenario(this.#url, organization, scenario);
    await this.refresh();
    return answer;
  }

  /** The scenarios that are on, each with its organization. */
  get active() {
    return this.organizations
      .filter((one) => one.scenario !== BY_AMOUNT)
      .map((organization) => ({
        organization,
        scenario: this.scenarios.find((one) => one.name === organization.scenario) ?? {
          name: organization.scenario,
          title: organization.scenario,
        },
      }));
  }

  /**
   * The portal account of a person of the workspace, who goes by the same name there.
   *
   * @param {Json} person
   * @returns {Json | undefined}
   */
  accountOf(person) {
    return this.people.find((one) => one.key === person.name);
  }

  /**
   * When a person of the workspace has connected, in Unix seconds; null for one who is not connected.
   *
   * @param {Json} person
   */
  connectedSince(person) {
    return this.#since.get(person.name) ?? null;
  }

  /** The people of all organizations. */
  get people() {
    return /** @type {Json[]} */ (this.organizations.flatMap((one) => one.people ?? []));
  }
}

/**
 * Rounded to cents: balances have long decimal tails.
 *
 * @param {string | null | undefined} amount
 */
export function dollars(amount) {
  if (amount === null || amount === undefined) return "—";
  const shown = Math.abs(Number(amount)).toLocaleString("en-US", {
    minimumFractionDigits: 2,
    maximumFractionDigits: 2,
  });
  const sign = Number(amount) < 0 && shown !== "0.00" ? "-" : "";
  return `${sign}$${shown.replace(/\.00$/, "")}`;
}
