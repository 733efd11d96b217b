/**
 * The list of conversations, and the heading of the one that is open.
 */
import { h, icon } from "./dom.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Place} Place */

/**
 * The address of a place within this page.
 *
 * @param {Place} place
 */
function hashOf(place) {
  return place.kind === "channel" ? `#${place.id}` : `#${place.kind}`;
}

/**
 * @param {string} hash
 * @param {Store} store
 * @returns {Place}
 */
export function placeOf(hash, store) {
  const name = hash.replace(/^#/, "");
  if (name === "dm" || name === "home" || name === "about") return { kind: name };
  const wanted = store.channels.find((one) => one.id === name) ?? store.channels[0];
  return wanted ? { kind: "channel", id: wanted.id } : { kind: "dm" };
}

/**
 * @param {Store} store
 * @param {HTMLElement} root
 */
export function mountSidebar(store, root) {
  const { app, workspace } = store.bootstrap;
  const channels = h("ul", { "aria-labelledby": "sidebar-channels" });
  const apps = h("ul", { "aria-labelledby": "sidebar-app" });
  root.append(
    h("p", { class: "workspace-name" }, workspace.name),
    h("h2", { id: "sidebar-channels" }, "Channels"),
    channels,
    h("h2", { id: "sidebar-app" }, "Apps"),
    apps,
  );

  const draw = () => {
    channels.replaceChildren(
      ...store.channels.map((channel) =>
        link(
          store,
          { kind: "channel", id: channel.id },
          channel.name,
          channel.shared ? "shared" : channel.private ? "lock" : "hash",
          store.unread.has(channel.id),
        ),
      ),
    );
    apps.replaceChildren(
      link(store, { kind: "dm" }, app.name, "app", store.unread.has(store.dm)),
      link(store, { kind: "home" }, `${app.name} Home`, "home", false),
    );
  };
  for (const topic of ["person", "place", "unread"]) store.on(topic, draw);
}

/**
 * @param {Store} store
 * @param {Place} place
 * @param {string} text
 * @param {string} picture
 * @param {boolean} unread
 */
function link(store, place, text, picture, unread) {
  const hash = hashOf(place);
  const current = hashOf(store.place) === hash;
  const note = picture === "shared" ? " (shared with another workspace)" : "";
  return h(
    "li",
    {},
    h(
      "a",
      {
        href: hash,
        class: unread ? "nav unread" : "nav",
        "aria-current": current ? "page" : undefined,
        "data-testid": `nav-${hash.slice(1)}`,
      },
      icon(picture),
      h("span", { class: "nav-text" }, text, note && h("span", { class: "visually-hidden" }, note)),
      unread && h("span", { class: "dot" }, h("span", { class: "visually-hidden" }, " unread")),
    ),
  );
}

/**
 * @param {Store} store
 * @param {HTMLElement} root
 */
export function mountPlaceHeader(store, root) {
  const { app } = store.bootstrap;
  const draw = () => {
    const channel = store.channels.find((one) => one.id === store.channel);
    if (channel) {
      root.replaceChildren(
        h("h1", {}, icon(channel.shared ? "shared" : "hash"), channel.name),
        ...(channel.shared ? [h("span", { class: "tag" }, "Shared with another workspace")] : []),
      );
    } else {
      root.replaceChildren(
        h("h1", {}, h("span", { class: "avatar avatar-app", "aria-hidden": "true" }, icon("app")), app.name),
        h(
          "nav",
          { class: "tabs", "aria-label": app.name },
          tab(store, { kind: "home" }, "Home"),
          tab(store, { kind: "dm" }, "Messages"),
          tab(store, { kind: "about" }, "About"),
        ),
      );
    }
    const name = channel ? `#${channel.name}` : app.name;
    document.title = `${name} · ${store.bootstrap.workspace.name} sandbox`;
  };
  store.on("person", draw);
  store.on("place", draw);
}

/**
 * @param {Store} store
 * @param {Place} place
 * @param {string} text
 */
function tab(store, place, text) {
  const current = store.place.kind === place.kind;
  return h("a", { href: hashOf(place), class: "tab", "aria-current": current ? "page" : undefined }, text);
}
