/**
 * The sandbox portal's own controls: what kind of organisation it plays, and the amounts that
 * decide an outcome.
 */
import { announce, showToast } from "./announce.js";
import { api } from "./api.js";
import { h, icon, uniqueId } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./store.js").Store} Store */

const SETTLE_MS = 600;
/** The scenario in which a purchase's amount says what becomes of it. */
const BY_AMOUNT = "by-amount";

/**
 * @param {Store} store
 * @param {HTMLElement} root
 * @param {(text: string) => void} typeCommand puts a command into the composer
 */
export function mountScenarios(store, root, typeCommand) {
  const portal = String(store.bootstrap.portal_url ?? "").replace(/\/$/, "");
  const command = store.bootstrap.commands[0]?.command ?? "/billing";
  let chosen = "";
  let timer = 0;

  const refresh = async () => {
    if (!root.checkVisibility()) return;
    const answer = /** @type {Json} */ (await api.scenarios(portal));
    if (!answer.ok) {
      root.replaceChildren(
        h(
          "div",
          { class: "empty" },
          icon("warning"),
          h("h3", {}, "The sandbox portal does not answer"),
          h("p", {}, "Start it again with make demo."),
        ),
      );
      return;
    }
    draw(answer.organisations ?? [], answer.scenarios ?? []);
  };

  const set = async (/** @type {Json} */ organisation, /** @type {Json} */ scenario) => {
    const answer = await api.setScenario(portal, organisation.slug, scenario.name);
    if (answer.ok) announce(`${organisation.name} is now: ${scenario.title}.`);
    else showToast({ title: "The scenario could not be set.", text: answer.error, picture: "warning" });
    await refresh();
  };

  const draw = (/** @type {Json[]} */ organisations, /** @type {Json[]} */ scenarios) => {
    const organisation = organisations.find((one) => one.slug === chosen) ?? organisations[0];
    if (!organisation) return;
    chosen = organisation.slug;
    const active = /** @type {HTMLElement | null} */ (document.activeElement);
    const focused = root.contains(active) ? active?.dataset.key : undefined;
    const scroll = root.scrollTop;
    root.replaceChildren(
      organisationPicker(organisations, organisation, (slug) => {
        chosen = slug;
        draw(organisations, scenarios);
      }),
      scenarioList(organisation, scenarios, {
        switchTo: (scenario) => set(organisation, scenario),
        buy: async (amount) => {
          typeCommand(`${command} buy ${amount}`);
          const byAmount = scenarios.find((one) => one.name === BY_AMOUNT);
          if (byAmount && organisation.scenario !== BY_AMOUNT) await set(organisation, byAmount);
        },
      }),
    );
    root.scrollTop = scroll;
    if (!focused) return;
    const again = root.querySelector(`[data-key="${CSS.escape(focused)}"]`);
    if (again instanceof HTMLElement) again.focus({ preventScroll: true });
  };

  store.on("entries", () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, SETTLE_MS);
  });
  return { refresh };
}

/**
 * @param {Json[]} organisations
 * @param {Json} current
 * @param {(slug: string) => void} choose
 */
function organisationPicker(organisations, current, choose) {
  const id = uniqueId("organisation");
  const select = h(
    "select",
    { id, class: "native-select", "data-key": "organisation", onchange: () => choose(select.value) },
    organisations.map((one) => h("option", { value: one.slug }, one.name)),
  );
  select.value = current.slug;
  const facts = [
    ["Balance", dollars(current.balanceUsd)],
    ["Card", current.card ?? "none"],
    ["Left this month", dollars(current.capLeftUsd)],
  ];
  return h(
    "section",
    { class: "scenario-org" },
    h("label", { for: id }, "Organisation"),
    select,
    h("dl", {}, facts.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value)))),
  );
}

/**
 * Rounded to cents: balances have long decimal tails.
 * @param {string | null | undefined} amount
 */
function dollars(amount) {
  if (amount === null || amount === undefined) return "—";
  const shown = Math.abs(Number(amount)).toLocaleString("en-US", {
    minimumFractionDigits: 2,
    maximumFractionDigits: 2,
  });
  const sign = Number(amount) < 0 && shown !== "0.00" ? "-" : "";
  return `${sign}$${shown.replace(/\.00$/, "")}`;
}

/**
 * @param {Json} organisation
 * @param {Json[]} scenarios
 * @param {{switchTo: (scenario: Json) => void, buy: (amount: string) => void}} on
 */
function scenarioList(organisation, scenarios, on) {
  const group = uniqueId("scenario");
  return h(
    "fieldset",
    { class: "scenario-list" },
    h("legend", {}, "What the portal does"),
    h("p", { class: "muted" }, "Choose a scenario for every purchase, or an amount to see it once."),
    scenarios.map((scenario) => {
      const box = h(
        "input",
        {
          type: "radio",
          name: group,
          value: scenario.name,
          "data-key": scenario.name,
          onchange: () => on.switchTo(scenario),
        },
      );
      box.checked = scenario.name === organisation.scenario;
      const sentence = h("span", { class: "scenario-try" }, mrkdwn(scenario.try ?? "", PLAIN_READER));
      return h(
        "div",
        { class: "scenario" },
        h("label", {}, box, h("span", {}, h("strong", {}, scenario.title), sentence)),
        scenario.amount &&
          h(
            "button",
            {
              type: "button",
              class: "amount",
              "data-key": `amount ${scenario.name}`,
              "aria-label": `Buy ${dollars(scenario.amount)}: ${scenario.title}`,
              onclick: () => on.buy(scenario.amount),
            },
            dollars(scenario.amount),
          ),
      );
    }),
  );
}

/** The portal's sentences name nobody and no moment. */
const PLAIN_READER = { tz: "UTC", personName: () => undefined, channelName: () => undefined };
