"""A person's portal grant: a valid token, refreshed once at a time, and a client that uses it."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import structlog

from bot.domain.errors import (
    NoOrganizationError,
    NotLinkedError,
    PortalRefusalError,
    PortalUnavailableError,
    RefusalCode,
    RelinkRequiredError,
    StoreUnavailableError,
)
from bot.domain.rules import Rule, RuleError
from bot.portal.client import PortalClient
from bot.portal.hosts import ForeignHostError
from bot.portal.oauth import Tokens
from bot.timing import CALL_MARGIN_SECONDS, PORTAL_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.domain.billing import BillingState
    from bot.domain.clock import Clock
    from bot.domain.identity import Account, Connection, Identity
    from bot.portal.hosts import HostRules
    from bot.portal.oauth import OAuthClient
    from bot.portal.transport import Gate, Transport
    from bot.storage.links import Link, LinkStore

CACHE_SECONDS = 30
EXPIRY_SKEW_SECONDS = 120
REFRESH_SECONDS = PORTAL_TIMEOUT_SECONDS + CALL_MARGIN_SECONDS
"""How long one process keeps the others from refreshing the same grant."""
LOOK_EVERY_SECONDS = 0.2
VERIFY_TRIES = 3
STORE_TRIES = 30
STORE_AGAIN_SECONDS = 2

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cached:
    token: str = field(repr=False)
    account: Account
    base: str
    until: datetime


class Accounts:
    """Links and their tokens."""

    def __init__(
        self,
        links: LinkStore,
        oauth: OAuthClient,
        transport: Transport,
        hosts: HostRules,
        clock: Clock,
        lost: Callable[[str], None] = lambda _cause: None,
    ) -> None:
        """`lost` is called with the cause when a session is found to have ended."""
        self._lost = lost
        self._links = links
        self._oauth = oauth
        self._transport = transport
        self._hosts = hosts
        self._clock = clock
        self._cache: dict[str, _Cached] = {}
        self._forgotten = 0
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._refreshes: set[asyncio.Task[Link]] = set()

    async def link(self, identity: Identity) -> Link:
        """Return the person's active link.

        Raises:
            NotLinkedError: there is no link.
            RelinkRequiredError: the portal ended the grant.
            RuleError: the person waits to be let in (`bot.services.second_person`).
        """
        link = await self._live_link(identity)
        if link.waits_since is not None:
            raise RuleError(Rule.NOT_LET_IN)
        return link

    async def _live_link(self, identity: Identity) -> Link:
        link = await self._links.get(identity)
        if link is None:
            raise NotLinkedError
        if link.dead:
            raise RelinkRequiredError("the stored grant is dead")
        return link

    async def former_link(self, identity: Identity) -> Link | None:
        """Return the person's link, even if its grant is dead."""
        return await self._links.get(identity)

    async def standing(self, identity: Identity) -> tuple[Link, BillingState]:
        """Return the person's link, and what the portal says of them there now.

        Raises:
            PortalRefusalError: ORG_ACCESS_DENIED, their login is of another organization by now.
            NotLinkedError, RelinkRequiredError, PortalUnavailableError.
        """
        link = await self.link(identity)
        _, portal = await self.portal(identity)
        state = await portal.state()
        if state.organization_id != link.account.organization_id:
            raise PortalRefusalError(RefusalCode.ORG_ACCESS_DENIED)
        return link, state

    async def portal(
        self,
        identity: Identity,
        gate: Gate | None = None,
        *,
        recent: bool = False,
        follows: bool = False,
        only_reads: bool = False,
    ) -> tuple[Account, PortalClient]:
        """Return the account of the person's link, and a client for this account only.

        `gate` is called just before each request that spends or lets spend. With `recent`, a link read
        within the last 30 seconds is used, so that polling does not read the database. With `follows`, a
        person who waits to be let in is served too: what was sent is followed to its end. With
        `only_reads`, a new token is used before the portal has said whose account it belongs to: only for a
        call that changes nothing and whose answer names its organization.

        Raises:
            NotLinkedError, RelinkRequiredError, RuleError: as `link`.
        """
        cached = self._cache.get(identity.key)
        if recent and cached is not None and self._clock.now() < cached.until:
            account, base = cached.account, cached.base
        else:
            forgotten = self._forgotten
            link = await (self._live_link(identity) if follows else self.link(identity))
            account, base = link.account, self._base(link)
            if link.access is not None and link.is_verified and self._is_good(link, None):
                self._remember(link, link.access, forgotten)
        tokens = _GrantTokens(self, identity, account, only_reads=only_reads)
        return account, PortalClient(self._transport, base, tokens, gate)

    async def connected(self, identity: Identity) -> tuple[Connection, PortalClient]:
        """Return the person's connection for screens, and a client for its account only.

        Raises:
            NotLinkedError, RelinkRequiredError, RuleError: as `link`.
        """
        link = await self.link(identity)
        tokens = _GrantTokens(self, identity, link.account)
        return link.connection, PortalClient(self._transport, self._base(link), tokens)

    def portal_with(self, base_url: str, access_token: str) -> PortalClient:
        """Return a client for a token that is not stored yet."""
        base = self._hosts.base_for(base_url)
        return PortalClient(self._transport, base, _FixedToken(access_token))

    def _base(self, link: Link) -> str:
        try:
            return self._hosts.base_for(link.base_url)
        except ForeignHostError:
            # Keep the tokens, but do not send them.
            raise RelinkRequiredError("the grant's deployment is not on the allow-list") from None

    async def disconnect(self, identity: Identity) -> Link | None:
        """Delete the person's link and tokens; return the deleted link."""
        link = await self._links.remove(identity)
        self.forget_cached(identity.key)
        return link

    def forget_cached(self, owner: str) -> None:
        """Drop the cached token of a person's key, because their grant was replaced or removed."""
        self._cache.pop(owner, None)
        self._forgotten += 1

    async def access_token(
        self,
        identity: Identity,
        *,
        rejected: str | None = None,
        account: Account | None = None,
        only_reads: bool = False,
    ) -> str:
        """Return a token that is valid for at least two minutes, never the `rejected` one.

        Only one refresh per person runs at a time. With `account`, another account is an error.
        `only_reads` as in `portal`.

        Raises:
            NotLinkedError, RelinkRequiredError, PortalUnavailableError.
            PortalRefusalError: ORG_ACCESS_DENIED, the person has connected another account meanwhile.
        """
        cached = self._cache.get(identity.key)
        # Another process may have stored another account's link since.
        other = cached is not None and account is not None and account.grant != cached.account.grant
        if cached is None or other or cached.token == rejected or self._clock.now() >= cached.until:
            cached = await self._fresh(identity, rejected, only_reads=only_reads)
        if account is not None and account.grant != cached.account.grant:
            raise PortalRefusalError(RefusalCode.ORG_ACCESS_DENIED)
        return cached.token

    async def finish(self, grace_seconds: float) -> None:
        """Wait for running refreshes, because their answers must be stored. Call before closing."""
        if self._refreshes:
            await asyncio.wait(set(self._refreshes), timeout=grace_seconds)

    async def _fresh(self, identity: Identity, rejected: str | None, *, only_reads: bool) -> _Cached:
        forgotten = self._forgotten
        # The answer to a sent refresh must be stored, even if the caller is canceled.
        refresh = asyncio.ensure_future(self._good_link(identity, rejected, only_reads=only_reads))
        self._refreshes.add(refresh)
        refresh.add_done_callback(self._refreshes.discard)
        link = await asyncio.shield(refresh)
        if link.access is None:
            raise RelinkRequiredError("the portal ended this session")
        return self._remember(link, link.access, forgotten)

    def _remember(self, link: Link, access: str, forgotten: int) -> _Cached:
        """Cache a link's token if its account is known and no token was dropped since `forgotten`."""
        # Random, so that links that were read together do not expire together.
        seconds = CACHE_SECONDS * random.uniform(0.5, 1)  # noqa: S311 - spreads load
        until = min(
            self._clock.now() + timedelta(seconds=seconds),
            link.expires_at - timedelta(seconds=EXPIRY_SKEW_SECONDS),
        )
        fresh = _Cached(token=access, account=link.account, base=self._base(link), until=until)
        if link.is_verified and forgotten == self._forgotten:
            self._cache[link.identity.key] = fresh
        return fresh

    async def _good_link(self, identity: Identity, rejected: str | None, *, only_reads: bool) -> Link:
        lock = self._locks.setdefault(identity.key, asyncio.Lock())
        async with lock:
            link = await self._live_link(identity)
            if not self._is_good(link, rejected):
                link = await self._renewed(link, rejected)
            for _ in range(VERIFY_TRIES):
                if link.dead or link.is_verified or only_reads:
                    return link
                link = await self._verified(link)
            raise PortalUnavailableError("whose the new token is stays unknown")

    async def _renewed(self, link: Link, rejected: str | None) -> Link:
        """Refresh a grant, or wait for the process that does; return the link as it is stored then."""
        while not await self._links.begin_refresh(link, REFRESH_SECONDS):
            await self._clock.sleep(LOOK_EVERY_SECONDS)
            link = await self._live_link(link.identity)
            if self._is_good(link, rejected):
                return link
        try:
            renewed = _with_tokens(link, await self._refreshed(self._base(link), link))
        except BaseException:
            with suppress(StoreUnavailableError):
                await self._links.end_refresh(link)
            raise
        try:
            stored = await self._links.replace_tokens(renewed)
        except StoreUnavailableError:
            stored = await self._store_at_last(renewed)
        # If the person has connected again meanwhile, this grant's tokens are obsolete.
        return stored or await self._live_link(link.identity)

    async def _verified(self, link: Link) -> Link:
        """Ask whose rotated tokens are before anything else; those of another account end the grant.

        Raises:
            PortalUnavailableError: the portal does not say now; the tokens are kept.
        """
        try:
            info = await self.portal_with(link.base_url, link.access or "").account()
        except RelinkRequiredError:
            # Refused as soon as it was made: only a refresh says whether the session is dead.
            return await self._renewed(link, link.access)
        except NoOrganizationError:
            raise PortalRefusalError(RefusalCode.ORG_ACCESS_DENIED) from None
        verified = replace(link, is_verified=True)
        if info.account.grant != link.account.grant:
            log.warning("accounts.another_account", owner=link.identity.key)
            self._lost("another_account")
            verified = _with_tokens(link, None)
        return await self._links.replace_tokens(verified) or await self._live_link(link.identity)

    async def _store_at_last(self, renewed: Link) -> Link | None:
        """Store rotated tokens after a database error: the old refresh token is already used."""
        for _ in range(STORE_TRIES - 1):
            await self._clock.sleep(STORE_AGAIN_SECONDS)
            with suppress(StoreUnavailableError):
                return await self._links.replace_tokens(renewed)
        return await self._links.replace_tokens(renewed)

    async def _refreshed(self, base: str, link: Link) -> Tokens | None:
        tokens = Tokens(
            access=link.access or "",
            refresh=link.refresh,
            expires_at=link.expires_at,
            scope=link.scope,
        )
        try:
            return await self._oauth.refresh(base, tokens)
        except RelinkRequiredError:
            log.info("accounts.grant_dead", owner=link.identity.key)
            self._lost("refused")
            return None

    def _is_good(self, link: Link, rejected: str | None) -> bool:
        fresh = self._clock.wall() < link.expires_at - timedelta(seconds=EXPIRY_SKEW_SECONDS)
        return link.access is not None and link.access != rejected and fresh


def _with_tokens(link: Link, tokens: Tokens | None) -> Link:
    if tokens is None:
        return replace(link, access=None, refresh=None, is_verified=True)
    return replace(
        link,
        access=tokens.access,
        refresh=tokens.refresh,
        expires_at=tokens.expires_at,
        scope=tokens.scope,
        is_verified=False,
    )


class _GrantTokens:
    """The tokens of a stored link, in the form that the portal client needs."""

    def __init__(
        self, accounts: Accounts, identity: Identity, account: Account, *, only_reads: bool = False
    ) -> None:
        self._accounts = accounts
        self._identity = identity
        self._account = account
        self._only_reads = only_reads

    async def access_token(self, *, rejected: str | None = None) -> str:
        return await self._accounts.access_token(
            self._identity, rejected=rejected, account=self._account, only_reads=self._only_reads
        )


class _FixedToken:
    """A token that was just granted; there is no other if it is refused."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def access_token(self, *, rejected: str | None = None) -> str:
        if rejected is not None:
            raise RelinkRequiredError("a new token was refused")
        return self._token
