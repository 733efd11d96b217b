/**
 * One small panel that hangs on a control: the options of a select, an overflow menu.
 */

/** @type {(() => void) | null} */
let closeOpen = null;

/**
 * Shows `panel` under its anchor, or above when there is no room, over everything else.
 *
 * @param {HTMLElement} anchor
 * @param {HTMLElement} panel already in the document, with `popover="manual"`
 * @param {{align?: "start" | "end", onClose?: () => void}} [options]
 * @returns {() => void} closes it; harmless when it is closed
 */
export function openPopup(anchor, panel, { align = "start", onClose } = {}) {
  closeOpen?.();
  const controller = new AbortController();
  const { signal } = controller;
  const close = () => {
    if (signal.aborted) return;
    controller.abort();
    closeOpen = null;
    if (panel.isConnected) panel.hidePopover();
    onClose?.();
  };
  panel.showPopover();
  place(anchor, panel, align);
  document.addEventListener(
    "pointerdown",
    (event) => {
      const target = /** @type {Node} */ (event.target);
      if (!panel.contains(target) && !anchor.contains(target)) close();
    },
    { capture: true, signal },
  );
  window.addEventListener("resize", close, { signal });
  const growth = new ResizeObserver(() => place(anchor, panel, align));
  growth.observe(anchor);
  signal.addEventListener("abort", () => growth.disconnect());
  document.addEventListener(
    "scroll",
    (event) => {
      if (!panel.contains(/** @type {Node} */ (event.target))) place(anchor, panel, align);
    },
    { capture: true, signal },
  );
  closeOpen = close;
  return close;
}

/** True while a panel is open: Escape is its own then. */
export function popupIsOpen() {
  return closeOpen !== null;
}

/**
 * @param {HTMLElement} anchor
 * @param {HTMLElement} panel
 * @param {"start" | "end"} align
 */
function place(anchor, panel, align) {
  const gap = 4;
  const edge = 8;
  const at = anchor.getBoundingClientRect();
  panel.style.minWidth = `${Math.min(at.width, innerWidth - 2 * edge)}px`;
  const { width, height } = panel.getBoundingClientRect();
  const below = innerHeight - at.bottom - gap - edge;
  const top = below >= height || below >= at.top ? at.bottom + gap : Math.max(edge, at.top - gap - height);
  const left = align === "end" ? at.right - width : at.left;
  panel.style.top = `${top}px`;
  panel.style.left = `${Math.max(edge, Math.min(left, innerWidth - edge - width))}px`;
}
