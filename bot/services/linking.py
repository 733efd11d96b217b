"""Connecting a Slack person to a portal account (RFC 8628), from the link shown to the stored grant."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.errors import (
    PortalRefusalError,
    PortalUnavailableError,
    RelinkRequiredError,
    StoreUnavailableError,
)
from bot.domain.grant import DeviceGrant, GrantState
from bot.domain.identity import has_scope
from bot.portal.oauth import BILLING_SCOPE, FIRST_SCOPES, DeviceGrantError, GrantProblem
from bot.storage.links import Link

if TYPE_CHECKING:
    from bot.domain.clock import Clock
    from bot.domain.identity import Account, Identity
    from bot.engine import Lease
    from bot.portal.oauth import OAuthClient, Tokens
    from bot.services.accounts import Accounts
    from bot.services.workspaces import Workspaces
    from bot.storage.charges import ChargeStore
    from bot.storage.database import Database
    from bot.storage.device_grants import DeviceGrantStore
    from bot.storage.links import LinkStore

SLOW_DOWN_SECONDS = 5
BUSY_SECONDS = 10
STORE_AGAIN_SECONDS = 2
SHOW_WITHIN = timedelta(seconds=5)

log = structlog.get_logger(__name__)


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

        Polling waits until `shown` is called (behaviour 41), or a few seconds should that never come.

        Raises:
            PortalUnavailableError: no code to be had; nothing was stored.
        """
        former = await self._links.get(identity)
        known = former.scope.split() if former else []
        scope = " ".join(dict.fromkeys([*FIRST_SCOPES, *known, BILLING_SCOPE]))
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

    async def shown(self, grant: DeviceGrant) -> None:
        """Start polling: the person has the link now."""
        due_at = self._clock.now() + timedelta(seconds=grant.interval_seconds)
        await self._grants.schedule(grant.id, due_at)

    async def cancel(self, identity: Identity) -> bool:
        """Drop the person's grants in progress; tell whether there were any."""
        return await self._grants.cancel_pending(identity)

    async def advance(self, lease: Lease) -> DeviceGrant | None:
        """Take a grant as far as it goes; return it once decided, None when there is nothing to tell."""
        grant = await self._grants.get(lease.id)
        interval = grant.interval_seconds if grant else 0
        while grant is not None and grant.state in {GrantState.PENDING, GrantState.GRANTED}:
            if grant.state is GrantState.GRANTED:
                await self._link(lease, grant)
            else:
                interval = await self._ask(lease, grant, interval)
            grant = await self._grants.get(lease.id)
            if grant is not None and grant.state is GrantState.PENDING:
                left = (grant.expires_at - self._clock.now()).total_seconds()
                await lease.sleep(max(0.0, min(interval, left)))
        return None if grant is None or grant.state is GrantState.SUPERSEDED else grant

    async def told(self, lease: Lease) -> None:
        """Record that the person knows the outcome; the codes are of no more use."""
        await self._grants.note(lease, told_at=self._clock.now(), sealed_codes=None)

    async def _ask(self, lease: Lease, grant: DeviceGrant, interval: int) -> int:
        """Ask once; return how many seconds to wait before the next time."""
        if self._clock.now() >= grant.expires_at:
            await self._grants.move(lease, grant, GrantState.EXPIRED)
            return interval
        try:
            tokens = await self._oauth.exchange_device_code(
                grant.base_url, grant.codes["device_code"], grant.asked_scope
            )
        except PortalUnavailableError:
            return interval
        except DeviceGrantError as error:
            return await self._not_granted(lease, grant, error, interval)
        await self._granted(lease, grant, tokens)
        return interval

    async def _granted(self, lease: Lease, grant: DeviceGrant, tokens: Tokens) -> None:
        """Store the tokens; a code is good for one exchange, so a database that is away is waited for."""
        while True:
            try:
                await self._grants.move(lease, grant, GrantState.GRANTED, tokens=_stored(tokens))
            except StoreUnavailableError:
                if self._clock.now() >= grant.expires_at:
                    raise
                await lease.sleep(STORE_AGAIN_SECONDS)
            else:
                return

    async def _not_granted(
        self, lease: Lease, grant: DeviceGrant, error: DeviceGrantError, interval: int
    ) -> int:
        match error.problem:
            case GrantProblem.PENDING:
                return interval
            case GrantProblem.SLOW_DOWN:
                slower = interval + SLOW_DOWN_SECONDS
                await self._grants.note(lease, interval_seconds=slower)
                return slower
            case GrantProblem.BUSY:
                return max(interval, error.retry_after or BUSY_SECONDS)
            case GrantProblem.EXPIRED:
                await self._grants.move(lease, grant, GrantState.EXPIRED)
            case GrantProblem.DENIED:
                await self._grants.move(lease, grant, GrantState.DENIED)
            case GrantProblem.OTHER:
                await self._grants.move(lease, grant, GrantState.FAILED)
        return interval

    async def _link(self, lease: Lease, grant: DeviceGrant) -> None:
        """Ask whose tokens these are, then store the link; both survive a restart in between."""
        tokens = grant.tokens or {}
        try:
            info = await self._accounts.portal_with(grant.base_url, tokens["access"]).account()
        except (PortalRefusalError, RelinkRequiredError) as error:
            log.warning("linking.tokens_refused", owner=grant.identity.key, problem=str(error))
            await self._grants.move(lease, grant, GrantState.FAILED, forget_tokens=True)
            return
        former = await self._links.get(grant.identity)
        if former and _is_step_up(grant) and not former.account.same_grant_as(info.account):
            log.warning("linking.account_mismatch", owner=grant.identity.key)
            await self._grants.move(lease, grant, GrantState.MISMATCH, forget_tokens=True)
            return
        async with self._database.transaction() as connection:
            if not await self._workspaces.still(grant.identity, within=connection):
                # Uninstalled while the person approved: nobody would ever forget this link.
                await self._grants.move(
                    lease, grant, GrantState.SUPERSEDED, forget_tokens=True, within=connection
                )
                return
            await self._grants.move(lease, grant, GrantState.LINKED, forget_tokens=True, within=connection)
            await self._links.put(self._new_link(grant, info.account), within=connection)
            await self._charges.look_again(grant.identity.key, within=connection)
        self._accounts.forget_cached(grant.identity.key)

    def _new_link(self, grant: DeviceGrant, account: Account) -> Link:
        tokens = grant.tokens or {}
        return Link(
            identity=grant.identity,
            account=account,
            base_url=grant.base_url,
            scope=tokens["scope"],
            expires_at=datetime.fromtimestamp(float(tokens["expires_at"]), tz=UTC),
            access=tokens["access"],
            refresh=tokens["refresh"],
            linked_at=self._clock.now(),
        )


def may_bill(link: Link) -> bool:
    """Tell whether the grant carries the billing permission (behaviours 38, 39)."""
    return has_scope(link.scope, BILLING_SCOPE)


def _is_step_up(grant: DeviceGrant) -> bool:
    return (grant.wanted or "").startswith("resume ")


def _stored(tokens: Tokens) -> dict[str, object]:
    return {
        "access": tokens.access,
        "refresh": tokens.refresh,
        "expires_at": tokens.expires_at.timestamp(),
        "scope": tokens.scope,
    }
