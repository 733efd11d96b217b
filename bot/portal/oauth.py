"""The portal's OAuth client: device authorization grant (RFC 8628) and refresh token rotation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

from bot.domain.errors import (
    GrantRefusedError,
    NoLoginError,
    PortalRefusalError,
    PortalUnavailableError,
    RefusalCode,
    RelinkRequiredError,
)
from bot.portal.hosts import HostRules, origin_of
from bot.portal.schemas.authorization import DeviceCodeWire, TokenWire
from bot.portal.schemas.fields import UnusableAnswerError, read
from bot.portal.transport import Answer, Exchange, Transport

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.clock import Clock

FIRST_SCOPES = ("inference:invoke",)
DEVICE_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
UNNAMED_LIFE_SECONDS = 300
"""How long an access token is assumed valid without `expires_in` (RFC 6749, 5.1: it may be absent)."""

_DEAD = frozenset({"invalid_grant", "invalid_token", "refresh_token_reused"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """A grant's secrets. `expires_at` (UTC) is the access token's; `scope` is the granted one."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    expires_at: datetime
    scope: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceCode:
    """A device authorization in progress; `interval` in seconds, `expires_at` in UTC."""

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    verification_url: str = field(repr=False)
    interval: int
    expires_at: datetime


class GrantProblem(StrEnum):
    """Why a device grant gave no tokens, or none yet."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    BUSY = "busy"
    EXPIRED = "expired_token"
    DENIED = "access_denied"
    OTHER = "other"


class DeviceGrantError(Exception):
    """No tokens; `problem` says whether to ask again."""

    def __init__(self, problem: GrantProblem, retry_after: int | None = None) -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.retry_after = retry_after


class OAuthClient:
    """The OAuth routes of one portal deployment."""

    def __init__(self, transport: Transport, hosts: HostRules, clock: Clock, *, client_id: str) -> None:
        self._transport = transport
        self._hosts = hosts
        self._clock = clock
        self._client_id = client_id

    @property
    def base(self) -> str:
        """The base URL for new grants."""
        return self._hosts.base_for()

    async def request_device_code(self, scope: str) -> DeviceCode:
        """Start a grant (RFC 8628, 3.1).

        Raises:
            GrantRefusedError: the portal refuses what this app asks for, e.g. `invalid_scope`.
            NoLoginError: no usable answer, or a link to another host.
        """
        answer = await self._post(self.base, "device/code", {"scope": scope})
        return device_code_of(answer, base=self.base, now=self._clock.now())

    async def exchange_device_code(self, base: str, device_code: str, asked_scope: str) -> Tokens:
        """Ask once whether the person has approved (RFC 8628, 3.4).

        `asked_scope` is the scope of the tokens if the answer names none.

        Raises:
            DeviceGrantError: no tokens (yet): pending, too fast, busy, expired, denied or unknown.
            PortalUnavailableError: no usable answer; ask again.
        """
        form = {"grant_type": DEVICE_GRANT_TYPE, "device_code": device_code}
        answer = await self._post(base, "token", form)
        return first_tokens_of(answer, asked_scope=asked_scope, now=self._clock.wall())

    async def refresh(self, base: str, tokens: Tokens) -> Tokens:
        """Exchange the single-use refresh token for a new pair. Store the result before anything else.

        Raises:
            RelinkRequiredError: the session is dead; never try this token again.
            PortalUnavailableError: an outage, not a logout; the tokens must be kept.
            PortalRefusalError: NOT_RENEWED, another refusal; the tokens must be kept.
        """
        if tokens.refresh is None:
            raise RelinkRequiredError("no refresh token")
        headers = {"x-nous-refresh-token": tokens.refresh}
        answer = await self._post(base, "token", {"grant_type": "refresh_token"}, headers)
        return renewed_tokens_of(answer, tokens, now=self._clock.wall())

    async def _post(
        self, base: str, route: str, form: dict[str, str], headers: dict[str, str] | None = None
    ) -> Answer:
        return await self._transport.send(
            Exchange(
                method="POST",
                url=f"{self._hosts.base_for(base)}/api/oauth/{route}",
                form={"client_id": self._client_id, **form},
                headers=headers or {},
            )
        )


def device_code_of(answer: Answer, *, base: str, now: datetime) -> DeviceCode:
    """Read the answer to `OAuthClient.request_device_code`; raises as that does."""
    if not answer.ok:
        if answer.error is not None and not _is_outage(answer):
            raise GrantRefusedError(answer.error)
        raise NoLoginError(f"device code: status {answer.status}")
    try:
        wire = read(DeviceCodeWire, answer.body)
        link = wire.verification_uri_complete
        trusted = origin_of(link) == origin_of(base)
    except (UnusableAnswerError, ValueError, KeyError) as error:
        raise NoLoginError("device code: unusable answer") from error
    if not trusted:
        raise NoLoginError("device code: the link leads to another host")
    return DeviceCode(
        device_code=wire.device_code,
        user_code=wire.user_code,
        verification_url=link,
        interval=min(max(1, wire.interval), 60),
        expires_at=now + timedelta(seconds=min(max(1, wire.expires_in), 3600)),
    )


def first_tokens_of(answer: Answer, *, asked_scope: str, now: datetime) -> Tokens:
    """Read the answer to `OAuthClient.exchange_device_code`; raises as that does."""
    if answer.ok:
        return _tokens(answer, refresh=None, scope=asked_scope, now=now)
    error = answer.error
    if _is_outage(answer) or (error is None and answer.status == HTTPStatus.REQUEST_TIMEOUT):
        raise DeviceGrantError(GrantProblem.BUSY, answer.retry_after)
    if error is None:
        raise PortalUnavailableError(f"device token: status {answer.status}")
    known = {problem.value for problem in GrantProblem}
    raise DeviceGrantError(GrantProblem(error) if error in known else GrantProblem.OTHER)


def renewed_tokens_of(answer: Answer, tokens: Tokens, *, now: datetime) -> Tokens:
    """Read the answer to `OAuthClient.refresh`; raises as that does."""
    if _is_dead(answer):
        raise RelinkRequiredError("the portal ended this session")
    if answer.ok:
        return _tokens(answer, refresh=tokens.refresh, scope=tokens.scope, now=now)
    if answer.error is not None and not _is_outage(answer):
        raise PortalRefusalError(RefusalCode.NOT_RENEWED)
    raise PortalUnavailableError(f"refresh: status {answer.status}", retry_after=answer.retry_after)


def _tokens(answer: Answer, *, refresh: str | None, scope: str, now: datetime) -> Tokens:
    try:
        wire = read(TokenWire, answer.body)
    except UnusableAnswerError as error:
        raise PortalUnavailableError("token: unusable answer") from error
    return Tokens(
        access=wire.access_token,
        refresh=wire.refresh_token or refresh,
        expires_at=now + timedelta(seconds=wire.expires_in or UNNAMED_LIFE_SECONDS),
        scope=wire.scope if wire.scope is not None else scope,
    )


def _is_outage(answer: Answer) -> bool:
    """Tell whether the failure is temporary: the firewall, too many requests, or a server error."""
    too_many = answer.status == HTTPStatus.TOO_MANY_REQUESTS
    return answer.mitigated or too_many or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _is_dead(answer: Answer) -> bool:
    """Tell whether an answer to a refresh means that the session is dead (docs/portal.md, section 3.5)."""
    if _is_outage(answer):
        return False
    if answer.ok:
        return bool(answer.body) and not (answer.body or {}).get("access_token")
    error = answer.error
    if error is None:
        return answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    described = (answer.text("error_description") or "").lower()
    return error in _DEAD or "reuse" in described
