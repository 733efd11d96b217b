/**
 * The first minute: five things to do, each ticked when it has really happened.
 */
import { h, icon } from "./dom.js";
import { inFlight } from "./kill.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./portal.js").Portal} Portal */

/** What is kept where says that the guide stays away. */
const KEY = "sandbox.guide";
/** A charge that takes longer may be one that never settles: no reason to kill the app. */
const FRESH_MS = 30_000;

/** Brings the guide back at the next load. */
export function forgetGuide() {
  localStorage.removeItem(KEY);
}

/**
 * @typedef {object} Step
 * @property {string} label
 * @property {string} text what to do
 * @property {{label: string, run: () => void}} action
 * @property {() => boolean} happened
 */

/**
 * @param {Store} store
 * @param {Portal} portal
 * @param {HTMLElement} root
 * @param {{typeCommand: (text: string) => void, showKill: () => void, leave: () => void}} can
 */
export function mountGuide(store, portal, root, { typeCommand, showKill, leave }) {
  if (!portal.exists || localStorage.getItem(KEY) === "gone") return;
  const command = store.bootstrap.commands[0]?.command ?? "/billing";
  const type = (/** @type {string} */ text) => ({ label: `Type ${text}`, run: () => typeCommand(text) });

  const build = () => {
    const people = /** @type {Json[]} */ (store.bootstrap.people);
    const member = people.find((one) => portal.accountOf(one)?.maySpend === false);
    const steps = /** @type {Step[]} */ ([
      {
        label: "Connect",
        text: `Run ${command}, choose Connect, and approve in the tab that opens.`,
        action: type(command),
        happened: () => portal.people.some((one) => one.connected),
      },
      {
        label: "Add $50",
        text: "Pay $50 in the window that opens, and watch it settle. No real money moves.",
        action: type(`${command} buy 50`),
        happened: () =>
          portal.charges.some((one) => one.status === "settled" && Number(one.amountUsd) === 50),
      },
      {
        label: "See a decline",
        text: "The sandbox's bank declines every $10.01.",
        action: type(`${command} buy 10.01`),
        happened: () => portal.charges.some((one) => one.status === "failed"),
      },
    ]);
    if (store.bootstrap.can_restart) {
      const isFresh = (/** @type {Json} */ one) =>
        one.status === "pending" && Date.now() - Date.parse(one.createdAt) < FRESH_MS;
      const caught = store.entries
        .filter((one) => one.kind === "kill")
        .flatMap((one) => inFlight(one, portal.charges, store.entries));
      const now = portal.charges.some((one) => isFresh(one) && !caught.includes(one));
      const buy = type(`${command} buy 10.05`);
      const [text, action] = now
        ? /** @type {const} */ ([
          "A purchase is in flight. Kill the app now.",
          { label: "Show me the button", run: () => showKill() },
        ])
        : caught.some(isFresh)
        ? /** @type {const} */ ([
          "Killed in mid-purchase. This is done once the charge settles; if it never does, buy $10.05.",
          buy,
        ])
        : /** @type {const} */ ([
          "A payment of $10.05 takes 25 seconds: time to kill the app in the middle of it.",
          buy,
        ]);
      steps.push({
        label: "Kill the app",
        text,
        action,
        happened: () => caught.some((one) => one.status === "settled"),
      });
    }
    if (member) {
      const name = member.real_name.split(" ")[0];
      const acts = store.person.id === member.id;
      const since = portal.connectedSince(member);
      steps.push({
        label: `Act as ${name}`,
        text: acts
          ? since === null
            ? `You are ${name}. Run ${command}, choose Connect, and approve in the tab that opens.`
            : `${name} is connected. Run ${command} again: a member sees the balance and cannot buy.`
          : `${name} is a member who cannot buy. See what the app offers to a member.`,
        action: acts ? type(command) : { label: `Act as ${name}`, run: () => store.actAs(member.id) },
        happened: () =>
          since !== null &&
          store.entries.some(
            (one) => one.kind === "command" && one.user === member.id && one.ok && one.at > since,
          ),
      });
    }
    return steps;
  };

  /** @type {Set<string>} what has been seen to happen; the traffic keeps only the last entries */
  const done = new Set();
  /** @type {string | null} the step that the person looks at, if it is not the next one */
  let chosen = null;
  let signature = "";

  const hide = () => {
    localStorage.setItem(KEY, "gone");
    root.hidden = true;
    root.parentElement?.classList.remove("guided");
    leave();
  };

  const draw = () => {
    if (root.hidden && signature) return;
    // Before the portal's first answer it is not known what has happened already.
    if (portal.organizations.length === 0) return;
    const steps = build();
    const before = done.size;
    for (const step of steps) {
      if (done.has(step.label) || !step.happened()) continue;
      done.add(step.label);
      if (chosen === step.label) chosen = null;
    }
    const next = steps.find((one) => !done.has(one.label));
    // Only then: a page that is about to start over is drawn once more.
    if (!next && done.size > before) localStorage.setItem(KEY, "gone");
    const shown = steps.find((one) => one.label === chosen) ?? next;
    const now = JSON.stringify([[...done], shown?.label, shown?.text]);
    if (now === signature) return;
    signature = now;
    const focused = root.contains(document.activeElement);
    const focusKey = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.key;
    root.hidden = false;
    root.parentElement?.classList.add("guided");
    root.replaceChildren(
      h(
        "div",
        { class: "guide-head" },
        h("h2", { id: "guide-title" }, "Your first minute"),
        h("span", { class: "guide-count" }, `${done.size} of ${steps.length}`),
        h(
          "button",
          { type: "button", class: "icon-button", "aria-label": "Hide the first steps", onclick: hide },
          icon("close"),
        ),
      ),
      h("ol", { class: "guide-steps" }, steps.map((step, index) => stepItem(step, index, step === shown))),
      shown
        ? h(
          "div",
          { class: "guide-now" },
          h("p", { role: "status" }, shown.text),
          h(
            "button",
            { type: "button", class: "button", "data-key": "guide action", onclick: shown.action.run },
            shown.action.label,
          ),
        )
        : h(
          "div",
          { class: "guide-now" },
          h("p", { role: "status" }, "That was everything. Chapter two shows how a team asks, and somebody pays."),
          h("a", { class: "button", href: "/side" }, "Chapter two"),
          h("button", { type: "button", class: "button", onclick: hide }, "Done"),
        ),
    );
    if (!focused) return;
    const again = focusKey && root.querySelector(`[data-key="${CSS.escape(focusKey)}"]`);
    /** @type {HTMLElement | null} */ (again || root.querySelector("button"))?.focus();
  };

  /**
   * @param {Step} step
   * @param {number} index
   * @param {boolean} current
   */
  const stepItem = (step, index, current) => {
    const ticked = done.has(step.label);
    return h(
      "li",
      { class: ticked ? "ticked" : "" },
      h(
        "button",
        {
          type: "button",
          "aria-current": current ? "step" : undefined,
          "data-key": `guide ${index}`,
          "data-testid": `guide-${index + 1}`,
          onclick: () => {
            chosen = step.label;
            draw();
          },
        },
        h("span", { class: "guide-mark", "aria-hidden": "true" }, ticked ? icon("check") : String(index + 1)),
        h("span", { class: "guide-label" }, step.label),
        h("span", { class: "visually-hidden" }, ticked ? ", done" : ", not done yet"),
      ),
    );
  };

  portal.on(draw);
  store.on("person", draw);
  store.on("entries", draw);
}
