"""What people do about a watched balance: consent, be told, set the lines, and snooze an alert."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.digest import next_digest
from bot.domain.episode import EpisodeKind
from bot.domain.errors import StaleError
from bot.domain.request_errors import RequestNotFoundError
from bot.domain.watch import Consent, Watch, WatchState
from bot.domain.watch_views import AlertsChannelError, AlertsForm, AlertsPage
from bot.services.routing import key_of
from bot.storage.episodes import Snooze

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.domain.billing import BillingState
    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.domain.past import Part
    from bot.domain.request import OrganizationKey
    from bot.services.people import People
    from bot.services.routing import Routing
    from bot.storage.connection import Transaction
    from bot.storage.database import Database
    from bot.storage.episodes import StoredEpisode
    from bot.storage.links import Link
    from bot.storage.watches import WatchStore

log = structlog.get_logger(__name__)


class Watching:
    """Consents, lines and snoozes."""

    def __init__(
        self,
        database: Database,
        watches: WatchStore,
        people: People,
        routing: Routing,
        clock: Clock,
    ) -> None:
        self._database = database
        self._watches = watches
        self._people = people
        self._routing = routing
        self._clock = clock

    async def page(self, identity: Identity) -> AlertsPage:
        """Return what `/billing alerts` shows a person.

        Raises:
            RuleError: requests and watching are switched off.
            NotFullMemberError, NotLinkedError, RelinkRequiredError, PortalUnavailableError.
        """
        self._people.permission.rules.require_requests()
        await self._people.members.require_full(identity)
        link, state = await self._looked_up(identity)
        key = key_of(identity, link)
        watch = await self._watches.of(key) or await self._new(identity, key, state)
        consents = await self._watches.consents(watch.id)
        rules = self._people.permission.rules
        return AlertsPage(
            watch=watch,
            account_id=link.account.account_id,
            mine=next((each for each in consents if each.person.key == identity.key), None),
            watchers=[each.person for each in consents if each.watches],
            may_set=state.may_change_plan and rules.allow_policy(identity),
            sees_all=state.may_change_plan,
            look=await self._watches.look(watch, state, self._clock.now()),
        )

    async def past(self, identity: Identity, watch_id: str) -> tuple[Watch, Sequence[Part]]:
        """Return what a balance was in thirty days, to somebody of its organization.

        Raises:
            RequestNotFoundError: there is no such watch in their organization.
            NotLinkedError, RelinkRequiredError: they are not connected.
        """
        link = await self._people.accounts.link(identity)
        watch = await self._watches.get(watch_id)
        if watch is None or watch.key != key_of(identity, link):
            raise RequestNotFoundError
        return watch, await self._watches.past(watch, self._clock.now())

    async def _looked_up(self, identity: Identity) -> tuple[Link, BillingState]:
        link, state = await self._people.accounts.standing(identity)
        await self._routing.observe(identity, link, state)
        return link, state

    async def _new(self, identity: Identity, key: OrganizationKey, state: BillingState) -> Watch:
        """Return the watch as it would begin: in the zone of whoever begins it."""
        named = f"{key.tenant} {key.base_url} {key.organization_id}"
        return Watch(
            id=hashlib.sha256(named.encode()).hexdigest()[:16],
            key=key,
            organization_name=state.organization_name,
            enterprise=identity.enterprise,
            team=identity.team,
            zone=await self._people.members.zone(identity),
            state=WatchState.OFF,
            created_at=self._clock.now(),
        )

    async def save(self, identity: Identity, form: AlertsForm, *, account_id: str) -> AlertsPage:
        """Store what a person wants, and what they set if they may; return the page as it is then.

        Raises:
            StaleError: they have connected another account since the form was opened.
            AlertsChannelError: nothing can go to the channel; nothing was stored.
            As `page`.
        """
        page = await self.page(identity)
        if page.account_id != account_id:
            raise StaleError
        watch = self._with(page, form)
        consent = Consent(
            watch_id=watch.id,
            person=identity,
            watches=form.watches,
            tells=form.tells,
            since=self._since(page, form),
            sees_all=page.sees_all,
        )
        if watch.post_to is not None and watch.post_to != page.watch.post_to:
            problem = await self._people.channels.problem(identity, watch.post_to)
            if problem is not None:
                raise AlertsChannelError(replace(page, watch=watch, mine=consent), problem)
        is_new_line = watch.lines != page.watch.lines
        async with self._database.transaction() as transaction:
            await self._watches.put(transaction, watch)
            await self._watches.consent(transaction, consent)
            if is_new_line:
                await self._forget_lines(transaction, watch)
        log.info("watching.saved", watch=watch.id, watches=form.watches, tells=form.tells)
        return await self.page(identity)

    def _with(self, page: AlertsPage, form: AlertsForm) -> Watch:
        """Return the watch with what was filled in; it is on as soon as somebody wants it."""
        watch = page.watch
        if page.may_set:
            watch = replace(
                watch,
                lines=form.lines,
                quiet=form.quiet,
                digest_at=self._digest_at(watch, form),
                post_to=form.post_to,
            )
        others = any(person.key != (page.mine.person.key if page.mine else "") for person in page.watchers)
        if form.watches or form.tells or others:
            state = WatchState.ON if watch.state is WatchState.OFF else watch.state
            return replace(watch, state=state)
        return watch.ended()

    def _digest_at(self, watch: Watch, form: AlertsForm) -> datetime | None:
        """Return when the next digest is due: one that was on goes on."""
        if not form.digest:
            return None
        return watch.digest_at or next_digest(self._clock.now(), watch.zone)

    def _since(self, page: AlertsPage, form: AlertsForm) -> datetime:
        """Return since when this person consents: a repeated yes is not newer."""
        is_same = page.mine is not None and page.mine.watches is form.watches
        return page.mine.since if page.mine is not None and is_same else self._clock.now()

    async def _forget_lines(self, transaction: Transaction, watch: Watch) -> None:
        """Close the episode of the former lines without a word: it is judged anew."""
        for each in (await self._watches.episodes.open_of(transaction, watch.id)).values():
            if each.kind is EpisodeKind.LOW:
                await self._watches.episodes.close(transaction, each, "line", each.facts)

    async def episode(self, identity: Identity, episode_id: str) -> StoredEpisode:
        """Return an episode of this person's workspace.

        Raises:
            RequestNotFoundError: there is none.
        """
        found = await self._watches.episodes.get(episode_id)
        watch = None if found is None else await self._watches.get(found.watch_id)
        if found is None or watch is None or watch.key.tenant != identity.tenant:
            raise RequestNotFoundError
        return found

    async def snooze(self, identity: Identity, episode_id: str, hours: int | None) -> None:
        """Say no more of an episode to this person for so many hours; None: until it gets worse.

        Raises:
            RequestNotFoundError: there is no such episode.
        """
        episode = await self.episode(identity, episode_id)
        until = None if hours is None else self._clock.now() + timedelta(hours=hours)
        await self._watches.episodes.snooze(
            episode.id, identity.key, Snooze(until=until, level=episode.level)
        )

    async def known(self, identity: Identity, episode_id: str) -> None:
        """Close an episode because a person knows of it.

        Raises:
            RequestNotFoundError: there is no such episode.
        """
        episode = await self.episode(identity, episode_id)
        if episode.closed_at is None:
            async with self._database.transaction() as transaction:
                await self._watches.episodes.close(transaction, episode, "known", episode.facts)
