/**
 * The sandbox server's JSON API. No call throws: what went wrong is in the answer.
 */

/** @typedef {Record<string, any>} Json */
/** @typedef {{ok: boolean, error?: string, errors?: Record<string, string>, ack_ms?: number} & Json} Answer */

const UNREACHABLE = "The sandbox server cannot be reached. Is it still running?";

/**
 * @param {string} url
 * @param {RequestInit} [init]
 * @returns {Promise<Answer>}
 */
async function call(url, init) {
  try {
    const response = await fetch(url, init);
    const body = await response.json();
    return { ok: response.ok, ...body };
  } catch {
    return { ok: false, error: UNREACHABLE };
  }
}

/**
 * @param {string} url
 * @param {Json} body
 */
function post(url, body) {
  return call(
    url,
    { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) },
  );
}

export const api = {
  bootstrap: () => call("/sandbox/bootstrap"),
  /** @param {string} user */
  state: (user) => call(`/sandbox/state?user=${encodeURIComponent(user)}`),
  inspect: () => call("/sandbox/inspect"),
  /** @param {Json} body */
  command: (body) => post("/sandbox/command", body),
  /** @param {Json} body */
  action: (body) => post("/sandbox/action", body),
  /** @param {Json} body */
  submit: (body) => post("/sandbox/submit", body),
  /** @param {Json} body */
  close: (body) => post("/sandbox/close", body),
  /** @param {string} user */
  home: (user) => post("/sandbox/home", { user }),
  /** @param {string} user */
  leave: (user) => post("/sandbox/leave", { user }),
  /** @param {string} channel @param {boolean} isPrivate */
  channel: (channel, isPrivate) => post("/sandbox/channel", { channel, private: isPrivate }),
  restart: () => post("/sandbox/restart", {}),
  startOver: () => post("/sandbox/start-over", {}),
  /** @param {string} portal */
  scenarios: (portal) => call(`${portal}/sandbox/scenarios`),
  /** @param {string} portal */
  charges: (portal) => call(`${portal}/sandbox/charges`),
  /**
   * @param {string} portal
   * @param {string} organisation
   * @param {string} scenario
   */
  setScenario: (portal, organisation, scenario) =>
    post(`${portal}/sandbox/scenario`, { organisation, scenario }),
};

/**
 * The live stream of one person. `onOpen` is called at each connection, the first included: state
 * may have moved on in between.
 *
 * @param {string} user
 * @param {{onOpen: () => void, onEvent: (event: Json) => void, onLost: () => void}} handlers
 * @returns {() => void} ends the stream
 */
export function openStream(user, { onOpen, onEvent, onLost }) {
  const source = new EventSource(`/sandbox/events?user=${encodeURIComponent(user)}`);
  source.addEventListener("open", onOpen);
  source.addEventListener("error", onLost);
  source.addEventListener("message", (message) => onEvent(JSON.parse(message.data)));
  return () => source.close();
}
