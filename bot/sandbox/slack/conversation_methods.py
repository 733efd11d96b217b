"""The Web API's reading methods: `auth.test`, `conversations.*` and `users.info`."""

from collections.abc import Mapping
from typing import Any

from bot.sandbox.slack import payloads
from bot.sandbox.slack.access import Access
from bot.sandbox.slack.block_rules import error_message
from bot.sandbox.slack.directory import Channel, Person
from bot.sandbox.slack.installations import Installation
from bot.sandbox.slack.messages import RefusedError
from bot.sandbox.slack.web_api import Method, require_scope
from bot.sandbox.slack.workspace import Workspace, is_reply, with_thread

Json = dict[str, Any]

DEFAULT_PAGE = 100
MAX_PER_PAGE = 999
_TRUE = (True, "true", "1", 1)


class ConversationMethods:
    """Read conversations and people for an installation."""

    def __init__(self, workspace: Workspace, access: Access) -> None:
        self._workspace = workspace
        self._access = access

    def methods(self) -> Mapping[str, Method]:
        """Return the methods by name."""
        return {
            "auth.test": Method(perform=self._auth_test),
            "conversations.info": Method(perform=self._info),
            "conversations.members": Method(perform=self._members),
            "conversations.open": Method(scope="im:write", perform=self._open),
            "conversations.history": Method(scope="im:history", perform=self._history),
            "conversations.replies": Method(scope="im:history", perform=self._replies),
            "users.info": Method(scope="users:read", perform=self._user_info),
        }

    def _auth_test(self, via: Installation, _args: Json) -> Json:
        answer = {
            "url": f"https://{via.place.domain}.slack.com/",
            "team": via.place.name,
            "user": self._workspace.directory.app.name.lower(),
            "team_id": via.id,
            "user_id": via.bot_user_id,
            "bot_id": via.bot_id,
            "is_enterprise_install": via.is_enterprise_install,
        }
        if via.enterprise is not None:
            answer["enterprise_id"] = via.enterprise.id
        return answer

    def _person(self, user: object) -> Person:
        person = self._workspace.directory.person(str(user))
        if person is None:
            raise RefusedError("user_not_found")
        return person

    def _open(self, via: Installation, args: Json) -> Json:
        person = self._person(args.get("users"))
        if not self._access.can_message(via, person):
            raise RefusedError("user_not_found")
        if self._workspace.is_deactivated(person.id):
            raise RefusedError("user_disabled")
        return {"channel": {"id": self._workspace.dm(person.id)}, "no_op": True}

    def _readable(self, via: Installation, channel: object) -> str:
        name = str(channel or "")
        if not self._workspace.exists(name) or not self._access.can_see(via, name):
            raise RefusedError("channel_not_found")
        if self._workspace.channel(name) is not None:
            require_scope(via, "channels:history")
        return name

    def _channel(self, via: Installation, args: Json) -> Channel:
        """Return a channel that the installation may look up.

        Raises:
            RefusedError: `channel_not_found`, or `missing_scope`.
        """
        found = self._workspace.channel(str(args.get("channel") or ""))
        if found is None or not self._access.can_see(via, found.id):
            raise RefusedError("channel_not_found")
        require_scope(via, "groups:read" if found.private else "channels:read")
        return found

    def _info(self, via: Installation, args: Json) -> Json:
        return {"channel": payloads.channel_object(self._channel(via, args), via)}

    def _members(self, via: Installation, args: Json) -> Json:
        found = self._channel(via, args)
        everybody = sorted(self._workspace.viewers(found.id))
        limit = min(int(_number(args, "limit", DEFAULT_PAGE)), MAX_PER_PAGE)
        start = int(_number(args, "cursor", 0))
        cursor = str(start + limit) if len(everybody) > start + limit else ""
        return {
            "members": everybody[start : start + limit],
            "response_metadata": {"next_cursor": cursor},
        }

    def _page(self, messages: list[Json], args: Json) -> Json:
        thread = self._workspace.thread
        metadata = args.get("include_all_metadata") in _TRUE
        limit = min(int(_number(args, "limit", DEFAULT_PAGE)), MAX_PER_PAGE)
        start = int(_number(args, "cursor", 0))
        shown = messages[start : start + limit]
        more = len(messages) > start + limit
        channel = str(args.get("channel"))
        return {
            "messages": [with_thread(one, thread(channel, one["ts"]), metadata=metadata) for one in shown],
            "has_more": more,
            "response_metadata": {"next_cursor": str(start + limit) if more else ""},
        }

    def _history(self, via: Installation, args: Json) -> Json:
        channel = self._readable(via, args.get("channel"))
        messages = _between([m for m in self._workspace.messages(channel) if not is_reply(m)], args)
        return {**self._page(messages[::-1], args), "pin_count": 0}

    def _replies(self, via: Installation, args: Json) -> Json:
        channel = self._readable(via, args.get("channel"))
        thread = self._workspace.thread(channel, str(args.get("ts")))
        if not thread:
            raise RefusedError("thread_not_found")
        return self._page([thread[0], *_between(thread[1:], args)], args)

    def _user_info(self, via: Installation, args: Json) -> Json:
        person = self._person(args.get("user"))
        if not self._access.can_look_up(via, person):
            raise RefusedError("user_not_found")
        deleted = self._workspace.is_deactivated(person.id)
        return {"user": payloads.user_object(self._workspace.directory, person, via, deleted=deleted)}


def _between(messages: list[Json], args: Json) -> list[Json]:
    """Return the messages between `oldest` and `latest`. `inclusive` includes both limits."""
    oldest, latest = _number(args, "oldest", 0), _number(args, "latest", float("inf"))
    inclusive = args.get("inclusive") in _TRUE

    def within(ts: str) -> bool:
        at = float(ts)
        if inclusive:
            return oldest <= at <= latest
        return oldest < at < latest

    return [message for message in messages if within(message["ts"])]


def _number(args: Json, name: str, default: float) -> float:
    try:
        return float(args.get(name) or default)
    except (TypeError, ValueError) as error:
        raise RefusedError("invalid_arguments", (error_message("must be a number", name),)) from error
