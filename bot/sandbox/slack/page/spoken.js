/**
 * What a message or a modal says to those who hear it: its text, and what stands only in its fields.
 */
import { words } from "./mrkdwn.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {import("./mrkdwn.js").Reader} Reader */

const LONGEST = 900;

/**
 * @param {Json} message
 * @param {Reader} reader
 */
export function spokenMessage(message, reader) {
  const text = words(message.text ?? "", reader);
  const heard = text.toLowerCase();
  // Most of a message's blocks say what its text says; of the rest, only the fields carry facts.
  const fields = (message.blocks ?? []).flatMap((/** @type {Json} */ one) => fieldsOf(one, reader));
  const missing = fields.filter(
    (/** @type {{value: string}} */ one) => !heard.includes(one.value.toLowerCase()),
  );
  const files = (message.files ?? []).map((/** @type {Json} */ one) => `File: ${one.title}`);
  return shortened([text, ...files, ...missing.map(said)]);
}

/**
 * @param {Json} view
 * @param {Reader} reader
 */
export function spokenView(view, reader) {
  const parts = (view.blocks ?? []).flatMap((/** @type {Json} */ block) => [
    block.text?.text && words(block.text.text, reader),
    ...fieldsOf(block, reader).map(said),
    ...(block.type === "context" ? contextOf(block, reader) : []),
  ]);
  return shortened(parts.filter(Boolean));
}

/**
 * @param {Json} block
 * @param {Reader} reader
 * @returns {{name: string, value: string}[]}
 */
function fieldsOf(block, reader) {
  return (block.fields ?? []).map((/** @type {Json} */ field) => {
    const [name, ...rest] = String(field.text ?? "").split("\n");
    const value = words(rest.join("\n"), reader);
    return value ? { name: words(name, reader), value } : { name: "", value: words(name, reader) };
  });
}

/** @param {{name: string, value: string}} field */
function said({ name, value }) {
  return name ? `${name.replace(/:$/, "")}: ${value}` : value;
}

/**
 * @param {Json} block
 * @param {Reader} reader
 * @returns {string[]}
 */
function contextOf(block, reader) {
  return (block.elements ?? [])
    .filter((/** @type {Json} */ one) => one.text)
    .map((/** @type {Json} */ one) => words(String(one.text), reader));
}

/** @param {string[]} parts */
function shortened(parts) {
  const whole = parts.map((part) => (/[.!?…:]$/.test(part) ? part : `${part}.`)).join(" ");
  return whole.length > LONGEST ? `${whole.slice(0, LONGEST)}…` : whole;
}
