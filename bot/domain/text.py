"""Cleans text from the portal and from people when it is read, so that it can be stored and shown."""

from __future__ import annotations

import unicodedata

WORD = 80
"""Codes such as `subscription_payment_intent_requires_action`, and a card's brand and digits."""

NAME = 100
"""Names of organizations, plans and brands, in characters."""

SENTENCE = 500
"""Messages from the portal to a person."""

EMAIL = 320
"""RFC 5321, 4.5.3.1: 64 before the @, and 255 after it."""

IDENTIFIER = 255
"""Ids of an account, an organization or a plan, in bytes. In a link, each byte may become three."""

CHARGE_ID = 2000
"""A charge's id. The limit is wide, because a charge whose id is lost cannot be followed."""

LINK = 2000
"""A link for a button; Slack accepts 3,000."""


TYPED = 4000
"""What a person types after a command or into a field."""

_JOINER = "\u200d"


def clean(text: str, most: int) -> str | None:
    """Return text of at most `most` characters on one line; None if nothing remains.

    Control, direction and zero-width characters are removed, but not the joiner within an emoji. Runs of
    Unicode white space become one space. Half of a surrogate pair becomes U+FFFD. Text that is too long
    ends in an ellipsis.
    """
    if text.isascii() and text.isprintable():
        return shortened(" ".join(text.split()), most) or None  # nothing to remove, and most texts are so
    paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    visible = "".join(
        sign
        for before, sign, after in zip(f" {paired}", paired, f"{paired[1:]} ", strict=False)
        if sign.isspace() or not _is_hidden(sign) or _joins(before, sign, after)
    )
    line = " ".join(visible.split())
    return shortened(line, most) or None


def shortened(line: str, most: int) -> str:
    """Return a line of at most `most` characters; a longer one is cut and ends in an ellipsis."""
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def whole(text: str, most: int) -> str | None:
    """Return an id without white space around it, otherwise unchanged.

    None if it is empty, above `most` bytes, or cannot be stored and sent.

    An id is never shortened, because a shortened id names something else.
    """
    bare = text.strip()
    if any(_is_control(sign) or _is_half(sign) for sign in bare):
        return None
    return bare if 0 < len(bare.encode()) <= most else None


def _is_hidden(sign: str) -> bool:
    """Tell whether a character has no width: it could change or hide the order of what stands beside it."""
    return unicodedata.category(sign) in {"Cc", "Cf"}


def _joins(before: str, sign: str, after: str) -> bool:
    """Tell whether a character joins two signs of one emoji."""
    is_emoji = unicodedata.category(before) in {"So", "Sk", "Mn"} and unicodedata.category(after) == "So"
    return sign == _JOINER and is_emoji


def _is_control(sign: str) -> bool:
    return unicodedata.category(sign) == "Cc"


def _is_half(sign: str) -> bool:
    return unicodedata.category(sign) == "Cs"
