"""The messages of alerts: one for each episode and reader, edited in place, with replies in its thread."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any

from blocks import ids
from blocks.chart import chart
from blocks.kit import Block, Json, Message, actions, button, context, menu, message, moment, section
from blocks.words import mention, organization
from bot.domain.episode import EpisodeKind
from bot.domain.money import show
from bot.domain.runway import Lasts, NoUse
from bot.domain.watch import WatchState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bot.domain.past import Part
    from bot.domain.watch import Watch
    from bot.domain.watch_views import Watched
    from bot.storage.episodes import StoredEpisode

WORSE = "worse"
DAY = Decimal(24)
_SNOOZES = (("4", "4 hours"), ("24", "1 day"), (WORSE, "Until it gets worse"))
_KNOWABLE = frozenset(
    {
        EpisodeKind.RELOAD_OFF,
        EpisodeKind.RELOAD_CHANGED,
        EpisodeKind.CARD_CHANGED,
        EpisodeKind.CARD_GONE,
    }
)


class _Facts:
    """The numbers of an episode, as they are written."""

    def __init__(self, facts: Mapping[str, Any], name: str | None, *, sees_all: bool = True) -> None:
        """`sees_all`: the reader may charge, so the portal shows them auto-reload too."""
        self._facts = facts
        self.sees_all = sees_all
        self.name = organization(name)

    def amount(self, key: str) -> Decimal | None:
        """Return an amount; None if it is not known."""
        text = self._facts.get(key)
        return None if text is None else read_amount(text)

    def money(self, key: str) -> str:
        """Write an amount, a negative one as what is owed."""
        amount = self.amount(key)
        if amount is not None and amount < 0:
            return f"{show(-amount)} over"
        return show(amount)

    def is_true(self, key: str) -> bool:
        return bool(self._facts.get(key))

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(float(self._facts.get("at", 0)), UTC)

    @property
    def below_since(self) -> datetime | None:
        """Since when the balance is below auto-reload's line (UTC)."""
        since = self._facts.get("below_since")
        return None if since is None else datetime.fromtimestamp(float(since), UTC)

    def lasts(self) -> str | None:
        """Say how long it lasts; None if that is not known."""
        near, far = self.amount("near"), self.amount("far")
        if near is None or far is None:
            return None
        return span(near, far)

    def reload_line(self) -> str | None:
        """Say how auto-reload stands beside a low balance; None if the reader's watcher does not see it."""
        if "reload_on" not in self._facts or not self.sees_all:
            return None
        if not self.is_true("reload_on"):
            return "Auto-reload is off."
        return (
            "Auto-reload is on."
            if self.is_true("proven")
            else "Auto-reload is on, but hasn't been seen to work."
        )


def read_amount(text: str) -> Decimal:
    """Read an amount that this app has written."""
    return Decimal(text)


def span(near: Decimal, far: Decimal) -> str:
    """Write a range of hours: whole days below to whole days above, below one day in hours."""
    unit, words = (DAY, "day") if far >= DAY else (Decimal(1), "hour")
    low = int((near / unit).to_integral_value(ROUND_FLOOR))
    high = int((far / unit).to_integral_value(ROUND_CEILING))
    if low == 0:
        return f"less than {high} {words}{'' if high == 1 else 's'}"
    plural = "" if high == 1 else "s"
    return f"{high} {words}{plural}" if low == high else f"{low} to {high} {words}s"


def watched_line(watched: Watched) -> str:
    """Say how long the balance lasts and whose connection watches it, for the overview."""
    watch = watched.watch
    if watch.state is WatchState.STALE:
        return ":warning: Nobody watches this balance: no connection can read it now. `/billing alerts`"
    by = f" by {mention(watch.watcher)}" if watch.watcher else ""
    lasts = None if watched.look is None else watched.look.runway
    if isinstance(lasts, Lasts):
        return f"Lasts {span(lasts.near, lasts.far)} · watched{by}"
    return f"No use seen in the last 24 hours · watched{by}" if isinstance(lasts, NoUse) else f"Watched{by}"


def _low(episode: StoredEpisode, facts: _Facts) -> tuple[str, list[str]]:
    line = facts.money("critical" if episode.level > 1 else "low")
    left = f"*{facts.money('balance')} left*" if (facts.amount("balance") or 0) > 0 else "*Nothing is left*"
    if (facts.amount("balance") or 0) < 0:
        left = f"*{facts.money('balance')}*"
    head = f":warning: {left} at {facts.name}" + ("" if episode.level > 2 else f", below {line}")  # noqa: PLR2004
    return head, [_lasts_line(facts), facts.reload_line() or ""]


def _lasts_line(facts: _Facts) -> str:
    lasts = facts.lasts()
    if (facts.amount("balance") or 0) <= 0:
        return ""
    if lasts is None:
        return "No use seen in 24 hours." if facts.is_true("unused") else ""
    if facts.is_true("early"):
        return f"Lasts about {lasts}, an early estimate."
    return f"Lasts {lasts}: today's pace, or like last week."


def _runway(_episode: StoredEpisode, facts: _Facts) -> tuple[str, list[str]]:
    how = "an early estimate" if facts.is_true("early") else "today's pace, or like last week"
    head = f":warning: *{facts.name} lasts {facts.lasts() or 'not long'}*: {how}."
    return head, [f"{facts.money('balance')} left.", facts.reload_line() or ""]


def _spike(_episode: StoredEpisode, facts: _Facts) -> tuple[str, list[str]]:
    hour, balance = facts.amount("hour") or Decimal(1), facts.amount("balance") or Decimal(0)
    hours = max(1, int(balance / hour)) if hour else 1
    plural = "" if hours == 1 else "s"
    head = f":warning: *Spike* at {facts.name}: {show(hour)} used in the last hour; empty in"
    return f"{head} {hours} hour{plural} at this pace.", [f"{facts.money('balance')} left."]


def _reload_off(_episode: StoredEpisode, facts: _Facts) -> tuple[str, list[str]]:
    below = facts.money("was_below") if facts.amount("was_below") is not None else "its line"
    head = f":warning: *Auto-reload of {facts.name} was switched off* on the portal, not from here"
    why = "If payments failed, the portal switches it off."
    return head, [f"Below {below} nothing is bought by itself any more. {why}"]


def _reload_changed(_episode: StoredEpisode, facts: _Facts) -> tuple[str, list[str]]:
    now = f"below {facts.money('below')}, up to {facts.money('to')}"
    was = f"(was {facts.money('was_below')}, {facts.money('was_to')})"
    return f"*Auto-reload of {facts.name} was changed*, not from here: {now} {was}.", []


def _reload_silent(episode: StoredEpisode, facts: _Facts) -> tuple[str, list[str]]:
    since = moment("since", facts.below_since or episode.opened_at)
    return (
        f":warning: *Auto-reload of {facts.name} did nothing*: below {facts.money('below')} {since}.",
        [f"{facts.money('balance')} left."],
    )


def _reload_racing(_episode: StoredEpisode, facts: _Facts) -> tuple[str, list[str]]:
    times = int(facts.amount("racing") or 4)
    about = show((facts.amount("to") or Decimal(0)) * times)
    head = f":warning: *Auto-reload of {facts.name} bought {times} times in an hour*, about {about}."
    return head, [f"{facts.money('balance')} left."]


def _card_gone(_episode: StoredEpisode, facts: _Facts) -> tuple[str, list[str]]:
    return f":warning: *No payment method any more* at {facts.name}.", [
        "Nothing can be bought without one."
    ]


def _card_changed(_episode: StoredEpisode, facts: _Facts) -> tuple[str, list[str]]:
    return f"*The payment method of {facts.name} was changed* on the portal, not from here.", []


def _cap(episode: StoredEpisode, facts: _Facts) -> tuple[str, list[str]]:
    percent = {1: "80 %", 2: "90 %", 3: "100 %"}[episode.level]
    spent, limit = facts.money("spent"), facts.money("limit")
    return f":warning: *{percent} of the monthly limit* at {facts.name}: {spent} of {limit}.", []


_KINDS: dict[EpisodeKind, Callable[[StoredEpisode, _Facts], tuple[str, list[str]]]] = {
    EpisodeKind.LOW: _low,
    EpisodeKind.RUNWAY: _runway,
    EpisodeKind.SPIKE: _spike,
    EpisodeKind.RELOAD_OFF: _reload_off,
    EpisodeKind.RELOAD_CHANGED: _reload_changed,
    EpisodeKind.RELOAD_SILENT: _reload_silent,
    EpisodeKind.RELOAD_RACING: _reload_racing,
    EpisodeKind.CARD_GONE: _card_gone,
    EpisodeKind.CARD_CHANGED: _card_changed,
    EpisodeKind.CAP: _cap,
}


def alert_message(
    episode: StoredEpisode,
    watch: Watch,
    *,
    may_charge: bool,
    ask: Decimal | None,
    is_snoozed: bool = False,
    watcher: str | None = None,
    past: Sequence[Part] = (),
) -> Message:
    """Make the message of an episode for one reader; `ask` is the amount that lasts seven days.

    `watcher` is for a channel, where a mention would call people: whose connection it is (escaped). `past`
    is what the balance was.
    """
    facts = _Facts(episode.facts, watch.organization_name, sees_all=may_charge)
    if episode.closed_at is not None:
        return message(section(_ended(episode, facts)))
    head, lines = _KINDS[episode.kind](episode, facts)
    said = "\n".join(line for line in lines if line)
    return message(
        section(head),
        section(said) if said else None,
        chart(past),
        actions(
            *_buttons(episode, may_charge=may_charge, ask=ask, in_channel=watcher is not None),
            button("As a table", ids.PAST_TABLE, value=watch.id) if past else None,
        ),
        context(_foot(watch, facts, is_snoozed=is_snoozed, watcher=watcher)),
    )


def _buttons(
    episode: StoredEpisode, *, may_charge: bool, ask: Decimal | None, in_channel: bool
) -> list[Json | None]:
    """Return the ways on; a channel has some for each of its readers, and none that is only one's own."""
    helps = episode.kind in {
        EpisodeKind.LOW,
        EpisodeKind.RUNWAY,
        EpisodeKind.SPIKE,
        EpisodeKind.RELOAD_SILENT,
    }
    about_reload = episode.kind in {EpisodeKind.RELOAD_OFF, EpisodeKind.RELOAD_CHANGED}
    wanted = "" if ask is None else f"{ask:f}"
    snoozes = [(f"{episode.id} {value}", words) for value, words in _SNOOZES]
    return [
        button("Add funds", ids.ADD_FUNDS, style="primary")
        if helps and (may_charge or in_channel)
        else None,
        button("Ask for funds", ids.GO_ON, value=f"request {wanted}".strip()) if helps else None,
        button("Auto-reload", ids.AUTO_RELOAD) if about_reload and may_charge else None,
        button("I know", ids.I_KNOW, value=episode.id) if episode.kind in _KNOWABLE else None,
        None if in_channel else menu("Snooze", snoozes, ids.SNOOZE),
    ]


def _foot(watch: Watch, facts: _Facts, *, is_snoozed: bool, watcher: str | None) -> str:
    who = watcher or (mention(watch.watcher) if watch.watcher else None)
    watched = f"watched with {who}'s connection · " if who else ""
    snoozed = " · snoozed for you" if is_snoozed else ""
    return f"{watched}{moment('checked', facts.at)}{snoozed}"


_ENDED = {
    EpisodeKind.LOW: ":white_check_mark: *Back at {balance}* at {name}",
    EpisodeKind.RUNWAY: ":white_check_mark: *Back at {balance}* at {name}",
    EpisodeKind.SPIKE: "*The spike at {name} is over* · {balance} left",
    EpisodeKind.RELOAD_OFF: ":white_check_mark: *Auto-reload of {name} is on again*",
    EpisodeKind.RELOAD_SILENT: ":white_check_mark: *Auto-reload of {name} has bought*, or need not now",
    EpisodeKind.CARD_GONE: ":white_check_mark: *There is a payment method again* at {name}",
    EpisodeKind.CAP: ":white_check_mark: *The monthly limit of {name} has room again*",
}


def _ended(episode: StoredEpisode, facts: _Facts) -> str:
    words = _ENDED.get(episode.kind)
    if words is not None and episode.closed_why == "back":
        return words.format(balance=facts.money("balance"), name=facts.name)
    seen = "Seen" if episode.closed_why == "known" else "Over"
    said = _KINDS[episode.kind](episode, facts)[0].removeprefix(":warning: ").replace("*", "")
    return f"*{seen}:* {said}"


def alert_reply(episode: StoredEpisode, watch: Watch, *, still: int) -> Message | None:
    """Make the reply in an alert's thread: it got worse, it has ended, or it is still so."""
    facts = _Facts(episode.facts, watch.organization_name)
    if episode.closed_at is not None:
        return message(section(_reply_at_end(episode, facts)))
    if still:
        days = "a day" if still == 1 else f"{still} days"
        return message(section(f"Still so after {days}. {facts.money('balance')} left."))
    if episode.worse_at > episode.opened_at:
        return message(section(_reply_worse(episode, facts)))
    return None


def _reply_at_end(episode: StoredEpisode, facts: _Facts) -> str:
    credit = facts.amount("credit")
    added = f": {show(credit)} was added here." if credit else "."
    if episode.kind in {EpisodeKind.LOW, EpisodeKind.RUNWAY} and episode.closed_why == "back":
        return f"*Back at {facts.money('balance')}*{added}"
    return f"{_ended(episode, facts).removeprefix(':white_check_mark: ')}."


def _reply_worse(episode: StoredEpisode, facts: _Facts) -> str:
    if episode.kind is EpisodeKind.LOW:
        if episode.level > 2:  # noqa: PLR2004 - empty
            return f"*Nothing is left:* {facts.money('balance')}."
        return f"*{facts.money('balance')} left.* Below {facts.money('critical')} now."
    return _KINDS[episode.kind](episode, facts)[0].removeprefix(":warning: ")


def stale_message(watch: Watch, who: str | None) -> Message:
    """Tell that nobody watches any more; `who` is the key of whose connection has ended last."""
    name = organization(watch.organization_name)
    since = "" if watch.stale_since is None else moment(" since", watch.stale_since)
    because = f"{mention(who)}'s connection ended." if who else "No connection reads it."
    if watch.failed_since is not None:
        because = "The portal has not answered its questions."
    blocks: list[Block | None] = [
        section(f":warning: *Nobody watches the balance of {name}*{since}: {because} No alert can come."),
        actions(button("Watch it", ids.WATCH_IT, style="primary")),
    ]
    return message(*blocks)


def watched_again_message(watch: Watch) -> Message:
    """Make what a notice becomes once somebody's connection reads the balance again."""
    name = organization(watch.organization_name)
    by = f" with {mention(watch.watcher)}'s connection" if watch.watcher else ""
    return message(section(f":white_check_mark: *The balance of {name} is watched again*{by}"))
