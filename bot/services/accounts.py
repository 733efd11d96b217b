"""A person's portal grant: the token that is good now, refreshed once, and the client that uses it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import structlog

from bot.domain.errors import NotLinkedError, RelinkRequiredError
from bot.portal.client import PortalClient
from bot.portal.oauth import Tokens

if TYPE_CHECKING:
    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.portal.oauth import OAuthClient
    from bot.portal.transport import Transport
    from bot.storage.links import Link, LinkStore

CACHE_SECONDS = 30
EXPIRY_SKEW_SECONDS = 120

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cached:
    token: str = field(repr=False)
    until: datetime


class Accounts:
    """Links and their tokens."""

    def __init__(
        self,
        links: LinkStore,
        oauth: OAuthClient,
        transport: Transport,
        clock: Clock,
    ) -> None:
        self._links = links
        self._oauth = oauth
        self._transport = transport
        self._clock = clock
        self._cache: dict[str, _Cached] = {}
        self._refreshing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

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

    async def portal(self, identity: Identity) -> tuple[Link, PortalClient]:
        """Return the person's link and a client that acts with it.

        Raises:
            NotLinkedError, RelinkRequiredError: as `link`.
        """
        link = await self.link(identity)
        return link, PortalClient(self._transport, link.base_url, _GrantTokens(self, identity))

    def portal_with(self, base_url: str, access_token: str) -> PortalClient:
        """Return a client for a token that is not stored yet."""
        return PortalClient(self._transport, base_url, _FixedToken(access_token))

    async def disconnect(self, identity: Identity) -> Link | None:
        """Forget the person's link and tokens; return what it was."""
        self.forget_cached(identity)
        return await self._links.remove(identity)

    def forget_cached(self, identity: Identity) -> None:
        """Drop the token kept in memory: a new grant or a 401 has made it old."""
        self._cache.pop(identity.key, None)

    async def access_token(self, identity: Identity, *, rejected: str | None = None) -> str:
        """Return a token that is good for two minutes, never the `rejected` one. One refresh at a time.

        Raises:
            NotLinkedError, RelinkRequiredError, PortalUnavailableError.
        """
        cached = self._cache.get(identity.key)
        if cached and cached.token != rejected and self._clock.now() < cached.until:
            return cached.token
        lock = self._refreshing.setdefault(identity.key, asyncio.Lock())
        async with lock:
            # A refresh that has left must be stored, whatever becomes of who asked for it.
            link = await asyncio.shield(asyncio.ensure_future(self._good_link(identity, rejected)))
        if link.access is None:
            raise RelinkRequiredError("the portal ended this session")
        until = min(
            self._clock.now() + timedelta(seconds=CACHE_SECONDS),
            link.expires_at - timedelta(seconds=EXPIRY_SKEW_SECONDS),
        )
        self._cache[identity.key] = _Cached(token=link.access, until=until)
        return link.access

    async def _good_link(self, identity: Identity, rejected: str | None) -> Link:
        link = await self.link(identity)
        if self._is_good(link, rejected):
            return link
        async with self._links.locked(identity) as (current, connection):
            if current is None:
                raise NotLinkedError
            if current.dead or self._is_good(current, rejected):
                return current
            tokens = await self._refreshed(current)
            renewed = replace(
                current,
                access=tokens.access if tokens else None,
                refresh=tokens.refresh if tokens else None,
                expires_at=tokens.expires_at if tokens else current.expires_at,
                scope=tokens.scope if tokens else current.scope,
            )
            await self._links.replace_tokens(
                current,
                access=renewed.access,
                refresh=renewed.refresh,
                expires_at=renewed.expires_at,
                scope=renewed.scope,
                within=connection,
            )
        return renewed

    async def _refreshed(self, link: Link) -> Tokens | None:
        tokens = Tokens(
            access=link.access or "",
            refresh=link.refresh,
            expires_at=link.expires_at,
            scope=link.scope,
        )
        try:
            return await self._oauth.refresh(link.base_url, tokens)
        except RelinkRequiredError:
            log.info("accounts.grant_dead", owner=link.identity.key)
            return None

    def _is_good(self, link: Link, rejected: str | None) -> bool:
        fresh = self._clock.now() < link.expires_at - timedelta(seconds=EXPIRY_SKEW_SECONDS)
        return link.access is not None and link.access != rejected and fresh


class _GrantTokens:
    """The tokens of a stored link, as the portal client asks for them."""

    def __init__(self, accounts: Accounts, identity: Identity) -> None:
        self._accounts = accounts
        self._identity = identity

    async def access_token(self, *, rejected: str | None = None) -> str:
        if rejected is not None:
            self._accounts.forget_cached(self._identity)
        return await self._accounts.access_token(self._identity, rejected=rejected)


class _FixedToken:
    """A token that was just granted; when it is refused there is no other."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def access_token(self, *, rejected: str | None = None) -> str:
        if rejected is not None:
            raise RelinkRequiredError("a new token was refused")
        return self._token
