"""The live feed: it sends changes to pages and wakes tests that wait for a change."""

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import Workspace, with_thread

Json = dict[str, Any]
T = TypeVar("T")


class Feed:
    """Send each change to the pages and wake the waiting tests, without polling."""

    def __init__(self, workspace: Workspace, views: Views) -> None:
        self._workspace = workspace
        self._views = views
        self._listeners: dict[asyncio.Queue[Json | None], str] = {}
        self._changed = asyncio.Event()

    def conversation_for(self, user: str, channel: str) -> list[Json]:
        """Return a conversation as one person sees it."""
        return [
            with_thread(one, self._workspace.thread(channel, one["ts"]), metadata=True)
            for one in self._workspace.as_seen_by(user, channel)
        ]

    def conversation(self, channel: str) -> None:
        """Send a conversation to the pages of its members."""
        for user in self._workspace.viewers(channel):
            if self._listens(user):
                messages = self.conversation_for(user, channel)
                self._tell(user, {"type": "conversation", "channel": channel, "messages": messages})
        self.changed()

    def stack(self, user: str) -> None:
        """Send the stack of modals to a person's pages."""
        self._tell(user, {"type": "stack", "stack": self._views.stack(user)})
        self.changed()

    def home(self, user: str) -> None:
        """Send App Home to a person's pages."""
        self._tell(user, {"type": "home", "home": self._views.home(user)})
        self.changed()

    def error(self, user: str, where: str, text: str, container: Json | None = None) -> None:
        """Show an error on a person's pages. `where` is "command", "action" or "modal"."""
        event: Json = {"type": "error", "where": where, "text": text}
        if container is not None:
            event["container"] = container
        self._tell(user, event)
        self.changed()

    def inspect(self, entry: Json) -> None:
        """Send an entry of the inspector to every page."""
        for user in set(self._listeners.values()):
            self._tell(user, {"type": "inspect", "entry": entry})
        self.changed()

    def started_over(self) -> None:
        """Tell every page that nothing of what it shows exists any more."""
        for user in set(self._listeners.values()):
            self._tell(user, {"type": "started_over"})
        self.changed()

    def changed(self) -> None:
        """Wake the callers of `wait_for`."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _listens(self, user: str) -> bool:
        return user in self._listeners.values()

    def _tell(self, user: str, event: Json) -> None:
        for queue, listener in self._listeners.items():
            if listener == user:
                queue.put_nowait(copy.deepcopy(event))

    async def listen(self, user: str) -> AsyncGenerator[Json]:
        """Yield the current state, then each event for a person, until the feed is closed."""
        queue: asyncio.Queue[Json | None] = asyncio.Queue()
        self._listeners[queue] = user
        try:
            for event in self._snapshot(user):
                yield event
            while (event_or_end := await queue.get()) is not None:
                yield event_or_end
        finally:
            self._listeners.pop(queue, None)

    def _snapshot(self, user: str) -> list[Json]:
        """Return the current state, so that a page is correct after a reconnection."""
        conversations = [
            {
                "type": "conversation",
                "channel": channel,
                "messages": self.conversation_for(user, channel),
            }
            for channel in self._workspace.conversations(user)
        ]
        return [
            *conversations,
            {"type": "stack", "stack": self._views.stack(user)},
            {"type": "home", "home": self._views.home(user)},
        ]

    def close(self) -> None:
        """End every stream."""
        for queue in self._listeners:
            queue.put_nowait(None)

    async def wait_for(self, predicate: Callable[[], T], timeout: float) -> T:  # noqa: ASYNC109
        """Return the predicate's first true value. Each change evaluates it again.

        Raises:
            TimeoutError: the predicate was not true within `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while True:
                change = self._changed
                if value := predicate():
                    return value
                await change.wait()
