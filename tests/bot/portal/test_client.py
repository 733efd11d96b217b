"""The client against the sandbox portal, over HTTP, as docs/portal.md describes the wire."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bot.domain.billing import AutoReloadCardKind, ChargeStatusKind, Role
from bot.domain.errors import (
    AmbiguousAnswerError,
    PortalRefusalError,
    PortalUnavailableError,
    RefusalCode,
    RelinkRequiredError,
)
from bot.portal.client import PortalClient
from bot.sandbox.portal import Fault
from bot.sandbox.serving import serve

if TYPE_CHECKING:
    from starlette.requests import Request

    from bot.portal.transport import Transport
    from bot.sandbox.portal import PortalSandbox


class Tokens:
    """Hands out the given tokens, one more for each that was rejected."""

    def __init__(self, *tokens: str) -> None:
        self.left = list(tokens)
        self.rejected: list[str] = []

    async def access_token(self, *, rejected: str | None = None) -> str:
        if rejected is not None:
            self.rejected.append(rejected)
            self.left.pop(0)
        if not self.left:
            raise RelinkRequiredError("no more tokens")
        return self.left[0]


def client_for(portal: PortalSandbox, transport: Transport, person: str = "ada") -> PortalClient:
    access, _ = portal.issue_tokens(person)
    return PortalClient(transport, portal.public_url, Tokens(access))


async def test_the_state_is_read_whole(portal: PortalSandbox, transport: Transport) -> None:
    state = await client_for(portal, transport).state()
    assert state.organization_name == "Acme Research"
    assert state.role is Role.OWNER
    assert state.balance == Decimal("142.500213968254")
    assert state.presets == (Decimal(25), Decimal(50), Decimal(100))
    assert (state.bounds.minimum, state.bounds.maximum) == (Decimal(5), Decimal(1000))
    assert state.payment_method is not None
    assert (
        state.payment_method.brand.lower(),
        state.payment_method.last4,
        state.payment_method.resolved_via,
    ) == (
        "visa",
        "4242",
        "subPin",
    )
    assert state.monthly_cap is not None
    assert state.monthly_cap.is_default_ceiling
    assert state.portal_url == f"{portal.public_url}/billing?topup=open"


@pytest.mark.behavior(5)
async def test_a_member_gets_a_balance_and_no_card_cap_or_auto_reload(
    portal: PortalSandbox, transport: Transport
) -> None:
    state = await client_for(portal, transport, "linus").state()
    assert state.balance == Decimal("142.500213968254")
    assert (state.payment_method, state.monthly_cap, state.auto_reload) == (None, None, None)
    assert not state.may_charge


async def test_the_account_is_read_without_a_float_in_between(
    portal: PortalSandbox, transport: Transport
) -> None:
    info = await client_for(portal, transport).account()
    assert info.account.email == "ada@acme.example"
    assert info.usage.topped_up == Decimal("142.500213968254")
    assert info.usage.plan is not None
    assert isinstance(info.usage.plan.left, Decimal)


@pytest.mark.behavior(19)
async def test_an_amount_reaches_the_portal_as_the_exact_number(
    portal: PortalSandbox, transport: Transport
) -> None:
    await client_for(portal, transport).charge(Decimal("70.07"), idempotency_key="k-1")
    sent = next(each for each in portal.requests if each.path == "/api/billing/charge")
    assert '"amountUsd": 70.07' in str(sent.body)
    assert portal.charges[0].amount == Decimal("70.07")


@pytest.mark.behavior(24)
async def test_the_same_key_gives_the_same_charge(portal: PortalSandbox, transport: Transport) -> None:
    client = client_for(portal, transport)
    first = await client.charge(Decimal(50), idempotency_key="k-1")
    again = await client.charge(Decimal(50), idempotency_key="k-1")
    assert first == again
    assert len(portal.charges) == 1
    with pytest.raises(PortalRefusalError) as other_amount:
        await client.charge(Decimal(60), idempotency_key="k-1")
    assert other_amount.value.code is RefusalCode.IDEMPOTENCY_CONFLICT


@pytest.mark.behavior(23)
@pytest.mark.parametrize("key", ["", "  "])
async def test_an_empty_key_is_refused_before_any_io(
    portal: PortalSandbox, transport: Transport, key: str
) -> None:
    with pytest.raises(ValueError, match="idempotency key"):
        await client_for(portal, transport).charge(Decimal(50), idempotency_key=key)
    assert portal.requests == []


@pytest.mark.behavior(33)
async def test_an_unknown_charge_is_pending(portal: PortalSandbox, transport: Transport) -> None:
    status = await client_for(portal, transport).charge_status("no such charge")
    assert status.kind is ChargeStatusKind.PENDING


@pytest.mark.behavior(22)
async def test_the_auto_top_up_body_is_exact(portal: PortalSandbox, transport: Transport) -> None:
    client = client_for(portal, transport)
    await client.configure_auto_reload(enabled=True, threshold=Decimal(20), reload_to=Decimal("62.5"))
    state = await client.state()
    assert state.auto_reload is not None
    assert state.auto_reload.enabled
    assert (state.auto_reload.threshold, state.auto_reload.reload_to) == (Decimal(20), Decimal("62.5"))
    assert state.auto_reload.card_kind in {None, *AutoReloadCardKind}


@pytest.mark.behavior(24)
async def test_a_401_is_tried_once_more_with_a_fresh_token_and_the_same_key(
    portal: PortalSandbox, transport: Transport
) -> None:
    access, _ = portal.issue_tokens("ada")
    tokens = Tokens("stale", access)
    await PortalClient(transport, portal.public_url, tokens).charge(Decimal(50), idempotency_key="k-1")
    assert tokens.rejected == ["stale"]
    assert {post.key for post in portal.charge_posts} <= {"k-1"}
    assert len(portal.charges) == 1


async def test_a_second_401_is_final(portal: PortalSandbox, transport: Transport) -> None:
    client = PortalClient(transport, portal.public_url, Tokens("stale", "stale too"))
    with pytest.raises(PortalRefusalError) as caught:
        await client.state()
    assert caught.value.code is RefusalCode.UNAUTHORIZED


async def test_a_revoked_session_is_not_tried_again(portal: PortalSandbox, transport: Transport) -> None:
    access, _ = portal.issue_tokens("ada")
    portal.revoke_session("ada")
    tokens = Tokens(access, "never used")
    with pytest.raises(PortalRefusalError) as caught:
        await PortalClient(transport, portal.public_url, tokens).state()
    assert caught.value.code is RefusalCode.SESSION_REVOKED
    assert tokens.rejected == []


@pytest.mark.behavior(28)
@pytest.mark.parametrize("amount", ["10.10", "10.11", "10.12", "10.13", "10.14", "10.15", "10.16", "10.17"])
async def test_no_clear_answer_to_a_charge_is_ambiguous(
    portal: PortalSandbox, transport: Transport, amount: str
) -> None:
    with pytest.raises(AmbiguousAnswerError):
        await client_for(portal, transport).charge(Decimal(amount), idempotency_key="k-1")


@pytest.mark.behavior(54)
@pytest.mark.parametrize(
    "fault",
    [
        Fault(drop=True),
        Fault(drop=True, after_work=True),
        Fault(status=200, body="<html>", content_type="text/html"),
        Fault(status=500, body="{}"),
        Fault(status=200, body="[]"),
        Fault(status=200, body="{}"),
        Fault(status=200, body='{"org": {}}'),
        Fault(hangs=True),
    ],
    ids=lambda fault: str(fault)[:60],
)
async def test_a_read_without_a_usable_answer_is_unavailable_and_not_a_logout(
    portal: PortalSandbox, transport: Transport, fault: Fault
) -> None:
    portal.fail("/api/billing/state", fault, times=3)
    with pytest.raises(PortalUnavailableError):
        await client_for(portal, transport).state()


@pytest.mark.behavior(54)
async def test_a_charge_that_hangs_is_ambiguous(portal: PortalSandbox, transport: Transport) -> None:
    portal.fail("/api/billing/charge", Fault(hangs=True), times=1)
    with pytest.raises(AmbiguousAnswerError):
        await client_for(portal, transport).charge(Decimal(50), idempotency_key="k-1")


@pytest.mark.behavior(51)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(transport: Transport, status: int) -> None:
    seen: list[str] = []

    async def evil(request: Request) -> Response:
        seen.append(request.headers.get("authorization", ""))
        return Response("{}")

    async with serve(Starlette(routes=[Route("/{path:path}", evil, methods=["GET", "POST"])])) as elsewhere:

        async def portal(_request: Request) -> Response:
            return RedirectResponse(f"{elsewhere}/steal", status)

        app = Starlette(routes=[Route("/{path:path}", portal, methods=["GET", "POST"])])
        async with serve(app) as base:
            client = PortalClient(transport, base, Tokens("secret-token"))
            with pytest.raises(PortalUnavailableError):
                await client.state()
            with pytest.raises(AmbiguousAnswerError):
                await client.charge(Decimal(5), idempotency_key="k")
    assert seen == []


async def test_a_cookie_of_one_person_never_travels_with_another(transport: Transport) -> None:
    cookies: list[str] = []

    async def portal(request: Request) -> Response:
        cookies.append(request.headers.get("cookie", ""))
        answer = Response('{"org": {"id": "o"}}')
        answer.set_cookie("session", "ada")
        return answer

    async with serve(Starlette(routes=[Route("/{path:path}", portal)])) as base:
        await PortalClient(transport, base, Tokens("ada")).state()
        await PortalClient(transport, base, Tokens("grace")).state()
    assert cookies == ["", ""]


async def test_an_answer_without_end_is_given_up(transport: Transport) -> None:
    async def portal(_request: Request) -> Response:
        return Response(b"[" * 2_000_000)

    async with serve(Starlette(routes=[Route("/{path:path}", portal)])) as base:
        with pytest.raises(PortalUnavailableError):
            await PortalClient(transport, base, Tokens("t")).state()


@pytest.mark.behavior(59)
@pytest.mark.parametrize("body", ['{"status": "something_new"}', "{}", "[]", ""])
async def test_an_upgrade_that_ends_in_no_known_way_is_ambiguous(
    portal: PortalSandbox, transport: Transport, body: str
) -> None:
    portal.fail("/api/billing/subscription/upgrade", Fault(status=200, body=body))
    with pytest.raises(AmbiguousAnswerError):
        await client_for(portal, transport).upgrade_plan("max", idempotency_key="k-1")


async def test_a_recovery_link_to_another_host_is_not_shown(
    portal: PortalSandbox, transport: Transport
) -> None:
    body = '{"status": "payment_failed", "recoveryUrl": "https://evil.example/pay"}'
    portal.fail("/api/billing/subscription/upgrade", Fault(status=200, body=body))
    result = await client_for(portal, transport).upgrade_plan("max", idempotency_key="k-1")
    assert result.recovery_url == f"{portal.public_url}/billing?topup=open"
