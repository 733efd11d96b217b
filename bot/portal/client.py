"""The portal's billing calls, one method each, for one person's grant."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import quote

from bot.domain.errors import AmbiguousAnswerError, PortalUnavailableError, RefusalCode, UnusableReplyError
from bot.domain.money import to_wire
from bot.portal.error_map import error_for
from bot.portal.schemas.account import AccountWire
from bot.portal.schemas.billing import BillingStateWire, ChargeAcceptedWire, ChargeStatusWire
from bot.portal.schemas.fields import UnusableAnswerError, read
from bot.portal.schemas.subscription import MessageWire, PreviewWire, SubscriptionStateWire, UpgradeWire
from bot.portal.transport import Answer, Exchange, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal
    from typing import Any

    from bot.domain.billing import AccountInfo, BillingState, ChargeStatus
    from bot.domain.subscription import Preview, Subscription, UpgradeResult
    from bot.portal.transport import Gate


_Answer = TypeVar("_Answer")


class TokenSource(Protocol):
    """A source of bearer tokens."""

    async def access_token(self, *, rejected: str | None = None) -> str:
        """Return a valid token; never the one that the portal `rejected`."""


class PortalClient:
    """Billing calls with one grant's tokens against one deployment.

    Every method may raise PortalRefusalError, and RelinkRequiredError from the token source. Without a
    usable answer, reads raise PortalUnavailableError and money routes raise AmbiguousAnswerError. A money
    route raises PortalUnavailableError if its request was certainly not sent.
    """

    def __init__(
        self,
        transport: Transport,
        base: str,
        tokens: TokenSource,
        gate: Gate | None = None,
    ) -> None:
        """`gate` is called just before each request that spends or lets spend leaves; it may raise."""
        self._gate = gate
        self._transport = transport
        self._base = base
        self._tokens = tokens

    async def account(self) -> AccountInfo:
        """`GET /api/oauth/account`.

        Raises:
            NoOrganizationError: the login belongs to no organization.
        """
        body = await self._call("GET", "/api/oauth/account")
        if not body:
            raise PortalUnavailableError("an empty answer")
        return self._usable(lambda: read(AccountWire, body).to_domain())

    async def state(self, *, in_background: bool = False) -> BillingState:
        """`GET /api/billing/state`."""
        body = await self._call("GET", "/api/billing/state", in_background=in_background)
        return self._usable(lambda: read(BillingStateWire, body).to_domain(self._base))

    async def charge(self, amount: Decimal, *, idempotency_key: str) -> str:
        """`POST /api/billing/charge`: ask for `amount` US dollars, return the portal's charge id.

        An id does not mean that the charge settled. A retry with the same key never charges twice.

        Raises:
            AmbiguousAnswerError: it may or may not have been charged.
        """
        body = await self._call(
            "POST",
            "/api/billing/charge",
            json={"amountUsd": to_wire(amount)},
            headers=_key(idempotency_key),
            money=True,
        )
        charge_id = read(ChargeAcceptedWire, body).charge_id
        if charge_id is None:
            names_one = bool(body.get("chargeId"))
            raise AmbiguousAnswerError("accepted without a charge id", same_again=names_one)
        return charge_id

    async def charge_status(self, charge_id: str) -> ChargeStatus:
        """`GET /api/billing/charge/{id}`; an unknown id stays pending forever."""
        body = await self._call(
            "GET", f"/api/billing/charge/{quote(charge_id, safe='')}", in_background=True
        )
        return self._usable(lambda: read(ChargeStatusWire, body).to_domain())

    async def configure_auto_reload(self, *, enabled: bool, threshold: Decimal, reload_to: Decimal) -> None:
        """`PATCH /api/billing/auto-top-up` with exactly these three; disabling needs both amounts too."""
        await self._call(
            "PATCH",
            "/api/billing/auto-top-up",
            json={
                "enabled": enabled,
                "threshold": to_wire(threshold),
                "topUpAmount": to_wire(reload_to),
            },
            spends=True,
        )

    async def subscription(self) -> Subscription:
        """`GET /api/billing/subscription`."""
        body = await self._call("GET", "/api/billing/subscription")
        return self._usable(lambda: read(SubscriptionStateWire, body).to_domain(self._base))

    async def preview_plan(self, tier_id: str) -> Preview:
        """`POST /api/billing/subscription/preview`: return what a change would do, without doing it."""
        body = await self._call(
            "POST", "/api/billing/subscription/preview", json={"subscriptionTypeId": tier_id}
        )
        return self._usable(lambda: read(PreviewWire, body).to_domain(tier_id))

    async def schedule_plan(self, tier_id: str) -> str | None:
        """`PUT …/pending-change`: change at the end of the cycle, no charge; return the message."""
        change = {"type": "tier_change", "subscriptionTypeId": tier_id}
        return await self._pending_change("PUT", change)

    async def cancel_plan(self) -> str | None:
        """`PUT …/pending-change`: end the plan with the cycle, no charge; return the server's message."""
        return await self._pending_change("PUT", {"type": "cancellation"})

    async def keep_plan(self) -> str | None:
        """`DELETE …/pending-change`: undo the scheduled change; return the server's message."""
        return await self._pending_change("DELETE", None)

    async def upgrade_plan(self, tier_id: str, *, idempotency_key: str) -> UpgradeResult:
        """`POST …/upgrade`: charge the card and change the plan immediately.

        Raises:
            AmbiguousAnswerError: it may or may not have been charged; also for an unknown status.
        """
        body = await self._call(
            "POST",
            "/api/billing/subscription/upgrade",
            json={"subscriptionTypeId": tier_id},
            headers=_key(idempotency_key),
            money=True,
        )
        try:
            return read(UpgradeWire, body).to_domain(self._base)
        except UnusableAnswerError as error:
            raise AmbiguousAnswerError(str(error)) from None

    async def _pending_change(self, method: str, change: Mapping[str, Any] | None) -> str | None:
        body = await self._call(
            method, "/api/billing/subscription/pending-change", json=change, spends=True
        )
        return self._usable(lambda: read(MessageWire, body).message)

    @staticmethod
    def _usable(make: Callable[[], _Answer]) -> _Answer:
        try:
            return make()
        except UnusableAnswerError as error:
            raise UnusableReplyError(str(error)) from None

    async def _call(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        money: bool = False,
        spends: bool = False,
        in_background: bool = False,
    ) -> Mapping[str, Any]:
        exchange = Exchange(
            method=method,
            url=f"{self._base}{path}",
            json=json,
            headers=headers or {},
            gate=self._gate if money or spends else None,
            in_background=in_background,
        )
        token = await self._tokens.access_token()
        answer = await self._send(exchange, token, money=money)
        if answer.status == HTTPStatus.UNAUTHORIZED and not _session_revoked(answer):
            token = await self._tokens.access_token(rejected=token)
            answer = await self._send(exchange, token, money=money)
        if not answer.ok:
            raise error_for(answer, base=self._base, money=money)
        if answer.body is None:
            raise (AmbiguousAnswerError if money else PortalUnavailableError)("not JSON")
        return answer.body

    async def _send(self, exchange: Exchange, token: str, *, money: bool) -> Answer:
        try:
            return await self._transport.send(exchange.authorized(token))
        except PortalUnavailableError as error:
            if money and error.sent:
                raise AmbiguousAnswerError(str(error)) from error
            raise


def _key(idempotency_key: str) -> dict[str, str]:
    if not idempotency_key.strip():
        raise ValueError("a charge needs an idempotency key")
    return {"Idempotency-Key": idempotency_key}


def _session_revoked(answer: Answer) -> bool:
    return answer.error == RefusalCode.SESSION_REVOKED
