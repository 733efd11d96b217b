"""Connecting a Slack person to a portal account (RFC 8628), from the shown link to the stored grant."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

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
    OUTAGE,
    DeviceCodes,
    DeviceGrant,
    GrantedTokens,
    GrantState,
    PollingPace,
    is_step_up,
)
from bot.domain.identity import BILLING_SCOPE
from bot.portal.oauth import FIRST_SCOPES, DeviceGrantError, GrantProblem, Tokens
from bot.storage.charges.permits import permit
from bot.storage.links import Link

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.clock import Clock
    from bot.domain.delivery import ShownAt
    from bot.domain.errors import BillingError
    from bot.domain.grant import LinkMessage, Purpose
    from bot.domain.identity import Account, Identity
    from bot.engine import Lease, Released
    from bot.portal.oauth import OAuthClient
    from bot.services.accounts import Accounts
    from bot.services.second_person import SecondPerson
    from bot.services.workspaces import Workspaces
    from bot.storage.charges.store import ChargeStore
    from bot.storage.connection import Transaction
    from bot.storage.database import Database
    from bot.storage.device_grants import DeviceGrantStore
    from bot.storage.links import LinkStore

STORE_AGAIN_SECONDS = 2
LINK_WITHIN = timedelta(days=1)
"""How long an approved grant waits for the portal to name its account."""

SHOW_WITHIN = timedelta(seconds=5)

LINK_ERRORS = (PortalRefusalError, PortalUnavailableError, NoOrganizationError, RelinkRequiredError)
"""Errors that the account call may raise."""

log = structlog.get_logger(__name__)


class LinkShown(StrEnum):
    """What a link is good for when the person finally sees it; Slack may show it late."""

    LIVE = "live"
    USED = "used"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


class Linking:
    """Device grants: started by a person, finished by the engine."""

    def __init__(
        self,
        database: Database,
        grants: DeviceGrantStore,
        links: LinkStore,
        charges: ChargeStore,
        accounts: Accounts,
        workspaces: Workspaces,
        oauth: OAuthClient,
        second_person: SecondPerson,
        clock: Clock,
    ) -> None:
        self._database = database
        self._second_person = second_person
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
        shown_at: ShownAt,
        purpose: Purpose | None,
    ) -> tuple[DeviceGrant, list[DeviceGrant]]:
        """Request a device code and store the grant; its `codes.url` is the link to show.

        Return the grant and the superseded grants, whose links must no longer look usable. The outcome
        replaces what is `shown_at`. Polling starts when `shown` is called (behavior 41) or after
        SHOW_WITHIN.

        Raises:
            GrantRefusedError: the portal refuses what this app asks for.
            PortalUnavailableError: the portal gave no code; nothing was stored.
        """
        former = await self._links.get(identity)
        widens = former is not None and not former.dead and is_step_up(purpose)
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
            purpose=purpose,
            interval_seconds=code.interval,
            expires_at=code.expires_at,
            created_at=now,
            codes=DeviceCodes(
                device_code=code.device_code,
                user_code=code.user_code,
                url=code.verification_url,
                shown_at=shown_at,
            ),
        )
        superseded = await self._grants.start(grant, due_at=now + SHOW_WITHIN)
        return grant, superseded

    async def shown(self, grant: DeviceGrant, message: LinkMessage | None = None) -> LinkShown:
        """Start polling, because the person now has the link. `message` is its address, if new.

        Return what happened to the grant before the person could see the link.
        """
        due_at = self._clock.now() + timedelta(seconds=grant.interval_seconds)
        codes = replace(grant.codes, message=message) if grant.codes and message else None
        if await self._grants.schedule(grant, due_at, codes=codes):
            return LinkShown.LIVE
        now = await self._grants.get(grant.id)
        if now is not None and now.state is not GrantState.SUPERSEDED:
            return LinkShown.USED
        return LinkShown.SUPERSEDED if await self._grants.going_on(grant.identity) else LinkShown.CANCELLED

    async def cancel(self, identity: Identity) -> list[DeviceGrant]:
        """Cancel the person's pending grants and return them: their links must no longer look usable."""
        return await self._grants.cancel_pending(identity)

    async def advance(self, lease: Lease[DeviceGrant]) -> Released | datetime | None:
        """Advance a grant as far as possible, and notify the person of the outcome."""
        grant: DeviceGrant | None = lease.load()
        pace = PollingPace(grant.interval_seconds if grant else 0)
        while grant is not None and not grant.is_decided:
            if grant.state is GrantState.GRANTED:
                due_at = await self._link(lease, grant)
                if due_at is not None:
                    if grant.codes and not grant.codes.waiting_shown:
                        await self._grants.notify_waiting(lease, grant)
                    return due_at
            else:
                wait = await self._ask(lease, grant, pace)
                left = (grant.expires_at - self._clock.now()).total_seconds()
                if wait is not None:
                    await lease.sleep(max(0.0, min(wait, left)))
            grant = await self._grants.get(lease.id)
        if grant is None or grant.state is GrantState.SUPERSEDED or grant.notified_at is not None:
            return None
        return await self._grants.notify_outcome(lease, grant)

    async def _ask(self, lease: Lease[DeviceGrant], grant: DeviceGrant, pace: PollingPace) -> int | None:
        """Ask once; return the seconds until the next attempt, None if the grant is decided."""
        if self._clock.now() >= grant.expires_at or grant.codes is None:
            await self._end(lease, grant, GrantState.EXPIRED)
            return None
        try:
            tokens = await self._oauth.exchange_device_code(
                grant.base_url, grant.codes.device_code, grant.asked_scope
            )
        except PortalUnavailableError as error:
            return pace.outage(error.retry_after)
        except DeviceGrantError as error:
            return await self._not_granted(lease, grant, error, pace)
        await self._granted(lease, grant, self._stored(grant, tokens))
        return None

    async def _granted(
        self, lease: Lease[DeviceGrant], grant: DeviceGrant, tokens: GrantedTokens
    ) -> DeviceGrant:
        """Store the tokens. A code works for only one exchange, so wait for a missing database."""
        granted = replace(grant, state=GrantState.GRANTED, tokens=tokens)
        while True:
            try:
                return await self._grants.save(lease, grant, granted)
            except StoreUnavailableError:
                if self._clock.now() >= max(grant.expires_at, grant.created_at + LINK_WITHIN):
                    raise
                await lease.sleep(STORE_AGAIN_SECONDS)

    async def _not_granted(
        self, lease: Lease[DeviceGrant], grant: DeviceGrant, error: DeviceGrantError, pace: PollingPace
    ) -> int | None:
        match error.problem:
            case GrantProblem.PENDING:
                return pace.pending()
            case GrantProblem.SLOW_DOWN:
                slower = pace.slow_down()
                await self._grants.save(lease, grant, replace(grant, interval_seconds=slower))
                return slower
            case GrantProblem.BUSY:
                return pace.outage(error.retry_after)
            case GrantProblem.EXPIRED:
                await self._end(lease, grant, GrantState.EXPIRED)
            case GrantProblem.DENIED:
                await self._end(lease, grant, GrantState.DENIED)
            case GrantProblem.OTHER:
                await self._end(lease, grant, GrantState.FAILED)
        return None

    async def _end(
        self,
        lease: Lease[DeviceGrant],
        grant: DeviceGrant,
        state: GrantState,
        *,
        within: Transaction | None = None,
    ) -> None:
        """Store the outcome. The tokens are dropped: they are stored in a link, or no longer needed."""
        await self._grants.save(lease, grant, replace(grant, state=state, tokens=None), within=within)

    async def _link(self, lease: Lease[DeviceGrant], grant: DeviceGrant) -> datetime | None:
        """Ask for the tokens' account, then store the link; a restart in between loses nothing.

        Return when to ask again (UTC) if the portal says to wait; None if the grant is decided.
        """
        try:
            grant, account = await self._account(lease, grant)
        except LINK_ERRORS as error:
            return await self._not_linked(lease, grant, error)
        former = await self._links.get(grant.identity)
        if former and grant.is_step_up and former.account.grant != account.grant:
            log.warning("linking.account_mismatch", owner=grant.identity.key)
            await self._end(lease, grant, GrantState.MISMATCH)
            return None
        if await self._second_person.other_email(grant.identity, account):
            await self._end(lease, grant, GrantState.OTHER_EMAIL)
            return None
        async with self._database.transaction() as transaction:
            if not await self._workspaces.is_installed(grant.identity, within=transaction):
                # The app was removed while the person approved, and no later event would delete this link.
                await self._end(lease, grant, GrantState.SUPERSEDED, within=transaction)
                return None
            link = self._new_link(grant, account)
            others = await self._links.others(link, within=transaction)
            refused = self._second_person.refused(account, others)
            if refused is not None:
                await self._end(lease, grant, refused, within=transaction)
                return None
            link = await self._second_person.admit(transaction, link, others)
            await self._end(lease, grant, GrantState.LINKED, within=transaction)
            await self._links.put(link, within=transaction)
            await self._charges.look_again(grant.identity.key, within=transaction)
            permitted = account if link.connection.may_bill and link.waits_since is None else None
            await permit(transaction, permitted, grant.identity.key)
        self._accounts.forget_cached(grant.identity.key)
        return None

    async def _account(self, lease: Lease[DeviceGrant], grant: DeviceGrant) -> tuple[DeviceGrant, Account]:
        """Ask for the tokens' account; return it with the grant, whose tokens may be new.

        An access token that has expired is refreshed once, and the new pair is stored first.
        """
        if grant.tokens is None:
            raise RelinkRequiredError("the grant's tokens are gone")
        try:
            info = await self._accounts.portal_with(grant.base_url, grant.tokens.access).account()
        except RelinkRequiredError:
            renewed = await self._oauth.refresh(grant.base_url, _tokens(grant.tokens))
            tokens = self._stored(grant, renewed)
            grant = await self._granted(lease, grant, tokens)
            info = await self._accounts.portal_with(grant.base_url, tokens.access).account()
        return grant, info.account

    async def _not_linked(
        self, lease: Lease[DeviceGrant], grant: DeviceGrant, error: BillingError
    ) -> datetime | None:
        """Wait after a temporary error; end the grant after any other."""
        now = self._clock.now()
        code = getattr(error, "code", None)
        unusable = isinstance(error, UnusableReplyError)
        passes = code in WAIT or (isinstance(error, PortalUnavailableError) and not unusable)
        if passes and now < grant.created_at + LINK_WITHIN:
            pause = (now - grant.created_at).total_seconds() / 4
            named = getattr(error, "retry_after", None) or 0
            wait = max(named, min(max(pause, OUTAGE.first), OUTAGE.cap))
            return now + timedelta(seconds=wait)
        log.warning(
            "linking.not_linked", owner=grant.identity.key, problem=f"{type(error).__name__} {error}"
        )
        state = GrantState.UNUSABLE if unusable else GrantState.FAILED
        if isinstance(error, NoOrganizationError):
            state = GrantState.NO_ORGANIZATION
        await self._end(lease, grant, state)
        return None

    def _new_link(self, grant: DeviceGrant, account: Account) -> Link:
        tokens = grant.tokens
        assert tokens is not None  # noqa: S101 - `_account` has just used them
        return Link(
            identity=grant.identity,
            account=account,
            base_url=grant.base_url,
            scope=tokens.scope,
            expires_at=tokens.expires_at,
            access=tokens.access,
            refresh=tokens.refresh,
            linked_at=tokens.granted_at or self._clock.now(),
        )

    def _stored(self, grant: DeviceGrant, tokens: Tokens) -> GrantedTokens:
        """Return tokens as the grant stores them; the 30 days count from the first exchange."""
        granted_at = grant.tokens.granted_at if grant.tokens else None
        return GrantedTokens(
            access=tokens.access,
            refresh=tokens.refresh,
            scope=tokens.scope,
            expires_at=tokens.expires_at,
            granted_at=granted_at or self._clock.now(),
        )


def _tokens(stored: GrantedTokens) -> Tokens:
    return Tokens(
        access=stored.access, refresh=stored.refresh, expires_at=stored.expires_at, scope=stored.scope
    )
