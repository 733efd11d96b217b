"""The actions of people in tests. They select elements by visible text or by id."""

import copy
from typing import Any

from bot.sandbox.slack.assembly import Parts
from bot.sandbox.slack.block_elements import TYPED
from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.surfaces import Target, chosen, label

Json = dict[str, Any]


class UserActions:
    """Perform a person's actions on the elements that the person sees."""

    _parts: Parts

    async def command(self, user: str, text: str, channel: str = "C0GENERAL") -> Delivery:
        """Type a slash command and apply the acknowledgement.

        Raises:
            NotACommandError: the app has no such command.
            LookupError: the person does not exist or is not in the channel.
        """
        return await self._parts.interactions.command(user, channel, text)

    async def say(self, user: str, text: str, channel: str | None = None) -> Json:
        """Post a person's message in a channel. The default channel is the app's DM."""
        said = await self._parts.interactions.say(user, channel or self._parts.workspace.dm(user), text)
        return copy.deepcopy(said)

    async def click(
        self, user: str, action_id: str, block_id: str | None = None, in_: str | None = None
    ) -> Delivery:
        """Click the button, and confirm, on the newest surface that has it.

        Args:
            user: The id of the person.
            action_id: The action_id of the button.
            block_id: The block_id of its block. None is any block.
            in_: "message", "ephemeral", "view", "home", a ts or a view id. None is any surface.

        Raises:
            LookupError: the person sees no such button. The message lists the visible elements.
        """

        def fits(block: Json, element: Json) -> bool:
            in_block = block_id is None or block["block_id"] == block_id
            return in_block and bool(element["action_id"] == action_id)

        return await self._parts.interactions.act(user, self._parts.visible.find(user, fits, in_=in_), {})

    async def click_text(self, user: str, text: str, in_: str | None = None) -> Delivery:
        """Click the button with this text.

        Raises:
            LookupError: the person sees no such button. The message lists the visible elements.
        """

        def fits(_block: Json, element: Json) -> bool:
            return element["type"] == "button" and label(element) == text

        return await self._parts.interactions.act(user, self._parts.visible.find(user, fits, in_=in_), {})

    async def select(
        self, user: str, action_id: str, value: object, in_: str | None = None
    ) -> Delivery | None:
        """Choose an option by value or text, a list of options, or a date.

        Args:
            user: The id of the person.
            action_id: The action_id of the element, or the block_id of its block.
            value: The choice. None clears it.
            in_: As for `click`.

        Returns:
            The delivery, or None for an input that does not dispatch.

        Raises:
            LookupError: no such element, or no such option.
        """

        def fits(block: Json, element: Json) -> bool:
            named = action_id in (element["action_id"], block["block_id"])
            return named and element["type"] not in {"button", *TYPED}

        target = self._parts.visible.find(user, fits, in_=in_)
        return await self._fill(user, target, chosen(target.element, value))

    async def type(self, user: str, name: str, text: str) -> Delivery | None:
        """Type into an input of the front modal.

        Args:
            user: The id of the person.
            name: The action_id or block_id.
            text: The new text of the field. An empty string clears it.

        Returns:
            The delivery, or None for an input that does not dispatch.

        Raises:
            LookupError: no such input.
        """

        def fits(block: Json, element: Json) -> bool:
            return name in (element["action_id"], block["block_id"]) and element["type"] in TYPED

        target = self._parts.visible.find(user, fits, in_="view")
        return await self._fill(user, target, {"value": text or None})

    async def _fill(self, user: str, target: Target, value: Json) -> Delivery | None:
        block, element = target.block, target.element
        if block["type"] != "input" or block.get("dispatch_action"):
            return await self._parts.interactions.act(user, target, value)
        entry = {"type": element["type"], **value}
        self._parts.views.fill(target.surface.content, {block["block_id"]: {element["action_id"]: entry}})
        return None

    async def submit(self, user: str) -> Delivery:
        """Submit the front modal with its current values.

        Returns:
            The delivery. It has `errors` and no status when the client's checks failed.

        Raises:
            LookupError: no modal is open.
        """
        return await self._parts.interactions.submit(user, self._front(user))

    async def close(self, user: str, *, everything: bool = False) -> Delivery | None:
        """Close the front modal, or all of them.

        Returns:
            The delivery of `view_closed`, or None when the view did not request it.

        Raises:
            LookupError: no modal is open.
        """
        view_id = self._front(user)["id"]
        return await self._parts.interactions.close(user, view_id, everything=everything)

    def _front(self, user: str) -> Json:
        stack = self._parts.views.stack(user)
        if not stack:
            raise LookupError(f"{user} has no modal open")
        return stack[-1]

    async def open_home(self, user: str) -> Delivery | None:
        """Open App Home. Return None when the app did not subscribe to `app_home_opened`."""
        return await self._parts.interactions.open_home(user)
