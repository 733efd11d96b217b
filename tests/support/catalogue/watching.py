"""Watching a balance: the form, each alert with its levels, and their ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from blocks.alerts import alert_message, alert_reply, stale_message, watched_again_message
from blocks.alerts_form import alerts_modal, saved_alerts_modal
from blocks.chart import past_message
from blocks.digest import digest_message
from bot.domain.digest import Added, digest_of
from bot.domain.episode import EpisodeKind, Look
from bot.domain.past import Part
from bot.domain.reading import Reading, Reload
from bot.domain.request import OrganizationKey
from bot.domain.watch import Consent, QuietHours, Watch, WatchState
from bot.domain.watch_views import AlertsPage
from bot.storage.episodes import StoredEpisode
from tests.support.catalogue.screen import Screen, screen
from tests.support.samples import ADA, GRACE, NOW, PORTAL, REQUEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blocks.kit import Message
    from bot.domain.digest import Digest

WATCH = Watch(
    id="w" * 16,
    key=OrganizationKey(tenant="T0ACME", base_url=PORTAL, organization_id="org_acme"),
    organization_name="Acme Research",
    zone="Europe/London",
    state=WatchState.ON,
    created_at=NOW - timedelta(days=20),
    watcher=ADA.key,
    read_at=NOW,
)
LOOK = Look(
    readings=[
        Reading(at=NOW - timedelta(hours=hour), balance=Decimal(118) + hour)
        for hour in range(24 * 9, -1, -1)
    ],
    now=NOW,
    lines=WATCH.lines,
)
MINE = Consent(watch_id=WATCH.id, person=ADA, watches=True, tells=True, since=NOW, sees_all=True)
PAGE = AlertsPage(
    watch=WATCH,
    account_id="did:ada",
    mine=MINE,
    watchers=[ADA, GRACE],
    may_set=True,
    sees_all=True,
    look=LOOK,
)
FACTS: dict[str, Any] = {
    "at": NOW.timestamp(),
    "balance": "18.20",
    "low": "20",
    "critical": "5",
    "credit": "0",
    "hour": "15",
    "near": "50",
    "far": "118",
    "early": False,
    "reload_on": False,
    "proven": False,
    "below": "20",
    "to": "100",
    "was_below": "20",
    "was_to": "60",
    "spent": "805",
    "limit": "1000",
}


def episode(kind: EpisodeKind, level: int = 1, **changed: Any) -> StoredEpisode:
    made = StoredEpisode(
        id="e" * 32,
        watch_id=WATCH.id,
        kind=kind,
        level=level,
        opened_at=NOW - timedelta(hours=2),
        worse_at=NOW - timedelta(hours=2),
        told_at=NOW,
        closed_at=None,
        closed_why=None,
        facts=FACTS,
    )
    return replace(made, **changed)


def screens() -> list[Screen]:
    return [*_forms(), *_alerts(), *_digests()]


def _forms() -> list[Screen]:
    nobody = replace(PAGE, watch=replace(WATCH, state=WatchState.OFF, watcher=None), mine=None, watchers=[])
    member = replace(PAGE, may_set=False, sees_all=False, mine=None)
    quiet = replace(WATCH, quiet=QuietHours(begins=time(22), ends=time(7)))
    stale = replace(WATCH, state=WatchState.STALE, stale_since=NOW)
    return [
        screen("alerts", "`/billing alerts`", alerts_modal(replace(PAGE, watch=quiet))),
        screen("alerts-nobody", "nobody watches yet", alerts_modal(nobody)),
        screen("alerts-member", "by a member", alerts_modal(member)),
        screen(
            "alerts-stale", "no connection reads it", alerts_modal(replace(PAGE, watch=stale), ticked=True)
        ),
        screen("alerts-saved", "saved", saved_alerts_modal(PAGE)),
        screen("stale", "whoever was told", stale_message(stale, ADA.key)),
        screen("stale-over", "the same, once somebody watches", watched_again_message(WATCH)),
    ]


PAST = [
    Part(
        first=date(2026, 10, 27) + timedelta(days=2 * number),
        balance=Decimal(260) - number * Decimal("17.28"),
        used=Decimal("17.28") if number % 3 else Decimal("3.4"),
    )
    for number in range(15)
]


def _digests() -> list[Screen]:
    month = [
        Reading(
            at=NOW - timedelta(hours=hour),
            balance=Decimal(118) + hour * Decimal("0.6"),
            sees_all=True,
            reload=Reload(is_on=True, below=Decimal(20), up_to=Decimal(100)),
            cap_limit=Decimal(1000),
            cap_spent=Decimal(230),
        )
        for hour in range(24 * 9, -1, -1)
        if not 30 < hour < 37
    ]
    added = [
        Added(amount=Decimal(50), requester="U0LINUS", payer=ADA.user),
        Added(amount=Decimal(25), requester=ADA.user, payer=ADA.user),
    ]
    week = digest_of(Look(readings=month, now=NOW, lines=WATCH.lines), "Acme Research", added, [REQUEST])
    quiet = replace(week, added=[], waiting=[])
    return [
        screen("digest", "every Monday, to whoever may charge", _digest(week, may_charge=True, past=PAST)),
        screen("digest-member", "the same, to a member", _digest(week, may_charge=False)),
        screen("digest-quiet", "a week without purchases", _digest(quiet, may_charge=True)),
        screen("past", "**As a table** below a chart", past_message(PAST, "Acme Research")),
        screen("past-none", "the same, with too few readings", past_message([], "Acme Research")),
    ]


def _digest(week: Digest, *, may_charge: bool, past: Sequence[Part] = ()) -> Message:
    return digest_message(week, may_charge=may_charge, watch_id=WATCH.id, past=past)


def _alerts() -> list[Screen]:
    def alert(name: str, when: str, shown: StoredEpisode, **how: Any) -> Screen:
        how = {"may_charge": True, "ask": Decimal(150), **how}
        return screen(f"alert-{name}", when, alert_message(shown, WATCH, **how))

    low = episode(EpisodeKind.LOW)
    worse = episode(EpisodeKind.LOW, 2, worse_at=NOW, facts={**FACTS, "balance": "4.90", "reload_on": True})
    empty = episode(EpisodeKind.LOW, 3, worse_at=NOW, facts={**FACTS, "balance": "-1.33"})
    back = episode(
        EpisodeKind.LOW,
        closed_at=NOW,
        closed_why="back",
        facts={**FACTS, "balance": "118.20", "credit": "100"},
    )
    made = [
        alert("low", "below the line", low),
        alert("low-member", "the same, to a member", low, may_charge=False),
        alert("low-chart", "the same, with thirty days of readings", low, past=PAST),
        alert("low-channel", "the same, in a channel", low, may_charge=False, watcher="Ada Lovelace"),
        alert("low-snoozed", "the same, snoozed", low, is_snoozed=True),
        alert("critical", "below the second line", worse),
        alert("empty", "nothing is left", empty),
        alert("low-over", "back above it", back),
        alert("unused", "low, and no use seen", episode(EpisodeKind.LOW, facts={"unused": True, **_few()})),
        alert(
            "early", "with little history", episode(EpisodeKind.RUNWAY, 2, facts={**FACTS, "early": True})
        ),
    ]
    for kind in EpisodeKind:
        if kind is not EpisodeKind.LOW:
            made.append(alert(kind.value, kind.value.replace("_", " "), episode(kind)))
            over = episode(kind, closed_at=NOW, closed_why="back")
            made.append(alert(f"{kind.value}-over", "the same, over", over))
    made.append(
        alert(
            "known",
            "somebody knows",
            episode(EpisodeKind.RELOAD_CHANGED, closed_at=NOW, closed_why="known"),
        )
    )
    replies = {
        "worse": (worse, 0),
        "empty": (empty, 0),
        "back": (back, 0),
        "still": (low, 2),
        "spike-over": (episode(EpisodeKind.SPIKE, closed_at=NOW, closed_why="back"), 0),
    }
    for name, (shown, still) in replies.items():
        reply = alert_reply(shown, WATCH, still=still)
        assert reply is not None
        made.append(screen(f"alert-{name}-reply", "in its thread", reply))
    return made


def _few() -> dict[str, Any]:
    return {name: FACTS[name] for name in ("at", "balance", "low", "critical", "credit", "hour")}
