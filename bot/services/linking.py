"""Connecting a Slack person to a portal account (RFC 8628), from the link shown to the stored grant."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import structlog

from bot.domain.errors import (
    WAIT,
    NoOrganizationError,
    PortalRefusalError,
    PortalUnavailableError,
    RelinkRequiredError,
    StoreUnavailableError,
    UnusableReplyError,
)
from bot.domain.grant import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    DeviceGrant,
    GrantState,
    PollingPace,
    is_step_up,
)
from bot.domain.identity import BILLING_SCOPE
from bot.portal.oauth import FIRST_SCOPES, DeviceGrantError, GrantProblem, Tokens
from bot.storage.links import Link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.domain.clock import Clock
    from bot.domain.errors import BillingError
    from bot.domain.identity import Account, Identity
    from bot.engine import Lease
    from bot.portal.oauth import OAuthClient
    from bot.services.accounts import Accounts
    from bot.services.workspaces import Workspaces
    from bot.storage.charges import ChargeStore
    from bot.storage.database import Database
    from bot.storage.device_grants import DeviceGrantStore
    from bot.storage.links import LinkStore

STORE_AGAIN_SECONDS = 2
LINK_WITHIN = timedelta(days=1)
"""How long an approved grant waits for the portal to say whose it is."""

SHOW_WITHIN = timedelta(seconds=5)

LINK_ERRORS = (PortalRefusalError, PortalUnavailableError, NoOrganizationError, RelinkRequiredError)
"""What may come in place of the account's name."""

log = structlog.get_logger(__name__)


class LinkShown(StrEnum):
    """What a link is good for once the person sees it; Slack may take its time to show it."""

    LIVE = "live"
    USED = "used"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


class Linking:
    """Device grants: begun by a person, finished by the engine."""

    def __init__(
        self,
        database: Database,
        grants: DeviceGrantStore,
        links: LinkStore,
        charges: ChargeStore,
        accounts: Accounts,
        workspaces: Workspaces,
        oauth: OAuthClient,
        clock: Clock,
    ) -> None:
        self._database = database
        self._grants = grants
        self._links = links
        self._charges = charges
        self._accounts = accounts
        self._workspaces = workspaces
        self._oauth = oauth
        self._clock = clock

    async def begin(
        self,
        identity: Identity,
        *,
        response_url: str | None,
        view_id: str | None,
        wanted: str | None,
    ) -> tuple[DeviceGrant, list[DeviceGrant]]:
        """Ask the portal for a code and store the grant. `codes["url"]` is the link to show.

        Returns the grant and those whose place it has taken: their links must not look live any more.

        The outcome takes the place of what is behind `response_url`, or of the modal `view_id`.

        Polling waits until `shown` is called (behavior 41), or a few seconds should that never come.

        Raises:
            GrantRefusedError: the portal does not grant this app what it asks for.
            PortalUnavailableError: no code to be had; nothing was stored.
        """
        former = await self._links.get(identity)
        widens = former is not None and not former.dead and is_step_up(wanted)
        held = former.scope.split() if former is not None and widens else FIRST_SCOPES
        scope = " ".join(dict.fromkeys([*held, BILLING_SCOPE]))
        code = await self._oauth.request_device_code(scope)
        now = self._clock.now()
        grant = DeviceGrant(
            id=secrets.token_hex(8),
            identity=identity,
            state=GrantState.PENDING,
            base_url=self._oauth.base,
            asked_scope=scope,
            wanted=wanted,
            interval_seconds=code.interval,
            expires_at=code.expires_at,
            created_at=now,
            codes={
                "device_code": code.device_code,
                "user_code": code.user_code,
                "url": code.verification_url,
                "response_url": response_url,
                "view_id": view_id,
            },
        )
        superseded = await self._grants.going_on(identity)
        await self._grants.start(grant, due_at=now + SHOW_WITHIN)
        return grant, superseded

    async def shown(self, grant: DeviceGrant, place: Mapping[str, str] | None = None) -> LinkShown:
        """Start polling: the person has the link now; `place` says where, if that was not known before.

        Returns what became of the grant while the link was on its way to the person.
        """
        due_at = self._clock.now() + timedelta(seconds=grant.interval_seconds)
        codes = {**grant.codes, **place} if place else None
        if await self._grants.schedule(grant, due_at, codes=codes):
            return LinkShown.LIVE
        now = await self._grants.get(grant.id)
        if now is not None and now.state is not GrantState.SUPERSEDED:
            return LinkShown.USED
        return LinkShown.SUPERSEDED if await self._grants.going_on(grant.identity) else LinkShown.CANCELLED

    async def cancel(self, identity: Identity) -> list[DeviceGrant]:
        """Drop the person's grants in progress; returns them: their links must not look live any more."""
        dropped = await self._grants.going_on(identity)
        await self._grants.cancel_pending(identity)
        return dropped

    async def advance(self, lease: Lease) -> tuple[DeviceGrant | None, datetime | None]:
        """Take a grant as far as it goes.

        Returns it once decided, and when it is due next: a grant that was approved and whose account the
        portal does not name yet is returned as GRANTED with that moment. None when there is nothing to say.
        """
        grant = await self._grants.get(lease.id)
        pace = PollingPace(grant.interval_seconds if grant else 0)
        while grant is not None and grant.state in {GrantState.PENDING, GrantState.GRANTED}:
            if grant.state is GrantState.GRANTED:
                due_at = await self._link(lease, grant)
                if due_at is not None:
                    return grant, due_at
            else:
                wait = await self._ask(lease, grant, pace)
                left = (grant.expires_at - self._clock.now()).total_seconds()
                if wait is not None:
                    await lease.sleep(max(0.0, min(wait, left)))
            grant = await self._grants.get(lease.id)
        return (None if grant is None or grant.state is GrantState.SUPERSEDED else grant), None

    async def waiting_shown(self, lease: Lease, grant: DeviceGrant) -> None:
        """Record that the person knows that the portal keeps them waiting."""
        await self._grants.store_codes(lease, grant, {**grant.codes, "waiting": True})

    async def told(self, lease: Lease) -> None:
        """Record that the person knows the outcome; the codes are of no more use."""
        await self._grants.note(lease, told_at=self._clock.now(), sealed_codes=None)

    async def _ask(self, lease: Lease, grant: DeviceGrant, pace: PollingPace) -> int | None:
        """Ask once; return how many seconds to wait before the next time, None when it is decided."""
        if self._clock.now() >= grant.expires_at:
            await self._grants.move(lease, grant, GrantState.EXPIRED)
            return None
        try:
            tokens = await self._oauth.exchange_device_code(
                grant.base_url, grant.codes["device_code"], grant.asked_scope
            )
        except PortalUnavailableError as error:
            return pace.outage(error.retry_after)
        except DeviceGrantError as error:
            return await self._not_granted(lease, grant, error, pace)
        await self._granted(lease, grant, tokens)
        return None

    async def _granted(self, lease: Lease, grant: DeviceGrant, tokens: Tokens) -> None:
        """Store the tokens; a code is good for one exchange, so a database that is away is waited for."""
        stored = _stored(tokens, granted_at=_granted_at(grant, self._clock.now()))
        while True:
            try:
                await self._grants.move(lease, grant, GrantState.GRANTED, tokens=stored)
            except StoreUnavailableError:
                if self._clock.now() >= max(grant.expires_at, grant.created_at + LINK_WITHIN):
                    raise
                await lease.sleep(STORE_AGAIN_SECONDS)
            else:
                return

    async def _not_granted(
        self, lease: Lease, grant: DeviceGrant, error: DeviceGrantError, pace: PollingPace
    ) -> int | None:
        match error.problem:
            case GrantProblem.PENDING:
                return pace.pending()
            case GrantProblem.SLOW_DOWN:
                slower = pace.slow_down()
                await self._grants.note(lease, interval_seconds=slower)
                return slower
            case GrantProblem.BUSY:
                return pace.outage(error.retry_after)
            case GrantProblem.EXPIRED:
                await self._grants.move(lease, grant, GrantState.EXPIRED)
            case GrantProblem.DENIED:
                await self._grants.move(lease, grant, GrantState.DENIED)
            case GrantProblem.OTHER:
                await self._grants.move(lease, grant, GrantState.FAILED)
        return None

    async def _link(self, lease: Lease, grant: DeviceGrant) -> datetime | None:
        """Ask whose tokens these are, then store the link; both survive a restart in between.

        Returns when to ask again where the portal says wait; None once it is decided.
        """
        try:
            grant, account = await self._account(lease, grant)
        except LINK_ERRORS as error:
            return await self._not_linked(lease, grant, error)
        former = await self._links.get(grant.identity)
        if former and grant.is_step_up and not former.account.same_grant_as(account):
            log.warning("linking.account_mismatch", owner=grant.identity.key)
            await self._grants.move(lease, grant, GrantState.MISMATCH, forget_tokens=True)
            return None
        async with self._database.transaction() as connection:
            if not await self._workspaces.still(grant.identity, within=connection):
                # Uninstalled while the person approved: nothing would ever remove this link.
                await self._grants.move(
                    lease, grant, GrantState.SUPERSEDED, forget_tokens=True, within=connection
                )
                return None
            await self._grants.move(lease, grant, GrantState.LINKED, forget_tokens=True, within=connection)
            link = self._new_link(grant, account)
            await self._links.put(link, within=connection)
            await self._charges.look_again(grant.identity.key, within=connection)
            await self._charges.permit(
                account if link.connection.may_bill else None, grant.identity.key, within=connection
            )
        self._accounts.forget_cached(grant.identity.key)
        return None

    async def _account(self, lease: Lease, grant: DeviceGrant) -> tuple[DeviceGrant, Account]:
        """Ask whose the grant's tokens are; returns the grant with the tokens that answered.

        An access token that ran out meanwhile is renewed once; the new pair is stored first.
        """
        tokens = _tokens(grant)
        try:
            info = await self._accounts.portal_with(grant.base_url, tokens.access).account()
        except RelinkRequiredError:
            tokens = await self._oauth.refresh(grant.base_url, tokens)
            await self._granted(lease, grant, tokens)
            info = await self._accounts.portal_with(grant.base_url, tokens.access).account()
        granted_at = _granted_at(grant, self._clock.now())
        return replace(grant, tokens=_stored(tokens, granted_at=granted_at)), info.account

    async def _not_linked(self, lease: Lease, grant: DeviceGrant, error: BillingError) -> datetime | None:
        """Wait for what passes by itself; end the grant, and drop its tokens, for what does not."""
        now = self._clock.now()
        code = getattr(error, "code", None)
        unusable = isinstance(error, UnusableReplyError)
        passes = code in WAIT or (isinstance(error, PortalUnavailableError) and not unusable)
        if passes and now < grant.created_at + LINK_WITHIN:
            pause = (now - grant.created_at).total_seconds() / 4
            named = getattr(error, "retry_after", None) or 0
            wait = max(named, min(max(pause, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS))
            return now + timedelta(seconds=wait)
        log.warning(
            "linking.not_linked", owner=grant.identity.key, problem=f"{type(error).__name__} {error}"
        )
        state = GrantState.UNUSABLE if unusable else GrantState.FAILED
        if isinstance(error, NoOrganizationError):
            state = GrantState.NO_ORGANIZATION
        await self._grants.move(lease, grant, state, forget_tokens=True)
        return None

    def _new_link(self, grant: DeviceGrant, account: Account) -> Link:
        tokens = _tokens(grant)
        return Link(
            identity=grant.identity,
            account=account,
            base_url=grant.base_url,
            scope=tokens.scope,
            expires_at=tokens.expires_at,
            access=tokens.access,
            refresh=tokens.refresh,
            linked_at=_granted_at(grant, self._clock.now()),
        )


def _tokens(grant: DeviceGrant) -> Tokens:
    stored = grant.tokens or {}
    return Tokens(
        access=stored["access"],
        refresh=stored["refresh"],
        expires_at=datetime.fromtimestamp(float(stored["expires_at"]), tz=UTC),
        scope=stored["scope"],
    )


def _granted_at(grant: DeviceGrant, now: datetime) -> datetime:
    """Return when the person's approval was exchanged: the grant's 30 days count from then."""
    granted_at = (grant.tokens or {}).get("granted_at")
    return now if granted_at is None else datetime.fromtimestamp(float(granted_at), tz=UTC)


def _stored(tokens: Tokens, *, granted_at: datetime) -> dict[str, Any]:
    return {
        "granted_at": granted_at.timestamp(),
        "access": tokens.access,
        "refresh": tokens.refresh,
        "expires_at": tokens.expires_at.timestamp(),
        "scope": tokens.scope,
    }
