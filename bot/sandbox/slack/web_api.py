"""Slack's Web API: authorization, rate limits and answers of method calls."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.installations import Installation, Installations
from bot.sandbox.slack.messages import RefusedError
from bot.sandbox.slack.settings import Settings
from bot.sandbox.slack.views import ViewRefusedError
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method for bot tokens: the required scope and the implementation."""

    perform: Callable[[Installation, Json], Json]
    scope: str | None = None


# A method that checks the token itself: OAuth, app-level tokens.
OpenMethod = Callable[[str | None, Json], Json]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer over HTTP, and the installation of the call."""

    body: Json
    status: int = 200
    headers: Mapping[str, str] | None = None
    installation: str | None = None

    @property
    def error(self) -> str | None:
        """Return the error code, or None for a successful call."""
        return None if self.body.get("ok") else str(self.body.get("error"))


def refusal(error: RefusedError) -> Json:
    """Return the body of an error answer."""
    body: Json = {"ok": False, "error": error.code, **error.extras}
    if error.messages:
        body["response_metadata"] = {"messages": list(error.messages)}
        if error.code == "invalid_blocks":
            body["errors"] = [message.removeprefix("[ERROR] ") for message in error.messages]
    return body


def rate_limited(seconds: int) -> Answer:
    """Return the answer to a rate-limited call."""
    return Answer(
        body={"ok": False, "error": "ratelimited"},
        status=429,
        headers={"Retry-After": str(seconds)},
    )


def require_scope(via: Installation, scope: str) -> None:
    """Check that the installation has the scope.

    Raises:
        RefusedError: `missing_scope`.
    """
    if scope not in via.scopes:
        raise RefusedError("missing_scope", needed=scope, provided=",".join(sorted(via.scopes)))


class WebApi:
    """Answer method calls for the installation of their token."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        open_methods: Mapping[str, OpenMethod],
        installations: Installations,
        workspace: Workspace,
        settings: Settings,
    ) -> None:
        self._methods = methods
        self._open_methods = open_methods
        self._installations = installations
        self._workspace = workspace
        self._settings = settings
        self._posted: dict[str, float] = {}

    def call(self, method: str, token: str | None, args: Json) -> Answer:
        """Answer one call. Errors become answers, not exceptions."""
        try:
            if method in self._open_methods:
                return Answer(body={"ok": True, **self._open_methods[method](token, args)})
            known, via = self._authorized(method, token)
        except RefusedError as error:
            return Answer(body=refusal(error))
        return self._perform(method, known, via, args)

    def _authorized(self, method: str, token: str | None) -> tuple[Method, Installation]:
        if method not in self._methods:
            raise RefusedError("unknown_method", req_method=method)
        if not token:
            raise RefusedError("not_authed")
        if token.startswith("xapp-"):
            raise RefusedError("not_allowed_token_type")
        return self._methods[method], self._installations.of_token(token)

    def _perform(self, method: str, known: Method, via: Installation, args: Json) -> Answer:
        headers = {"X-OAuth-Scopes": ",".join(sorted(via.scopes))}
        try:
            if known.scope is not None:
                require_scope(via, known.scope)
            if self._is_rate_limited(method, args):
                return rate_limited(1)
            body = {"ok": True, **copy.deepcopy(known.perform(via, args))}
        except RefusedError as error:
            body = refusal(error)
        except ViewRefusedError as error:
            body = {"ok": False, "error": error.code}
        return Answer(body=body, headers=headers, installation=via.id)

    def _is_rate_limited(self, method: str, args: Json) -> bool:
        if not self._settings.enforce_rate_limits or method != "chat.postMessage":
            return False
        name, now = str(args.get("channel")), self._settings.now()
        channel = self._workspace.dm(name) if self._workspace.directory.person(name) else name
        if now - self._posted.get(channel, float("-inf")) < 1:
            return True
        self._posted[channel] = now
        return False
