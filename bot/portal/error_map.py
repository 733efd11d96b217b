"""Maps non-2xx answers to typed errors (docs/portal.md, section 9)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from bot.domain.errors import (
    OURS,
    WAIT,
    AmbiguousAnswerError,
    PortalRefusalError,
    PortalUnavailableError,
    RefusalCode,
)
from bot.domain.money import parse_wire
from bot.domain.text import LINK, WORD, whole
from bot.portal.hosts import portal_link

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from bot.domain.errors import PortalError
    from bot.portal.transport import Answer

_BY_NAME = {
    code.value: code
    for code in RefusalCode
    if code not in {RefusalCode.OTHER, RefusalCode.UNAUTHORIZED} | OURS
}
SWITCH_OFF = "remote_spending_disabled"
"""Another name of the error that the organization's switch is off, in `code` or in `error`."""


def error_for(answer: Answer, *, base: str, money: bool) -> PortalError:
    """Return the error for a failed exchange.

    On a money route, AmbiguousAnswerError covers everything that is not certainly a refusal: a 5xx without
    a known code, a redirect, and an answer that is not the API's JSON. A request that the firewall blocked
    never reached the portal, so on every route the error says to try again later.
    """
    if answer.mitigated:
        return PortalRefusalError(
            RefusalCode.TEMPORARILY_UNAVAILABLE,
            portal_url=portal_link(base, None),
            retry_after=answer.retry_after,
        )
    code = _code(answer)
    if code is None and money:
        return AmbiguousAnswerError(f"status {answer.status}")
    if code is None:
        busy = answer.status == HTTPStatus.SERVICE_UNAVAILABLE
        what = f"status {answer.status}"
        return PortalUnavailableError(what, retry_after=answer.retry_after, busy=busy)
    body = answer.body or {}
    return PortalRefusalError(
        code,
        message=answer.text("message"),
        portal_url=portal_link(base, _link(body)),
        retry_after=answer.retry_after,
        remaining=parse_wire(body.get("remainingUsd")),
        is_default_ceiling=body.get("isDefaultCeiling") is True,
        actor=answer.text("actor"),
    )


def _code(answer: Answer) -> RefusalCode | None:
    named = _named(answer)
    match answer.status:
        case HTTPStatus.UNAUTHORIZED:
            revoked = named is RefusalCode.SESSION_REVOKED
            return RefusalCode.SESSION_REVOKED if revoked else RefusalCode.UNAUTHORIZED
        case HTTPStatus.TOO_MANY_REQUESTS:
            return named or RefusalCode.RATE_LIMITED
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return named if named in WAIT else None
        case HTTPStatus.REQUEST_TIMEOUT:
            return None
        case status if 400 <= status < 500:  # noqa: PLR2004 - RFC 9110's 4xx
            return (named or RefusalCode.OTHER) if answer.body else None
        case _:
            return None


def _named(answer: Answer) -> RefusalCode | None:
    if SWITCH_OFF in (answer.text("code", WORD), answer.error):
        return RefusalCode.BILLING_DISABLED
    return _BY_NAME.get(answer.error or "")


def _link(body: Mapping[str, Any]) -> str | None:
    value = body.get("portalUrl")
    return whole(value, LINK) if isinstance(value, str) else None
