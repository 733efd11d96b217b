"""Slack's Web API methods, as far as a slash-command app needs them."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.block_kit import MESSAGE_TEXT, UPDATE_TEXT, judge_view
from bot.sandbox.slack.block_rules import complaint
from bot.sandbox.slack.events import Feed
from bot.sandbox.slack.messages import (
    RefusedError,
    Report,
    bot_message,
    content_of,
    decoded,
    refuse,
)
from bot.sandbox.slack.people import Cast, Person
from bot.sandbox.slack.views import ViewRefusedError, Views
from bot.sandbox.slack.wiring import Wiring
from bot.sandbox.slack.workspace import Workspace, is_reply, with_thread

Json = dict[str, Any]
Method = Callable[[Json], Json]

DEFAULT_PAGE = 100
MOST_PER_PAGE = 999
_TRUE = (True, "true", "1", 1)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What goes back over HTTP."""

    body: Json
    status: int = 200
    headers: Mapping[str, str] | None = None

    @property
    def error(self) -> str | None:
        """The error code, or None when the call went well."""
        return None if self.body.get("ok") else str(self.body.get("error"))


def refusal(error: RefusedError) -> Json:
    """The body in which Slack tells an error."""
    body: Json = {"ok": False, "error": error.code, **error.extras}
    if error.messages:
        body["response_metadata"] = {"messages": list(error.messages)}
        if error.code == "invalid_blocks":
            body["errors"] = [message.removeprefix("[ERROR] ") for message in error.messages]
    return body


def rate_limited(seconds: int) -> Answer:
    """The answer to a call that came too soon."""
    return Answer(
        body={"ok": False, "error": "ratelimited"},
        status=429,
        headers={"Retry-After": str(seconds)},
    )


class WebApi:
    """One method per name; `call` checks the token and the scope before it."""

    def __init__(
        self, workspace: Workspace, views: Views, feed: Feed, report: Report, wiring: Wiring
    ) -> None:
        self._workspace = workspace
        self._views = views
        self._feed = feed
        self._report = report
        self._wiring = wiring
        self._posted: dict[str, float] = {}
        self._methods: dict[str, tuple[str | None, Method]] = {
            "auth.test": (None, self._auth_test),
            "chat.postMessage": ("chat:write", self._post_message),
            "chat.update": ("chat:write", self._update_message),
            "chat.delete": ("chat:write", self._delete_message),
            "chat.postEphemeral": ("chat:write", self._post_ephemeral),
            "conversations.open": ("im:write", self._open_conversation),
            "conversations.history": ("im:history", self._history),
            "conversations.replies": ("im:history", self._replies),
            "users.info": ("users:read", self._user_info),
            "views.open": (None, self._open_view),
            "views.push": (None, self._push_view),
            "views.update": (None, self._update_view),
            "views.publish": (None, self._publish_view),
        }

    @property
    def _cast(self) -> Cast:
        return self._workspace.cast

    def call(self, method: str, token: str | None, args: Json) -> Answer:
        """Answers one call as Slack does; errors are answers, never exceptions."""
        headers = {"X-OAuth-Scopes": ",".join(sorted(self._cast.app.scopes))}
        try:
            handler = self._admitted(method, token)
            if self._too_soon(method, args):
                return rate_limited(1)
            return Answer(body={"ok": True, **copy.deepcopy(handler(args))}, headers=headers)
        except RefusedError as error:
            return Answer(body=refusal(error), headers=headers)
        except ViewRefusedError as error:
            return Answer(body={"ok": False, "error": error.code}, headers=headers)

    def _admitted(self, method: str, token: str | None) -> Method:
        if method not in self._methods:
            raise RefusedError("unknown_method", req_method=method)
        if not token:
            raise RefusedError("not_authed")
        if token != self._wiring.bot_token:
            raise RefusedError("invalid_auth")
        scope, handler = self._methods[method]
        granted = self._cast.app.scopes
        if scope is not None and scope not in granted:
            raise RefusedError("missing_scope", needed=scope, provided=",".join(sorted(granted)))
        return handler

    def _too_soon(self, method: str, args: Json) -> bool:
        if not self._wiring.enforce_rate_limits or method != "chat.postMessage":
            return False
        name, now = str(args.get("channel")), self._wiring.now()
        channel = self._workspace.dm(name) if self._cast.person(name) else name
        if now - self._posted.get(channel, float("-inf")) < 1:
            return True
        self._posted[channel] = now
        return False

    def _auth_test(self, _args: Json) -> Json:
        team, app = self._cast.home_team, self._cast.app
        return {
            "url": f"https://{team.domain}.slack.com/",
            "team": team.name,
            "user": app.name.lower(),
            "team_id": team.id,
            "user_id": app.bot_user_id,
            "bot_id": app.bot_id,
            "is_enterprise_install": False,
        }

    def _person(self, user: object, refusal_code: str = "user_not_found") -> Person:
        person = self._cast.person(str(user))
        if person is None:
            raise RefusedError(refusal_code)
        return person

    def _writable(self, channel: object) -> str:
        """The conversation to write into; a person's id stands for the app's DM with them."""
        name = str(channel or "")
        if self._cast.person(name) is not None:
            return self._workspace.dm(name)
        found = self._workspace.channel(name)
        if found is None and not self._workspace.exists(name):
            raise RefusedError("channel_not_found")
        if found is not None and found.archived:
            raise RefusedError("is_archived")
        if found is not None and not found.has_app:
            raise RefusedError("not_in_channel")
        return name

    def _readable(self, channel: object) -> str:
        name = str(channel or "")
        if not self._workspace.exists(name):
            raise RefusedError("channel_not_found")
        if self._workspace.channel(name) is None:
            return name
        granted = self._cast.app.scopes
        if "channels:history" not in granted:
            provided = ",".join(sorted(granted))
            raise RefusedError("missing_scope", needed="channels:history", provided=provided)
        return name

    def _post_message(self, args: Json) -> Json:
        channel = self._writable(args.get("channel"))
        if self._workspace.owner(channel) and not self._cast.app.messages_tab:
            raise RefusedError("messages_tab_disabled")
        thread_ts = args.get("thread_ts")
        if thread_ts and self._workspace.message(channel, str(thread_ts)) is None:
            raise RefusedError("thread_not_found")
        content = content_of(args, "chat.postMessage", self._report, text_limit=MESSAGE_TEXT)
        message = self._workspace.post(channel, bot_message(self._cast, content, thread_ts))
        self._feed.conversation(channel)
        return {"channel": channel, "ts": message["ts"], "message": message}

    def _own_message(self, args: Json, refusal: str) -> tuple[str, str, Json]:
        """The app's message that `channel` and `ts` name; these methods take no person's id."""
        channel, ts = str(args.get("channel")), str(args.get("ts"))
        if not self._workspace.exists(channel):
            raise RefusedError("channel_not_found")
        message = self._workspace.message(channel, ts)
        if message is None:
            raise RefusedError("message_not_found")
        if message.get("bot_id") != self._cast.app.bot_id:
            raise RefusedError(refusal)
        return channel, ts, message

    def _delete_message(self, args: Json) -> Json:
        channel, ts, _ = self._own_message(args, "cant_delete_message")
        self._workspace.delete(channel, ts)
        self._feed.conversation(channel)
        return {"channel": channel, "ts": ts}

    def _update_message(self, args: Json) -> Json:
        channel, ts, message = self._own_message(args, "cant_update_message")
        content = content_of(args, "chat.update", self._report, text_limit=UPDATE_TEXT)
        if "text" in content:
            # A text alone takes the place of the blocks that stood there.
            content.setdefault("blocks", [])
        bot, at = self._cast.app.bot_user_id, self._workspace.clock.ts()
        self._workspace.edit(message, {**content, "edited": {"user": bot, "ts": at}})
        self._feed.conversation(channel)
        return {"channel": channel, "ts": ts, "text": message["text"], "message": message}

    def _post_ephemeral(self, args: Json) -> Json:
        channel = self._writable(args.get("channel"))
        user = self._person(args.get("user"), "user_not_in_channel").id
        if user not in self._workspace.viewers(channel):
            raise RefusedError("user_not_in_channel")
        content = content_of(args, "chat.postEphemeral", self._report)
        message = bot_message(self._cast, content, args.get("thread_ts"))
        posted = self._workspace.post_ephemeral(user, channel, message)
        self._feed.conversation(channel)
        return {"message_ts": posted["ts"]}

    def _open_conversation(self, args: Json) -> Json:
        person = self._person(args.get("users"))
        return {"channel": {"id": self._workspace.dm(person.id)}, "no_op": True}

    def _page(self, messages: list[Json], args: Json) -> Json:
        thread = self._workspace.thread
        metadata = args.get("include_all_metadata") in _TRUE
        limit = min(int(_number(args, "limit", DEFAULT_PAGE)), MOST_PER_PAGE)
        start = int(_number(args, "cursor", 0))
        shown = messages[start : start + limit]
        more = len(messages) > start + limit
        channel = str(args.get("channel"))
        return {
            "messages": [with_thread(one, thread(channel, one["ts"]), metadata=metadata) for one in shown],
            "has_more": more,
            "response_metadata": {"next_cursor": str(start + limit) if more else ""},
        }

    def _history(self, args: Json) -> Json:
        channel = self._readable(args.get("channel"))
        messages = _between([m for m in self._workspace.messages(channel) if not is_reply(m)], args)
        return {**self._page(messages[::-1], args), "pin_count": 0}

    def _replies(self, args: Json) -> Json:
        channel = self._readable(args.get("channel"))
        thread = self._workspace.thread(channel, str(args.get("ts")))
        if not thread:
            raise RefusedError("thread_not_found")
        return self._page([thread[0], *_between(thread[1:], args)], args)

    def _user_info(self, args: Json) -> Json:
        person = self._person(args.get("user"))
        return {
            "user": {
                "id": person.id,
                "team_id": person.team_id,
                "name": person.name,
                "real_name": person.real_name,
                "tz": person.tz,
                "color": person.color,
                "deleted": False,
                "is_bot": False,
                "is_stranger": person.team_id != self._cast.home_team.id,
                "profile": {
                    "real_name": person.real_name,
                    "display_name": person.name,
                    "title": person.title,
                    "team": person.team_id,
                },
            }
        }

    def _view_of(self, args: Json, where: str, *kinds: str) -> Json:
        view = decoded(args.get("view"), "invalid_arguments")
        refuse(judge_view(view, kinds), where, self._report)
        return dict(view)

    def _open_view(self, args: Json) -> Json:
        view = self._view_of(args, "views.open", "modal")
        user, shown = self._views.open(str(args.get("trigger_id")), view)
        self._feed.stack(user)
        return {"view": shown}

    def _push_view(self, args: Json) -> Json:
        view = self._view_of(args, "views.push", "modal")
        user, shown = self._views.push(str(args.get("trigger_id")), view)
        self._feed.stack(user)
        return {"view": shown}

    def _update_view(self, args: Json) -> Json:
        view = self._view_of(args, "views.update", "modal", "home")
        user, shown = self._views.update(
            view,
            view_id=args.get("view_id"),
            external_id=args.get("external_id"),
            expected=args.get("hash"),
        )
        if shown["type"] == "home":
            self._feed.home(user)
        else:
            self._feed.stack(user)
        return {"view": shown}

    def _publish_view(self, args: Json) -> Json:
        if not self._cast.app.home_tab:
            raise RefusedError("not_enabled")
        view = self._view_of(args, "views.publish", "home")
        person = self._person(args.get("user_id"))
        shown = self._views.publish(person.id, view, args.get("hash"))
        self._feed.home(person.id)
        return {"view": shown}


def _between(messages: list[Json], args: Json) -> list[Json]:
    """The messages after `oldest` and before `latest`; the borders only with `inclusive`."""
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
        raise RefusedError("invalid_arguments", (complaint("must be a number", name),)) from error
