/**
 * The sandbox portal's own controls: what kind of organization it plays, and the amounts that
 * decide an outcome.
 */
import { announce, showToast } from "./announce.js";
import { api } from "./api.js";
import { askConfirm } from "./confirm.js";
import { h, icon, uniqueId } from "./dom.js";
import { happenings } from "./happenings.js";
import { mrkdwn } from "./mrkdwn.js";
import { BY_AMOUNT, dollars } from "./portal.js";
import { setPending } from "./surface.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./portal.js").Portal} Portal */

/**
 * @param {Store} store
 * @param {Portal} portal
 * @param {HTMLElement} root
 * @param {(text: string) => void} typeCommand puts a command into the composer
 */
export function mountScenarios(store, portal, root, typeCommand) {
  const command = store.bootstrap.commands[0]?.command ?? "/billing";
  let chosen = "";
  let signature = "";
  const away = h(
    "div",
    { class: "empty" },
    icon("warning"),
    h("h3", {}, "The sandbox portal does not answer"),
    h("p", {}, "Start it again with make demo."),
  );
  const filter = h("input", {
    type: "search",
    class: "text-input",
    placeholder: "Filter: decline, timeout, 3ds…",
    "aria-label": "Filter the scenarios",
    autocomplete: "off",
    "data-testid": "scenario-filter",
    oninput: () => sift(),
  });
  const found = h("p", { class: "visually-hidden", role: "status" });
  const none = h("p", { class: "muted", hidden: true }, "No scenario has these words.");
  const facts = h("section", { class: "scenario-org" });
  const list = h("div", { class: "scenario-groups" });
  root.append(
    facts,
    ...(store.bootstrap.can_start_over ? [startOver(store)] : []),
    h(
      "div",
      { class: "scenario-filter" },
      h("h2", {}, "What the portal does"),
      h("p", { class: "muted" }, "Choose a scenario for every purchase, or an amount to see it once."),
      filter,
      found,
    ),
    list,
    none,
    happenings(store),
  );

  const set = async (/** @type {Json} */ organization, /** @type {Json} */ scenario) => {
    const answer = await portal.setScenario(organization.slug, scenario.name);
    if (answer.ok) announce(`${organization.name} is now: ${scenario.title}.`);
    else showToast({ title: "The scenario could not be set.", text: answer.error, picture: "warning" });
  };

  /** Leaves those scenarios that have every word of the filter. */
  const sift = () => {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const group of list.children) {
      let any = false;
      for (const row of /** @type {NodeListOf<HTMLElement>} */ (group.querySelectorAll(".scenario"))) {
        const words = [row.textContent, group.firstElementChild?.textContent, row.dataset.keywords];
        const text = words.join(" ").toLowerCase();
        row.hidden = !wanted.every((word) => text.includes(word));
        if (row.hidden) continue;
        any = true;
        count += 1;
      }
      /** @type {HTMLElement} */ (group).hidden = !any;
    }
    none.hidden = count > 0;
    found.textContent = wanted.length ? `${count} scenarios` : "";
  };

  const draw = () => {
    const { organizations, scenarios } = portal;
    if (!portal.answers) {
      for (const part of root.children) if (part !== away) /** @type {HTMLElement} */ (part).inert = true;
      root.prepend(away);
      return;
    }
    away.remove();
    for (const part of root.children) /** @type {HTMLElement} */ (part).inert = false;
    const organization = organizations.find((one) => one.slug === chosen) ?? organizations[0];
    if (!organization) return;
    chosen = organization.slug;
    const now = JSON.stringify([organizations, scenarios.length, chosen]);
    if (now === signature) return;
    signature = now;
    const active = /** @type {HTMLElement | null} */ (document.activeElement);
    const focused = root.contains(active) ? active?.dataset.key : undefined;
    const scroll = root.scrollTop;
    facts.replaceChildren(
      ...organizationPicker(organizations, organization, (slug) => {
        chosen = slug;
        draw();
      }),
    );
    list.replaceChildren(
      ...scenarioGroups(organization, scenarios, {
        switchTo: (scenario) => set(organization, scenario),
        buy: async (amount) => {
          typeCommand(`${command} buy ${amount}`);
          const byAmount = scenarios.find((one) => one.name === BY_AMOUNT);
          if (byAmount && organization.scenario !== BY_AMOUNT) await set(organization, byAmount);
        },
      }),
    );
    sift();
    root.scrollTop = scroll;
    if (!focused) return;
    const again = root.querySelector(`[data-key="${CSS.escape(focused)}"]`);
    if (again instanceof HTMLElement) again.focus({ preventScroll: true });
  };
  portal.on(draw);
}

/**
 * @param {Json[]} organizations
 * @param {Json} current
 * @param {(slug: string) => void} choose
 * @returns {HTMLElement[]}
 */
function organizationPicker(organizations, current, choose) {
  const id = uniqueId("organization");
  const select = h(
    "select",
    { id, class: "native-select", "data-key": "organization", onchange: () => choose(select.value) },
    organizations.map((one) => h("option", { value: one.slug }, one.name)),
  );
  select.value = current.slug;
  const facts = [
    ["Balance", dollars(current.balanceUsd)],
    ["Card", current.card ?? "none"],
    ["Left this month", dollars(current.capLeftUsd)],
  ];
  return [
    h("label", { for: id }, "Organization"),
    select,
    h("dl", {}, facts.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value)))),
  ];
}

/**
 * @param {Json} organization
 * @param {Json[]} scenarios
 * @param {{switchTo: (scenario: Json) => void, buy: (amount: string) => void}} on
 * @returns {HTMLElement[]}
 */
function scenarioGroups(organization, scenarios, on) {
  const name = uniqueId("scenario");
  const titles = [...new Set(scenarios.map((one) => one.group ?? ""))];
  return titles.map((title) => {
    const id = uniqueId("group");
    return h(
      "div",
      { class: "scenario-group", role: "radiogroup", "aria-labelledby": id },
      h("h3", { id }, title),
      scenarios
        .filter((one) => (one.group ?? "") === title)
        .map((scenario) => scenarioRow(scenario, name, organization.scenario === scenario.name, on)),
    );
  });
}

/**
 * @param {Json} scenario
 * @param {string} name of the radio buttons
 * @param {boolean} isOn
 * @param {{switchTo: (scenario: Json) => void, buy: (amount: string) => void}} on
 */
function scenarioRow(scenario, name, isOn, on) {
  const box = h("input", {
    type: "radio",
    name,
    value: scenario.name,
    "data-key": scenario.name,
    onchange: () => on.switchTo(scenario),
  });
  box.checked = isOn;
  const sentence = h("span", { class: "scenario-try" }, mrkdwn(scenario.try ?? "", PLAIN_READER));
  return h(
    "div",
    { class: "scenario", "data-keywords": scenario.keywords },
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
}

/**
 * Brings the sandbox to its first state. The demo has started the app and empties its database as
 * well; the database of an app that somebody else runs stays.
 *
 * @param {Store} store
 */
function startOver(store) {
  const text = store.bootstrap.can_restart
    ? "Empties the app's database, the portal and every conversation here."
    : "Empties the portal and every conversation here. Your app keeps its own database.";
  const button = h(
    "button",
    { type: "button", class: "button risky", "data-testid": "start-over" },
    h("span", { class: "button-text" }, "Start over"),
    h("span", { class: "spinner", "aria-hidden": "true" }),
  );
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    const asked = {
      title: { type: "plain_text", text: "Start over?" },
      text: { type: "plain_text", text },
      confirm: { type: "plain_text", text: "Start over" },
      deny: { type: "plain_text", text: "Cancel" },
      style: "danger",
    };
    if (!(await askConfirm(asked, store.reader))) {
      button.focus();
      return;
    }
    setPending(button, true);
    const answer = await api.startOver();
    setPending(button, false);
    // When it is done, the server makes every open page load itself again, this one too.
    if (!answer.ok) {
      showToast({ title: "The sandbox could not start over.", text: answer.error, picture: "warning" });
    }
  });
  return h("div", { class: "start-over" }, h("p", {}, text), button);
}

/** The portal's sentences name no person and no moment. */
const PLAIN_READER = { tz: "UTC", personName: () => undefined, channelName: () => undefined };
