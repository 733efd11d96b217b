/**
 * The frame around the workspace: who one acts as, the theme, the two side panels that become
 * drawers on a narrow window.
 */
import { announce, showToast } from "./announce.js";
import { focusable, h, icon, wrapTab } from "./dom.js";
import { avatar } from "./people.js";
import { BY_AMOUNT } from "./portal.js";
import { nextTheme, theme } from "./theme.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./portal.js").Portal} Portal */

const INSPECTOR_KEY = "sandbox.inspector";
const NARROW = matchMedia("(max-width: 760px)");
const INSPECTOR_OVERLAYS = matchMedia("(max-width: 1040px)");

/**
 * @param {Store} store
 * @param {Portal} portal
 * @param {HTMLElement} root
 * @param {{sidebar: HTMLElement, inspector: HTMLElement}} parts
 */
export function mountBar(store, portal, root, { sidebar, inspector }) {
  const sidebarButton = h(
    "button",
    { type: "button", class: "bar-button menu", "aria-label": "Conversations", "aria-controls": sidebar.id },
    icon("menu"),
  );
  const inspectorButton = h(
    "button",
    {
      type: "button",
      class: "bar-button",
      "aria-label": "Inspector",
      "aria-controls": inspector.id,
      "data-testid": "inspector-toggle",
    },
    icon("traffic"),
    h("span", { class: "bar-text" }, "Inspector"),
  );
  const sidebarDrawer = drawer(sidebar, sidebarButton, NARROW, false);
  const inspectorDrawer = drawer(inspector, inspectorButton, INSPECTOR_OVERLAYS, true);
  sidebar.addEventListener("click", (event) => {
    if (NARROW.matches && /** @type {Element} */ (event.target).closest("a")) sidebarDrawer.set(false);
  });

  root.append(
    sidebarButton,
    h(
      "p",
      { class: "bar-title" },
      h("span", { class: "workspace-mark", "aria-hidden": "true" }, store.bootstrap.workspace.name.charAt(0)),
      h("strong", {}, store.bootstrap.workspace.name),
      h("span", { class: "sandbox-tag" }, "Sandbox"),
    ),
    scenarioChips(portal),
    actAs(store, portal),
    h(
      "a",
      { class: "bar-button to-side", href: "/side", "aria-label": "Two people, side by side" },
      icon("panes"),
      h("span", { class: "bar-text" }, "Two people"),
    ),
    themeButton(),
    inspectorButton,
  );
  return {
    openInspector: () => inspectorDrawer.set(true),
    closeInspector: () => inspectorDrawer.set(false),
    overlays: () => INSPECTOR_OVERLAYS.matches,
  };
}

/**
 * One chip for each scenario that is on; a click ends it.
 *
 * @param {Portal} portal
 */
function scenarioChips(portal) {
  const list = h("div", { class: "scenario-chips", role: "group", "aria-label": "Scenarios that are on" });
  let signature = "";
  portal.on(() => {
    const { active } = portal;
    const now = JSON.stringify(active.map((one) => [one.organization.slug, one.scenario.name]));
    if (now === signature) return;
    signature = now;
    const focused = list.contains(document.activeElement);
    list.hidden = active.length === 0;
    list.replaceChildren(
      ...active.map(({ organization, scenario }) => {
        const isFirst = organization.slug === portal.organizations[0].slug;
        const text = isFirst ? scenario.title : `${organization.name}: ${scenario.title}`;
        return h(
          "button",
          {
            type: "button",
            class: "scenario-chip",
            title: `End this scenario of ${organization.name}`,
            "aria-label": `${text}: end this scenario`,
            "data-testid": "scenario-chip",
            onclick: async () => {
              const answer = await portal.setScenario(organization.slug, BY_AMOUNT);
              if (answer.ok) announce(`${scenario.title} has ended.`);
              else showToast({ title: "The scenario goes on.", text: answer.error, picture: "warning" });
            },
          },
          h("span", { class: "scenario-chip-text" }, text),
          icon("close"),
        );
      }),
    );
    if (focused) (list.querySelector("button") ?? document.getElementById("act-as"))?.focus();
  });
  list.hidden = true;
  return list;
}

/**
 * @param {Store} store
 * @param {Portal} portal
 */
function actAs(store, portal) {
  const people = /** @type {Json[]} */ (store.bootstrap.people);
  const select = h(
    "select",
    {
      id: "act-as",
      class: "act-as",
      "aria-label": "Act as",
      "data-testid": "act-as",
      onchange: () => store.actAs(select.value),
    },
    people.map((person) => h("option", { value: person.id }, labelOf(person, store, portal))),
  );
  portal.on(() =>
    people.forEach((person, index) => {
      const label = labelOf(person, store, portal);
      if (select.options[index].text !== label) select.options[index].text = label;
    }),
  );
  // The portal's pages find the same person signed in: its server gets this cookie of the shared host.
  const signIn = () => {
    document.cookie = `sandbox_person=${encodeURIComponent(store.person.name ?? "")}; path=/; SameSite=Lax`;
  };
  window.addEventListener("focus", signIn);
  const picture = h("span", { class: "act-as-picture" });
  store.on("person", () => {
    select.value = store.person.id;
    signIn();
    picture.replaceChildren(
      avatar({ name: store.person.real_name ?? "", isApp: false, person: store.person }),
    );
  });
  return h("div", { class: "act-as-box" }, h("label", { for: "act-as" }, "Act as"), picture, select);
}

/**
 * A person with the role that decides what the app offers.
 *
 * @param {Json} person
 * @param {Store} store
 * @param {Portal} portal
 */
function labelOf(person, store, portal) {
  const { teams, workspace } = store.bootstrap;
  const account = portal.accountOf(person);
  let role = person.title;
  if (person.team_id !== workspace.id) role = `guest from ${teams[person.team_id]}`;
  else if (account) {
    role = account.role.replaceAll("_", " ").toLowerCase() + (account.maySpend ? "" : ", can't buy");
  }
  return [person.real_name, role].filter(Boolean).join(" · ");
}

const THEMES = /** @type {Record<string, {icon: string, text: string}>} */ ({
  system: { icon: "theme-system", text: "Theme: as the system" },
  light: { icon: "theme-light", text: "Theme: light" },
  dark: { icon: "theme-dark", text: "Theme: dark" },
});

function themeButton() {
  const button = h("button", { type: "button", class: "bar-button", "data-testid": "theme" });
  const draw = () => {
    const { icon: picture, text } = THEMES[theme()];
    button.replaceChildren(icon(picture));
    button.setAttribute("aria-label", text);
    button.title = text;
  };
  button.addEventListener("click", () => {
    nextTheme();
    draw();
  });
  draw();
  return button;
}

/**
 * A side panel: beside the workspace where there is room, over it where `overlays` matches. Over
 * it, it takes the focus, and Escape or a click beside it gives the focus back.
 *
 * @param {HTMLElement} panel
 * @param {HTMLElement} button
 * @param {MediaQueryList} overlays
 * @param {boolean} remembered true when the panel's state beside the workspace outlives the visit
 */
function drawer(panel, button, overlays, remembered) {
  const scrim = h("div", { class: "drawer-scrim", hidden: true, onclick: () => set(false) });
  panel.before(scrim);
  let open = false;

  const draw = () => {
    const over = overlays.matches;
    panel.hidden = !open;
    scrim.hidden = !open || !over;
    panel.classList.toggle("over", over);
    button.setAttribute("aria-expanded", String(open));
  };
  const set = (/** @type {boolean} */ next) => {
    open = next;
    if (remembered && !overlays.matches) localStorage.setItem(INSPECTOR_KEY, open ? "open" : "closed");
    draw();
    if (!overlays.matches) return;
    if (open) focusable(panel)[0]?.focus();
    else button.focus();
  };
  const settle = () => {
    const beside = remembered ? localStorage.getItem(INSPECTOR_KEY) !== "closed" : true;
    open = overlays.matches ? false : beside;
    draw();
  };

  button.addEventListener("click", () => set(!open));
  panel.addEventListener("keydown", (event) => {
    if (!overlays.matches) return;
    wrapTab(panel, event);
    if (event.key === "Escape") {
      event.stopPropagation();
      set(false);
    }
  });
  overlays.addEventListener("change", settle);
  settle();
  return { set };
}

/**
 * F6 moves the focus to the next part of the page, as in Slack.
 *
 * @param {() => HTMLElement[]} parts those that can be reached now, in order
 */
export function mountRegionKeys(parts) {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "F6") return;
    event.preventDefault();
    const reachable = parts().filter(
      (part) => part.checkVisibility() && !part.closest("[inert]") && focusable(part).length,
    );
    const now = reachable.findIndex((part) => part.contains(document.activeElement));
    const next = reachable[(now + (event.shiftKey ? -1 : 1) + reachable.length) % reachable.length];
    const field = /** @type {HTMLElement | null} */ (next?.querySelector("#composer"));
    (field?.checkVisibility() ? field : focusable(next)[0])?.focus();
  });
}

/**
 * Tabs of the side panel.
 *
 * @param {HTMLElement} list
 * @param {{label: string, panel: HTMLElement, onShow?: () => void}[]} tabs
 */
export function mountTabs(list, tabs) {
  const buttons = tabs.map(({ label, panel }, index) =>
    h(
      "button",
      {
        type: "button",
        role: "tab",
        id: `${panel.id}-tab`,
        "aria-controls": panel.id,
        onclick: () => show(index),
      },
      label,
    ),
  );
  const show = (/** @type {number} */ chosen) => {
    tabs.forEach(({ panel, onShow }, index) => {
      const on = index === chosen;
      buttons[index].setAttribute("aria-selected", String(on));
      buttons[index].tabIndex = on ? 0 : -1;
      panel.hidden = !on;
      if (on) onShow?.();
    });
  };
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const index = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const next = (index + step + tabs.length) % tabs.length;
    show(next);
    buttons[next].focus();
  });
  tabs.forEach(({ panel }) => {
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", `${panel.id}-tab`);
  });
  list.append(...buttons);
  show(0);
}
