/**
 * Slack's choices of people and of channels, whose options are not in the block.
 */
import { selectMenu } from "./select.js";

/** @typedef {Record<string, any>} Json */

/**
 * @param {Json} element
 * @param {import("./elements.js").Spot} spot
 * @param {{field: string, placeholder: string, options: {id: string, name: string}[],
 *   attributes: Record<string, unknown>}} kind
 */
export function picker(element, spot, { field, placeholder, options, attributes }) {
  const { form } = spot.surface;
  const choices = options.map(({ id, name }) => ({ text: { type: "plain_text", text: name }, value: id }));
  const chosen = form.get(spot.blockId, element)[field] ?? [];
  const menu = selectMenu({
    groups: [{ label: null, options: choices }],
    chosen: choices.filter((option) => chosen.includes(option.value)),
    many: true,
    max: element.max_selected_items,
    placeholder: element.placeholder?.text ?? placeholder,
    attributes,
    onChange: (now) => form.set(spot.blockId, element, { [field]: now.map((option) => option.value) }),
    onSettled: () => {},
  });
  return menu.node;
}
