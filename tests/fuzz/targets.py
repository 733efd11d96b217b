"""What strangers' bytes pass through before anything is decided. A target lets only named errors out."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from blocks.errors import error_copy, error_message
from blocks.purchase import AmountForm
from bot.domain.errors import (
    GrantRefusedError,
    NoLoginError,
    NoOrganizationError,
    PortalRefusalError,
    PortalUnavailableError,
    RelinkRequiredError,
)
from bot.domain.installation import Installation
from bot.domain.money import AmountError, parse_typed
from bot.portal.error_map import error_for
from bot.portal.oauth import (
    DeviceGrantError,
    Tokens,
    device_code_of,
    first_tokens_of,
    renewed_tokens_of,
)
from bot.portal.schemas import account, authorization, billing, subscription
from bot.portal.schemas.fields import UnusableAnswerError, Wire, read
from bot.portal.transport import Answer, json_object, parse_retry_after
from bot.slack.request import identity_of, place_of
from handlers.slash import near_miss

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.domain.errors import PortalError

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BASE = "https://portal.example"
STATUSES = (200, 201, 302, 400, 401, 403, 404, 408, 409, 429, 500, 503)
TOKENS = Tokens(access="a", refresh="r", expires_at=NOW, scope="a")
HOME = Installation(
    enterprise="E0GRID",
    team="",
    name="Grid",
    bot_user="U0BOT",
    scopes="",
    token="",
    installed_by="U0ADA",
    installed_at=NOW,
)


def read_payload(data: bytes) -> None:
    """Who acts, where, and what was typed, from any JSON object."""
    body = _object(data)
    if body is not None:
        HOME.member(identity_of(body), place_of(body))


def read_command(data: bytes) -> None:
    """What was typed after `/billing`: an amount, or a word that is nearly a subcommand."""
    typed = data.decode(errors="replace")
    near_miss(typed.partition(" ")[0])
    with suppress(AmountError):
        assert parse_typed(typed) > 0


def read_view(data: bytes) -> None:
    """What a modal remembers."""
    with suppress(ValueError):
        AmountForm.recall(data.decode(errors="replace"))


def read_portal_answer(data: bytes) -> None:
    """Any answer of the portal, as each of the things it may be taken for, or as an error."""
    body = json_object(data)
    for read_it in _ANSWERS:
        with suppress(UnusableAnswerError, NoOrganizationError):
            read_it(body)
    for status in STATUSES:
        error: PortalError = error_for(Answer(status=status, body=body), base=BASE, money=True)
        copy, link = error_copy(error, now=NOW, incident="0")
        error_message(copy, link)


def read_oauth_answer(data: bytes) -> None:
    """Any answer of the portal to a request for a code, or for tokens, with any status."""
    body = json_object(data)
    for status in STATUSES:
        for mitigated in (False, True):
            answer = Answer(status=status, body=body, mitigated=mitigated)
            with suppress(GrantRefusedError, NoLoginError):
                code = device_code_of(answer, base=BASE, now=NOW)
                assert timedelta(0) < code.expires_at - NOW <= timedelta(hours=1)
            with suppress(DeviceGrantError, PortalUnavailableError):
                _good(first_tokens_of(answer, asked_scope="a", now=NOW))
            with suppress(RelinkRequiredError, PortalRefusalError, PortalUnavailableError):
                _good(renewed_tokens_of(answer, TOKENS, now=NOW))


def _good(tokens: Tokens) -> None:
    """Tokens that can be stored, with an end that a clock can show."""
    assert tokens.access
    assert tokens.expires_at > NOW


def read_retry_after(data: bytes) -> None:
    """Any Retry-After: seconds that can be waited, or nothing."""
    seconds = parse_retry_after(data.decode("latin-1"), NOW)
    assert seconds is None or 0 <= seconds < 10**6


_ANSWERS: tuple[Callable[[Any], object], ...] = (
    lambda body: read(billing.BillingStateWire, body).to_domain(BASE),
    lambda body: read(billing.ChargeAcceptedWire, body),
    lambda body: read(billing.ChargeStatusWire, body).to_domain(),
    lambda body: read(account.AccountWire, body).to_domain(),
    lambda body: read(subscription.SubscriptionStateWire, body).to_domain(BASE),
    lambda body: read(subscription.PreviewWire, body).to_domain("tier"),
    lambda body: read(subscription.UpgradeWire, body).to_domain(BASE),
    lambda body: read(authorization.DeviceCodeWire, body),
    lambda body: read(authorization.TokenWire, body),
)

TARGETS: dict[str, Callable[[bytes], None]] = {
    "payload": read_payload,
    "command": read_command,
    "view": read_view,
    "portal": read_portal_answer,
    "oauth": read_oauth_answer,
    "retry-after": read_retry_after,
}


def _names() -> list[str]:
    """Every name that a payload or an answer is looked through for."""
    modules = (account, authorization, billing, subscription)
    defined = (each for module in modules for each in vars(module).values())
    wires = {each for each in defined if isinstance(each, type) and issubclass(each, Wire)}
    fields = {field.alias or name for wire in wires for name, field in wire.model_fields.items()}
    payload = {"user", "team", "enterprise", "team_id", "enterprise_id", "user_id", "id", "event", "error"}
    return sorted(fields | payload | {"authorizations", "code", "message", "remainingUsd", "actor"})


NAMES = _names()


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
