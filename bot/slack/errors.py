"""Slack's errors as exceptions, mapped in one table. No other module handles slack_sdk's own errors.

SlackError
├── SlackUnavailableError            no complete answer, a 5xx, or "not now": the call may have worked
└── SlackRefusedError                the call failed; any code that is not in the table
    ├── RateLimitedError             the same call is accepted after `retry_after` seconds
    ├── TokenDeadError               the token of the call is no longer valid
    ├── RecipientUnreachableError    Slack accepts no message to this person or conversation now
    │   └── UserDeactivatedError     the person's Slack account was deactivated
    ├── MessageGoneError             the message can no longer be edited or replied to
    ├── ViewGoneError                the modal was closed or shows something else
    └── TriggerExpiredError          the click is too old to open a modal
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

RATE_LIMIT_SECONDS = 5
"""How long to wait if Slack names no time."""


class SlackError(Exception):
    """A call failed. `code` is Slack's own, or names the problem; people never see it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class SlackUnavailableError(SlackError):
    """No complete answer, a 5xx, or "not now": the call may or may not have worked."""


class SlackRefusedError(SlackError, SlackApiError):
    """The call failed.

    It is also slack_sdk's error, because Bolt and the Socket Mode client catch that one.
    """

    def __init__(self, code: str, response: object) -> None:
        SlackApiError.__init__(self, code, response)  # type: ignore[no-untyped-call]
        # slack_sdk's own text contains the whole response.
        self.args = (code,)
        self.code = code


class RateLimitedError(SlackRefusedError):
    """Slack accepts the same call after `retry_after` seconds."""

    retry_after = RATE_LIMIT_SECONDS


class TokenDeadError(SlackRefusedError):
    """The token of the call is no longer valid."""


class RecipientUnreachableError(SlackRefusedError):
    """Slack accepts no message to this person or conversation now; an admin may change that."""


class UserDeactivatedError(RecipientUnreachableError):
    """The person's Slack account was deactivated."""


class MessageGoneError(SlackRefusedError):
    """The message can no longer be edited or replied to, e.g. because an admin deleted it."""


class ViewGoneError(SlackRefusedError):
    """The modal was closed or shows something else."""


class TriggerExpiredError(SlackRefusedError):
    """The click is too old to open a modal: Slack allows three seconds."""


_NOT_NOW = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable"})
_CODES: Mapping[type[SlackRefusedError], tuple[str, ...]] = {
    TokenDeadError: ("account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"),
    RecipientUnreachableError: (
        "cannot_dm_bot",
        "channel_not_found",
        "is_archived",
        "is_inactive",
        "messages_tab_disabled",
        "not_in_channel",
        "restricted_action",
        "user_not_found",
    ),
    UserDeactivatedError: ("user_disabled",),
    MessageGoneError: (
        "cant_update_message",
        "edit_window_closed",
        "message_not_found",
        "thread_not_found",
    ),
    ViewGoneError: ("hash_conflict", "not_found", "view_not_found"),
    TriggerExpiredError: ("exchanged_trigger_id", "expired_trigger_id", "invalid_trigger_id"),
}
_TYPES = {code: kind for kind, codes in _CODES.items() for code in codes}


def slack_error(error: SlackApiError) -> SlackError:
    """Convert slack_sdk's error to ours."""
    response: Any = error.response
    status = int(getattr(response, "status_code", HTTPStatus.OK))
    code = str(response.get("error") or status)
    if code == "ratelimited" or status == HTTPStatus.TOO_MANY_REQUESTS:
        limited = RateLimitedError(code, response)
        named = str(response.headers.get("Retry-After") or "")
        if named.isascii() and named.isdecimal():
            limited.retry_after = int(named)
        return limited
    if code in _NOT_NOW or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SlackUnavailableError(code)
    return _TYPES.get(code, SlackRefusedError)(code, response)
