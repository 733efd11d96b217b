"""Slack's Web API: who may call which method, and what goes back."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.installations import Installation, Installations
from bot.sandbox.slack.messages import RefusedError
from bot.sandbox.slack.views import ViewRefusedError
from bot.sandbox.slack.wiring import Wiring
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method for bot tokens: the scope it needs, and what it does for an installation."""

    perform: Callable[[Installation, Json], Json]
    scope: str | None = None


# A method that looks at the token itself, if it needs one: OAuth, app-level tokens.
OpenMethod = Callable[[str | None, Json], Json]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What goes back over HTTP, and the installation it was for."""

    body: Json
    status: int = 200
    headers: Mapping[str, str] | None = None
    installation: str | None = None

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


def require_scope(via: Installation, scope: str) -> None:
    """Lets a call pass whose token was granted the scope.

    Raises:
        RefusedError: `missing_scope`.
    """
    if scope not in via.scopes:
        raise RefusedError("missing_scope", needed=scope, provided=",".join(sorted(via.scopes)))


class WebApi:
    """Answers calls of the methods it is given, each within its token's installation."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        open_methods: Mapping[str, OpenMethod],
        installations: Installations,
        workspace: Workspace,
        wiring: Wiring,
    ) -> None:
        self._methods = methods
        self._open_methods = open_methods
        self._installations = installations
        self._workspace = workspace
        self._wiring = wiring
        self._posted: dict[str, float] = {}

    def call(self, method: str, token: str | None, args: Json) -> Answer:
        """Answers one call as Slack does; errors are answers, never exceptions."""
        try:
            if method in self._open_methods:
                return Answer(body={"ok": True, **self._open_methods[method](token, args)})
            known, via = self._admitted(method, token)
        except RefusedError as error:
            return Answer(body=refusal(error))
        return self._performed(method, known, via, args)

    def _admitted(self, method: str, token: str | None) -> tuple[Method, Installation]:
        if method not in self._methods:
            raise RefusedError("unknown_method", req_method=method)
        if not token:
            raise RefusedError("not_authed")
        if token.startswith("xapp-"):
            raise RefusedError("not_allowed_token_type")
        return self._methods[method], self._installations.of_token(token)

    def _performed(self, method: str, known: Method, via: Installation, args: Json) -> Answer:
        headers = {"X-OAuth-Scopes": ",".join(sorted(via.scopes))}
        try:
            if known.scope is not None:
                require_scope(via, known.scope)
            if self._too_soon(method, args):
                return rate_limited(1)
            body = {"ok": True, **copy.deepcopy(known.perform(via, args))}
        except RefusedError as error:
            body = refusal(error)
        except ViewRefusedError as error:
            body = {"ok": False, "error": error.code}
        return Answer(body=body, headers=headers, installation=via.id)

    def _too_soon(self, method: str, args: Json) -> bool:
        if not self._wiring.enforce_rate_limits or method != "chat.postMessage":
            return False
        name, now = str(args.get("channel")), self._wiring.now()
        channel = self._workspace.dm(name) if self._workspace.cast.person(name) else name
        if now - self._posted.get(channel, float("-inf")) < 1:
            return True
        self._posted[channel] = now
        return False
