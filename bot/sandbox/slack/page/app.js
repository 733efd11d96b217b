/**
 * Puts the page together.
 */
import { mountAbout } from "./about.js";
import { showToast } from "./announce.js";
import { api } from "./api.js";
import { mountComposer } from "./composer.js";
import { h, icon } from "./dom.js";
import { mountGuide } from "./guide.js";
import { mountHome } from "./home.js";
import { mountInspector } from "./inspector.js";
import { killCard } from "./kill.js";
import { mountBar, mountRegionKeys, mountTabs } from "./layout.js";
import { mountMessages } from "./messages.js";
import { mountModal } from "./modal.js";
import { words } from "./mrkdwn.js";
import { Portal } from "./portal.js";
import { mountScenarios } from "./scenarios.js";
import { mountPlaceHeader, mountSidebar, placeOf } from "./sidebar.js";
import { Store } from "./store.js";

/** @typedef {Record<string, any>} Json */

/** @param {string} id */
function part(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** One of several pages side by side: without the inspector and the guide. */
const IS_PANE = new URLSearchParams(location.search).has("pane");

async function start() {
  document.body.classList.toggle("pane", IS_PANE);
  const bootstrap = await api.bootstrap();
  if (!bootstrap.ok) {
    part("main").replaceChildren(
      h(
        "div",
        { class: "empty" },
        icon("warning"),
        h("h1", {}, "The sandbox does not answer"),
        h("p", {}, "Start it with make demo and reload this page."),
      ),
    );
    return;
  }
  const store = new Store(bootstrap);
  const portal = new Portal(store);
  const [bar, sidebar, main, inspector] = ["bar", "sidebar", "main", "inspector"].map(part);

  mountSidebar(store, sidebar);
  mountPlaceHeader(store, part("place-header"));
  const messages = mountMessages(store, part("messages"));
  mountHome(store, part("home"));
  mountAbout(store, part("about"));
  const composer = mountComposer(
    store,
    part("composer-area"),
    { onSend: messages.follow, onRefused: tellRefusal },
  );
  mountModal(store, part("modal-layer"), [sidebar, main]);
  const frame = mountBar(store, portal, bar, { sidebar, inspector });
  mountInspector(store, part("traffic"));
  const typeCommand = (/** @type {string} */ text) => {
    store.closeModals();
    if (!store.canWrite && store.channels.length) location.hash = `#${store.channels[0].id}`;
    if (frame.overlays()) frame.closeInspector();
    composer.write(text);
  };
  const tabs = [{ label: "Traffic", panel: part("traffic") }];
  if (portal.exists) {
    mountScenarios(store, portal, part("scenarios"), typeCommand);
    tabs.push(
      Object.assign({ label: "Scenarios", panel: part("scenarios") }, { onShow: () => portal.refresh() }),
    );
  }
  mountTabs(part("inspector-tabs"), tabs);
  if (bootstrap.can_restart) inspector.append(killCard(store, portal, typeCommand));
  const showKill = () => {
    frame.openInspector();
    /** @type {HTMLElement | null} */ (inspector.querySelector(".kill .button"))?.focus();
  };
  if (!IS_PANE) mountGuide(store, portal, part("guide"), { typeCommand, showKill, leave: focusPlace });
  part("inspector-close").addEventListener("click", frame.closeInspector);
  document.querySelector(".skip")?.addEventListener("click", (event) => {
    // The address holds the conversation, so the skip link must leave it alone.
    event.preventDefault();
    focusPlace();
  });
  mountRegionKeys(() => [bar, sidebar, main, part("modal-layer"), inspector]);

  // The stream and the answer to a request tell of the same refusal.
  /** @type {{text: string, at: number} | null} */
  let lastRefusal = null;
  function tellRefusal(/** @type {string} */ text, /** @type {string} */ channel) {
    if (lastRefusal?.text === text && Date.now() - lastRefusal.at < 3000) return;
    lastRefusal = { text, at: Date.now() };
    messages.notice(text, channel);
  }
  store.on("error", (/** @type {Json} */ event) => {
    const channel = event.container?.channel ?? store.channel;
    if (event.where === "command" && channel) tellRefusal(event.text, channel);
  });

  let dismiss = () => {};
  store.on("place", () => store.channel === store.dm && dismiss());
  store.on("conversation", (/** @type {Json | undefined} */ change) => {
    const message = change?.arrived.at(-1);
    if (!message || change?.channel !== store.dm || store.channel === store.dm) return;
    dismiss();
    dismiss = showToast({
      title: bootstrap.app.name,
      text: words(message.text ?? "", store.reader).slice(0, 160),
      action: { label: "Open", run: () => (location.hash = "#dm") },
    });
  });
  store.on("connection", () => (part("offline").hidden = store.connected));

  const follow = () => store.open(placeOf(location.hash, store));
  /** Puts the focus where one goes on: the message box, or the open tab where nothing can be written. */
  function focusPlace() {
    const tab = /** @type {HTMLElement | null} */ (part("place-header").querySelector("[aria-current]"));
    (store.canWrite ? part("composer") : tab)?.focus();
  }
  // On a touch screen the focus would bring up the keyboard over what is to be read.
  const focusComposer = () => IS_PANE || matchMedia("(pointer: coarse)").matches || focusPlace();
  window.addEventListener("hashchange", () => {
    follow();
    focusComposer();
  });
  // Another person may not be in the channel that is open, and has a Home of their own.
  let isFirst = true;
  store.on("person", () => {
    if (!store.loaded) return;
    follow();
    if (isFirst) focusComposer();
    isFirst = false;
  });
  await store.start();
  portal.refresh();
}

start();
