/**
 * The second chapter: two people side by side, one asks for funds and the other pays. Each step is
 * ticked when it has really happened.
 */
import { api } from "./api.js";
import { h, icon } from "./dom.js";

/** @typedef {Record<string, any>} Json */

const LOOK_MS = 1500;

/** @param {string} id */
function part(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @param {Json} person */
const first = (person) => String(person.real_name).split(" ")[0];

/**
 * @param {Json} payer
 * @param {Json} asker
 * @param {string} command
 */
function stepsOf(payer, asker, command) {
  const [pays, asks] = [first(payer), first(asker)];
  return [
    {
      label: `${pays} connects`,
      text: `As ${pays}, run ${command}, choose Connect, and approve in the tab that opens.`,
      happened: (/** @type {Json} */ seen) => seen.payer.includes("Connected*") || seen.payer.includes("to use"),
    },
    {
      label: `${asks} connects`,
      text: `As ${asks}, do the same. ${asks} is a member, and cannot buy.`,
      happened: (/** @type {Json} */ seen) => seen.asker.includes("Connected*") || seen.asker.includes("to use"),
    },
    {
      label: `${asks} asks for $50`,
      text: `As ${asks}, type ${command} request 50 and what it is for.`,
      happened: (/** @type {Json} */ seen) => seen.payer.includes("asks for $"),
    },
    {
      label: `${pays} pays`,
      text: `As ${pays}, open the direct message from the app: choose Review, read, and pay. Or deny it.`,
      happened: (/** @type {Json} */ seen) => /added\* for|Denied\*/.test(seen.payer),
    },
    {
      label: `${asks} knows`,
      text: `${asks}'s card says what became of it, and a reply in its thread does too.`,
      happened: (/** @type {Json} */ seen) => /added for you|Denied\*/.test(seen.asker),
    },
  ];
}

async function start() {
  const bootstrap = await api.bootstrap();
  if (!bootstrap.ok) {
    part("panes").replaceChildren(h("p", { class: "empty" }, "The sandbox does not answer."));
    return;
  }
  const people = /** @type {Json[]} */ (bootstrap.people);
  const [payer, asker] = [people[0], people.find((one) => one.name === "linus") ?? people[1]];
  part("panes").replaceChildren(
    ...[asker, payer].map((person) =>
      h("iframe", {
        // In a channel, where one can type; the app's own conversation is read-only.
        src: `/?as=${encodeURIComponent(person.id)}&pane=1#${bootstrap.channels[0].id}`,
        title: `Slack, as ${person.real_name}`,
        "data-testid": `pane-${person.name}`,
      })
    ),
  );
  const steps = stepsOf(payer, asker, bootstrap.commands[0]?.command ?? "/billing");
  /** @type {Set<string>} */
  const done = new Set();
  /** What happened before counts for what comes before it. */
  const look = async () => {
    const [one, two] = await Promise.all([api.state(payer.id), api.state(asker.id)]);
    const seen = { payer: wordsOf(one), asker: wordsOf(two) };
    const last = steps.findLastIndex((step) => step.happened(seen));
    steps.slice(0, last + 1).forEach((step) => done.add(step.label));
    draw();
    setTimeout(look, LOOK_MS);
  };
  let signature = "";
  const draw = () => {
    const next = steps.find((step) => !done.has(step.label));
    const now = JSON.stringify([done.size, next?.label]);
    if (now === signature) return;
    signature = now;
    part("chapter").replaceChildren(
      h(
        "div",
        { class: "guide-head" },
        h("h2", { id: "chapter-title" }, "Chapter two: a team asks"),
        h("span", { class: "guide-count" }, `${done.size} of ${steps.length}`),
      ),
      h("ol", { class: "guide-steps" }, steps.map((step, index) => item(step, index, step === next, done))),
      h(
        "div",
        { class: "guide-now" },
        h("p", { role: "status" }, next?.text ?? "That was everything. Try it again with Deny, or Withdraw."),
      ),
    );
  };
  draw();
  await look();
}

/**
 * @param {{label: string}} step
 * @param {number} index
 * @param {boolean} current
 * @param {Set<string>} done
 */
function item(step, index, current, done) {
  const ticked = done.has(step.label);
  return h(
    "li",
    { class: ticked ? "ticked" : "", "aria-current": current ? "step" : undefined },
    h(
      "span",
      { class: "chapter-step", "data-testid": `chapter-${index + 1}` },
      h("span", { class: "guide-mark", "aria-hidden": "true" }, ticked ? icon("check") : String(index + 1)),
      h("span", { class: "guide-label" }, step.label),
      h("span", { class: "visually-hidden" }, ticked ? ", done" : ", not done yet"),
    ),
  );
}

/**
 * All that the app has written to a person.
 *
 * @param {Json} state
 */
function wordsOf(state) {
  const conversations = /** @type {Json[]} */ (Object.values(state.conversations ?? {}));
  return conversations
    .flatMap((each) => each.messages)
    .filter((/** @type {Json} */ message) => message.bot_id)
    .map((/** @type {Json} */ message) => message.text)
    .join("\n");
}

start();
