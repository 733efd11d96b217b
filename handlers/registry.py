"""The subcommands of `/billing` with their listeners. A new subcommand is one row."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from blocks.budget import ARGUMENTS
from blocks.help import DOES
from blocks.request_forms import REVIEW
from handlers.subcommands import (
    alerts,
    auto_reload,
    away,
    buy,
    connect,
    disconnect,
    export,
    history,
    limit,
    lock,
    overview,
    request,
    requests,
    subscription,
    team,
    usage,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from handlers.context import Context

    Handle = Callable[[Context], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subcommand:
    """A row. `handle` answers the typed command; the others are listeners by id.

    `also` are other words for it. `actions` are acknowledged before they run. `submissions` acknowledge
    with the modal's next view. `closings` are called when a modal was closed. `anywhere`: the rule about
    channels does not apply. `of_team`: not known where the operator has switched requests off.
    """

    name: str
    also: tuple[str, ...] = ()
    arguments: str = ""
    handle: Handle
    anywhere: bool = False
    of_team: bool = False
    actions: Mapping[str, Handle] = field(default_factory=dict)
    submissions: Mapping[str, Handle] = field(default_factory=dict)
    closings: Mapping[str, Handle] = field(default_factory=dict)

    @property
    def does(self) -> str:
        """What it does, in the words of the help."""
        return DOES[self.name]

    @property
    def typed(self) -> str:
        """What to type: `/billing buy [AMOUNT]`."""
        return " ".join(part for part in ("/billing", self.name, self.arguments) if part)


SUBCOMMANDS = (
    Subcommand(
        name="",
        also=("balance", "status"),
        handle=overview.handle_overview,
        actions=overview.ACTIONS,
    ),
    Subcommand(
        name="buy",
        also=("topup", "top-up", "add", "pay"),
        arguments="[AMOUNT]",
        handle=buy.handle_buy,
        actions=buy.ACTIONS,
        submissions=buy.SUBMISSIONS,
        closings=buy.CLOSINGS,
    ),
    Subcommand(
        name="request",
        arguments="[AMOUNT] [REASON]",
        handle=request.handle_request,
        actions=request.ACTIONS,
        submissions=request.SUBMISSIONS,
        of_team=True,
    ),
    Subcommand(
        name="requests",
        also=(REVIEW,),
        handle=requests.handle_requests,
        actions=requests.ACTIONS,
        submissions=requests.SUBMISSIONS,
        of_team=True,
    ),
    Subcommand(
        name="team",
        also=("policy",),
        arguments=ARGUMENTS,
        handle=team.handle_team,
        actions=team.ACTIONS,
        submissions=team.SUBMISSIONS,
        of_team=True,
    ),
    Subcommand(
        name="alerts",
        also=("watch",),
        handle=alerts.handle_alerts,
        actions=alerts.ACTIONS,
        submissions=alerts.SUBMISSIONS,
        of_team=True,
    ),
    Subcommand(
        name="away",
        arguments="[UNTIL [@COLLEAGUE] | off]",
        handle=away.handle_away,
        actions=away.ACTIONS,
        of_team=True,
    ),
    Subcommand(
        name="export",
        arguments="[MONTH]",
        handle=export.handle_export,
        of_team=True,
    ),
    Subcommand(
        name="usage",
        handle=usage.handle_usage,
        actions=usage.ACTIONS,
    ),
    Subcommand(
        name="limit",
        handle=limit.handle_limit,
        actions=limit.ACTIONS,
    ),
    Subcommand(
        name="auto-reload",
        arguments="[BELOW TO | off]",
        handle=auto_reload.handle_auto_reload,
        actions=auto_reload.ACTIONS,
        submissions=auto_reload.SUBMISSIONS,
    ),
    Subcommand(
        name="subscription",
        also=("plan", "plans", "upgrade"),
        arguments="[PLAN | cancel]",
        handle=subscription.handle_subscription,
        actions=subscription.ACTIONS,
        submissions=subscription.SUBMISSIONS,
        closings=subscription.CLOSINGS,
    ),
    Subcommand(
        name="history",
        also=("purchases", "receipt", "receipts"),
        handle=history.handle_history,
        actions=history.ACTIONS,
    ),
    Subcommand(
        name="trace",
        arguments="[CHARGE]",
        handle=history.handle_trace,
        actions=history.TRACE_ACTIONS,
    ),
    Subcommand(
        name="connect",
        also=("account",),
        handle=connect.handle_connect,
        actions=connect.ACTIONS,
    ),
    Subcommand(
        name="disconnect",
        handle=disconnect.handle_disconnect,
        actions=disconnect.ACTIONS,
    ),
    Subcommand(
        name="lock",
        arguments="[REASON]",
        handle=lock.handle_lock,
        anywhere=True,
        actions=lock.ACTIONS,
    ),
    Subcommand(
        name="unlock",
        handle=lock.handle_unlock,
        anywhere=True,
    ),
)

HELP = "help"


@cache
def usage_rows(*, team: bool = True) -> tuple[tuple[str, str], ...]:
    """Return (what to type, what it does) for every row, help last; without `team`, not those of it."""
    rows = [(row.typed, row.does) for row in SUBCOMMANDS if team or not row.of_team]
    return (*rows, (f"/billing {HELP}", DOES[HELP]))


def usage_hint() -> str:
    """Return the hint that Slack shows after `/billing` while a person types."""
    return f"[{' | '.join(row.name for row in SUBCOMMANDS if row.name)} | {HELP}]"
