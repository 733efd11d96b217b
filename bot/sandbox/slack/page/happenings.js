/**
 * What happens in a workspace without the app: somebody leaves, a private channel becomes public.
 */
import { announce, showToast } from "./announce.js";
import { api } from "./api.js";
import { h } from "./dom.js";

/** @typedef {Record<string, any>} Json */

/** @param {import("./store.js").Store} store */
export function happenings(store) {
  const channel = store.bootstrap.channels.find((/** @type {Json} */ one) => one.private);
  const others = store.bootstrap.people.filter(
    (/** @type {Json} */ one) => one.team_id === store.bootstrap.workspace.id,
  );
  return h(
    "section",
    { class: "happenings", "aria-label": "What happens in the workspace" },
    h("h2", {}, "What happens in the workspace"),
    channel && channelSwitch(channel),
    leaver(others),
  );
}

/** @param {Json} channel */
function channelSwitch(channel) {
  const box = h("input", {
    type: "checkbox",
    "data-testid": "channel-public",
    onchange: async () => {
      const answer = await api.channel(channel.id, !box.checked);
      told(answer, `#${channel.name} is ${box.checked ? "public" : "private"} now.`);
    },
  });
  return h(
    "label",
    { class: "happening" },
    box,
    h("span", {}, h("strong", {}, `#${channel.name} is public`), " The next card goes to people instead."),
  );
}

/** @param {Json[]} people */
function leaver(people) {
  const select = h(
    "select",
    { class: "native-select", "aria-label": "Who leaves", "data-testid": "who-leaves" },
    people.map((one) => h("option", { value: one.id }, one.real_name)),
  );
  const button = h("button", { type: "button", class: "button", "data-testid": "leaves" }, "Leaves the company");
  button.addEventListener("click", async () => {
    const name = select.selectedOptions[0].textContent;
    told(await api.leave(select.value), `${name}'s Slack account is deactivated.`);
  });
  return h("div", { class: "happening" }, select, button);
}

/** @param {import("./api.js").Answer} answer @param {string} words */
function told(answer, words) {
  if (answer.ok) announce(words);
  else showToast({ title: "That could not happen.", text: answer.error, picture: "warning" });
}
