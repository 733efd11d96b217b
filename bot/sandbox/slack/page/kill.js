/**
 * Killing the app, and what became of the purchases that were in flight.
 */
import { showToast } from "./announce.js";
import { api } from "./api.js";
import { h } from "./dom.js";
import { dollars } from "./portal.js";
import { setPending } from "./surface.js";
import { entryTime } from "./time.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./portal.js").Portal} Portal */

const LATE_SECONDS = 60;
/** Until then a charge may still show up. */
const LOOK_SECONDS = 4;
const LOOK_AGAIN_MS = 700;
/** What a person may cause a charge by. */
const CLICKS = new Set(["command", "block_actions", "view_submission"]);

/**
 * The charges that were in flight when the app was killed: the portal had them and they had not ended,
 * or they came afterwards although nobody had clicked anything since.
 *
 * @param {Json} kill its entry in the traffic
 * @param {Json[]} charges
 * @param {Json[]} entries
 * @returns {Json[]}
 */
export function inFlight(kill, charges, entries) {
  const killedAt = kill.at - kill.ms / 1000;
  return charges.filter((charge) => {
    const made = seconds(charge.createdAt);
    if (made <= killedAt) return !charge.endedAt || seconds(charge.endedAt) > killedAt;
    const clicked = entries.some(
      (one) => CLICKS.has(one.kind) && one.ok && one.at > killedAt && one.at <= made,
    );
    return !clicked && made < kill.at + LATE_SECONDS;
  });
}

/** @param {string} moment */
function seconds(moment) {
  return Date.parse(moment) / 1000;
}

/**
 * @param {Store} store
 * @param {Portal} portal
 * @param {(text: string) => void} typeCommand puts a command into the composer
 * @returns {HTMLElement}
 */
export function killCard(store, portal, typeCommand) {
  const command = store.bootstrap.commands[0]?.command ?? "/billing";
  const button = h(
    "button",
    { type: "button", class: "button risky", "data-testid": "kill" },
    h("span", { class: "button-text" }, "Kill the app"),
    h("span", { class: "spinner", "aria-hidden": "true" }),
  );
  const story = h("p", { class: "kill-story", role: "status", "data-testid": "kill-story", hidden: true });
  let said = "";
  let looking = false;

  const draw = () => {
    const kill = store.entries.filter((one) => one.kind === "kill").at(-1);
    story.hidden = !kill;
    if (!kill) return;
    const caught = inFlight(kill, portal.charges, store.entries);
    const ago = Date.now() / 1000 - kill.at;
    const open = caught.length === 0 ? ago < LOOK_SECONDS : caught.some((one) => one.status === "pending");
    if (open && ago < LATE_SECONDS) lookAgain();
    const at = entryTime(kill.at - kill.ms / 1000, store.reader.tz);
    const took = (kill.ms / 1000).toFixed(1);
    const sentence = `Killed at ${at}, back after ${took} s. ${outcome(caught, ago)}`;
    const traced = caught.filter((one) => isOf(one, store));
    const text = [sentence, ...traced.map((one) => one.id)].join(" ");
    // What is drawn again would be read out again.
    if (text === said) return;
    said = text;
    story.replaceChildren(sentence, ...traces(traced, (id) => typeCommand(`${command} trace ${id}`)));
  };
  store.on("entries", draw);
  store.on("person", draw);
  portal.on(draw);

  const lookAgain = () => {
    if (looking) return;
    looking = true;
    setTimeout(async () => {
      await portal.refresh();
      looking = false;
      draw();
    }, LOOK_AGAIN_MS);
  };
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    setPending(button, true);
    const answer = await api.restart();
    setPending(button, false);
    if (answer.ok) portal.refresh();
    else showToast({ title: "The app did not come back.", text: answer.error, picture: "warning" });
  });
  return h(
    "div",
    { class: "kill" },
    h(
      "div",
      { class: "kill-row" },
      h(
        "p",
        {},
        h("strong", {}, "Try it mid-purchase."),
        " This stops the app as a crash would (kill -9) and starts it again. ",
        "No charge is lost, none is made twice.",
      ),
      button,
    ),
    story,
  );
}

/**
 * True unless the charge is known to be another person's, whose trace is theirs alone.
 *
 * @param {Json} charge
 * @param {Store} store
 */
function isOf(charge, store) {
  const owner = store.bootstrap.people.find((/** @type {Json} */ one) => one.name === charge.person);
  return !owner || owner.id === store.person.id;
}

/**
 * One link to the trace of each charge.
 *
 * @param {Json[]} charges
 * @param {(id: string) => void} show
 * @returns {(Node | string)[]}
 */
function traces(charges, show) {
  const link = (/** @type {Json} */ one, /** @type {string} */ words) =>
    h("button", { type: "button", class: "link", onclick: () => show(one.id) }, words);
  if (charges.length === 1) return [" ", link(charges[0], "See its trace")];
  return charges.flatMap((one, index) => [
    index === 0 ? " See their traces: " : ", ",
    link(one, dollars(one.amountUsd)),
  ]);
}

const LIST = new Intl.ListFormat("en-US", { type: "conjunction" });
/** What is said of charges in each status, in this order. */
const ENDS = /** @type {[string, string][]} */ ([
  ["settled", "settled once"],
  ["failed", "declined"],
  ["pending", "still pending"],
]);

/**
 * The amounts as a list, an equal one only once: "$10.05 and $10.06 (twice)".
 *
 * @param {Json[]} charges
 */
function amounts(charges) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const one of charges) {
    const amount = dollars(one.amountUsd);
    counts.set(amount, (counts.get(amount) ?? 0) + 1);
  }
  const times = (/** @type {number} */ count) => (count === 2 ? "twice" : `${count} times`);
  return LIST.format(
    [...counts].map(([amount, count]) => (count === 1 ? amount : `${amount} (${times(count)})`)),
  );
}

/**
 * What became of each charge that the kill caught.
 *
 * @param {Json[]} caught
 * @param {number} ago the seconds since the app was back
 */
function outcome(caught, ago) {
  if (caught.length === 0) {
    return ago < LOOK_SECONDS ? "Looking for what was in flight…" : "No purchase was in flight.";
  }
  const some = caught.length > 1;
  const all = (/** @type {string} */ status) => caught.every((one) => one.status === status);
  if (all("pending") && ago < LATE_SECONDS) return `${amounts(caught)} ${some ? "are" : "is"} in flight…`;
  const were = `${amounts(caught)} ${some ? "were" : "was"} in flight`;
  if (all("settled")) return `${were}: ${some ? "each" : "it"} settled once.`;
  if (all("failed")) return `${were}: ${some ? "each" : "it"} was declined, and nothing was charged.`;
  if (all("pending")) return `${were}, and ${some ? "are" : "is"} still pending.`;
  const parts = ENDS.map(([status, words]) => {
    const these = caught.filter((one) => one.status === status);
    return these.length ? `${amounts(these)} ${words}` : "";
  });
  return `${parts.filter(Boolean).join("; ")}.`;
}
