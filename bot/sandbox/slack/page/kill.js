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
const LOOK_MS = 4000;
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
  let lookUntil = 0;
  let said = "";

  const draw = () => {
    const kill = store.entries.filter((one) => one.kind === "kill").at(-1);
    story.hidden = !kill;
    if (!kill) return;
    const looking = Date.now() < lookUntil;
    const caught = inFlight(kill, portal.charges, store.entries);
    const at = entryTime(kill.at - kill.ms / 1000, store.reader.tz);
    const took = (kill.ms / 1000).toFixed(1);
    const sentence = `Killed at ${at}, back after ${took} s. ${outcome(caught, looking)}`;
    const traced = caught.filter((one) => isOf(one, store)).at(-1);
    const text = `${sentence} ${traced?.id ?? ""}`;
    // What is drawn again would be read out again.
    if (text === said) return;
    said = text;
    story.replaceChildren(
      sentence,
      ...(traced
        ? [
          " ",
          h(
            "button",
            {
              type: "button",
              class: "link",
              onclick: () => typeCommand(`${command} trace ${traced.id}`),
            },
            "See its trace",
          ),
        ]
        : []),
    );
  };
  store.on("entries", draw);
  store.on("person", draw);
  portal.on(draw);

  const look = async () => {
    await portal.refresh();
    draw();
    if (Date.now() < lookUntil) setTimeout(look, LOOK_AGAIN_MS);
    else draw();
  };
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    setPending(button, true);
    lookUntil = Infinity;
    const answer = await api.restart();
    setPending(button, false);
    lookUntil = Date.now() + LOOK_MS;
    if (answer.ok) look();
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
 * @param {Json[]} caught
 * @param {boolean} looking true while a charge may still show up
 */
function outcome(caught, looking) {
  if (caught.length === 0) {
    return looking ? "Looking for what was in flight…" : "No purchase was in flight.";
  }
  const amounts = caught.map((one) => dollars(one.amountUsd)).join(" and ");
  const some = caught.length > 1;
  const pending = caught.filter((one) => one.status === "pending").length;
  if (pending) return `${amounts} ${some ? "are" : "is"} in flight…`;
  const were = `${amounts} ${some ? "were" : "was"} in flight`;
  if (caught.every((one) => one.status === "settled")) {
    return `${were}: ${some ? "each" : "it"} settled once.`;
  }
  if (caught.every((one) => one.status === "failed")) {
    return `${were}: ${some ? "each" : "it"} was declined, and nothing was charged.`;
  }
  return `${were}: ${caught.map((one) => `${dollars(one.amountUsd)} ${one.status}`).join(", ")}.`;
}
