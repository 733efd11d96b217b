"""A person's portal grant: the token that is good now, refreshed once, and the client that uses it."""

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
    NotLinkedError,
    PortalRefusalError,
    RefusalCode,
    RelinkRequiredError,
    StoreUnavailableError,
)
from bot.portal.client import PortalClient
from bot.portal.hosts import ForeignHostError
from bot.portal.oauth import Tokens

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.domain.clock import Clock
    from bot.domain.identity import Account, Connection, Identity
    from bot.portal.hosts import HostRules
    from bot.portal.oauth import OAuthClient
    from bot.portal.transport import Transport
    from bot.storage.links import Link, LinkStore

CACHE_SECONDS = 30
EXPIRY_SKEW_SECONDS = 120
CONCURRENT_REFRESHES = 5
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
    ) -> None:
        self._links = links
        self._oauth = oauth
        self._transport = transport
        self._hosts = hosts
        self._clock = clock
        self._cache: dict[str, _Cached] = {}
        self._forgotten = 0
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # Each holds a database connection while the portal takes its time.
        self._refreshing = asyncio.Semaphore(CONCURRENT_REFRESHES)
        self._refreshes: set[asyncio.Task[Link]] = set()

    async def link(self, identity: Identity) -> Link:
        """Return the person's living link.

        Raises:
            NotLinkedError: there is none.
            RelinkRequiredError: the portal ended it.
        """
        link = await self._links.get(identity)
        if link is None:
            raise NotLinkedError
        if link.dead:
            raise RelinkRequiredError("the stored grant is dead")
        return link

    async def former_link(self, identity: Identity) -> Link | None:
        """Return the person's link, living or dead."""
        return await self._links.get(identity)

    async def portal(
        self,
        identity: Identity,
        before_money: Callable[[], Awaitable[None]] | None = None,
        *,
        recent: bool = False,
    ) -> tuple[Account, PortalClient]:
        """Return the account that the person's link speaks for, and a client that acts with it alone.

        `before_money` is called before each of its requests for money leaves. With `recent`, a link read
        within the last half minute will do: polling reads no database.

        Raises:
            NotLinkedError, RelinkRequiredError: as `link`.
        """
        cached = self._cache.get(identity.key)
        if recent and cached is not None and self._clock.now() < cached.until:
            account, base = cached.account, cached.base
        else:
            forgotten = self._forgotten
            link = await self.link(identity)
            account, base = link.account, self._base(link)
            if link.access is not None and self._is_good(link, None):
                self._remember(link, link.access, forgotten)
        tokens = _GrantTokens(self, identity, account)
        return account, PortalClient(self._transport, base, tokens, before_money)

    async def connected(self, identity: Identity) -> tuple[Connection, PortalClient]:
        """Return the person's connection as screens show it, and a client that acts with it alone.

        Raises:
            NotLinkedError, RelinkRequiredError: as `link`.
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
            # The tokens stay as they are, and stay here.
            raise RelinkRequiredError("the grant's deployment is not on the allow-list") from None

    async def disconnect(self, identity: Identity) -> Link | None:
        """Forget the person's link and tokens; return what it was."""
        link = await self._links.remove(identity)
        self.forget_cached(identity.key)
        return link

    def forget_cached(self, owner: str) -> None:
        """Drop the token kept in memory for a person's key: a new grant, or none any more."""
        self._cache.pop(owner, None)
        self._forgotten += 1

    async def access_token(
        self, identity: Identity, *, rejected: str | None = None, account: Account | None = None
    ) -> str:
        """Return a token that is good for two minutes, never the `rejected` one. One refresh at a time.

        With `account`, the token speaks for that account and organization or for nobody.

        Raises:
            NotLinkedError, RelinkRequiredError, PortalUnavailableError.
            PortalRefusalError: ORG_ACCESS_DENIED, the person has connected another account meanwhile.
        """
        cached = self._cache.get(identity.key)
        # Another process may have stored another account's link since.
        other = cached is not None and account is not None and account.grant != cached.account.grant
        if cached is None or other or cached.token == rejected or self._clock.now() >= cached.until:
            cached = await self._fresh(identity, rejected)
        if account is not None and account.grant != cached.account.grant:
            raise PortalRefusalError(RefusalCode.ORG_ACCESS_DENIED)
        return cached.token

    async def finish(self, grace_seconds: float) -> None:
        """Wait for the refreshes that have left: their answers must be stored. Call before closing."""
        if self._refreshes:
            await asyncio.wait(set(self._refreshes), timeout=grace_seconds)

    async def _fresh(self, identity: Identity, rejected: str | None) -> _Cached:
        forgotten = self._forgotten
        # A refresh that has left must be stored, whatever becomes of who asked for it.
        refresh = asyncio.ensure_future(self._good_link(identity, rejected))
        self._refreshes.add(refresh)
        refresh.add_done_callback(self._refreshes.discard)
        link = await asyncio.shield(refresh)
        if link.access is None:
            raise RelinkRequiredError("the portal ended this session")
        return self._remember(link, link.access, forgotten)

    def _remember(self, link: Link, access: str, forgotten: int) -> _Cached:
        """Keep what was read since `forgotten` was the count, unless it may be forgotten by now."""
        # Those that were read together are not read again together.
        seconds = CACHE_SECONDS * random.uniform(0.5, 1)  # noqa: S311 - spreads load
        until = min(
            self._clock.now() + timedelta(seconds=seconds),
            link.expires_at - timedelta(seconds=EXPIRY_SKEW_SECONDS),
        )
        fresh = _Cached(token=access, account=link.account, base=self._base(link), until=until)
        if forgotten == self._forgotten:
            self._cache[link.identity.key] = fresh
        return fresh

    async def _good_link(self, identity: Identity, rejected: str | None) -> Link:
        lock = self._locks.setdefault(identity.key, asyncio.Lock())
        async with lock:
            link = await self.link(identity)
            if self._is_good(link, rejected):
                return link
            base = self._base(link)
            renewed: Link | None = None
            try:
                async with self._refreshing, self._links.locked(identity) as (current, connection):
                    if current is None:
                        raise NotLinkedError
                    if current.dead or self._is_good(current, rejected):
                        return current
                    renewed = _with_tokens(current, await self._refreshed(base, current))
                    stored = await self._links.replace_tokens(renewed, within=connection)
            except StoreUnavailableError:
                if renewed is None:
                    raise
                stored = await self._store_at_last(renewed)
            # Whoever connected anew meanwhile has another grant; this one's tokens are of no more use.
            return renewed if stored else await self.link(identity)

    async def _store_at_last(self, renewed: Link) -> bool:
        """Store rotated tokens although the database has just failed: the former ones are spent."""
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
            return None

    def _is_good(self, link: Link, rejected: str | None) -> bool:
        fresh = self._clock.now() < link.expires_at - timedelta(seconds=EXPIRY_SKEW_SECONDS)
        return link.access is not None and link.access != rejected and fresh


def _with_tokens(link: Link, tokens: Tokens | None) -> Link:
    if tokens is None:
        return replace(link, access=None, refresh=None)
    return replace(
        link,
        access=tokens.access,
        refresh=tokens.refresh,
        expires_at=tokens.expires_at,
        scope=tokens.scope,
    )


class _GrantTokens:
    """The tokens of a stored link, as the portal client asks for them."""

    def __init__(self, accounts: Accounts, identity: Identity, account: Account) -> None:
        self._accounts = accounts
        self._identity = identity
        self._account = account

    async def access_token(self, *, rejected: str | None = None) -> str:
        return await self._accounts.access_token(self._identity, rejected=rejected, account=self._account)


class _FixedToken:
    """A token that was just granted; when it is refused there is no other."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def access_token(self, *, rejected: str | None = None) -> str:
        if rejected is not None:
            raise RelinkRequiredError("a new token was refused")
        return self._token
