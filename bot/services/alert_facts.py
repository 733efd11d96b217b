"""The numbers that an alert shows, as they were when it was judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.domain.runway import HOUR, Lasts, NoUse, last_hour

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from bot.domain.episode import EpisodeKind, Look


def facts_of(look: Look, kind: EpisodeKind) -> Mapping[str, Any]:
    """Return what a message needs to know; amounts and hours as text, moments as seconds since 1970."""
    newest, whole = look.newest, look.whole
    latest = whole[-1] if whole else None
    earlier = whole[-2] if len(whole) > 1 else None
    facts: dict[str, Any] = {
        "at": newest.at.timestamp(),
        "kind": kind.value,
        "balance": _text(newest.balance),
        "low": _text(look.lines.low_at(newest)),
        "critical": _text(look.lines.critical_at(newest)),
        "credit": _text(newest.credit),
        "hour": _text(last_hour(look.hours)),
        "racing": sum(each > look.now - HOUR for each in look.reloads),
    }
    lasts = look.runway
    if isinstance(lasts, Lasts):
        facts |= {"near": _text(lasts.near), "far": _text(lasts.far), "early": lasts.is_early}
    elif isinstance(lasts, NoUse):
        facts["unused"] = True
    if latest is not None:
        setting = latest.reload
        facts |= {
            "reload_on": latest.is_reload_on,
            "proven": look.is_reload_proven,
            "below": _text(None if setting is None else setting.below),
            "to": _text(None if setting is None else setting.up_to),
            "spent": _text(latest.cap_spent),
            "limit": _text(latest.cap_limit),
            "method": latest.method,
            "below_since": _below_since(look),
        }
    if earlier is not None and earlier.reload is not None:
        facts |= {"was_below": _text(earlier.reload.below), "was_to": _text(earlier.reload.up_to)}
    return facts


def _below_since(look: Look) -> float | None:
    """Return since when the balance is below auto-reload's line; None if it is not."""
    setting = look.whole[-1].reload
    since = None
    for each in reversed(look.readings):
        if setting is None or setting.below is None or each.balance >= setting.below:
            break
        since = each.at.timestamp()
    return since


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")
