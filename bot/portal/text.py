"""Foreign text, made fit for what stores and shows it: once, where it comes in."""

from __future__ import annotations

import unicodedata

WORD = 80
"""Words of the wire, e.g. `subscription_payment_intent_requires_action`, and a card's brand and digits."""

NAME = 100
"""Names of organizations, plans and brands, in characters."""

SENTENCE = 500
"""The portal's own words to a person."""

EMAIL = 320
"""RFC 5321, 4.5.3.1: 64 before the @, 255 behind it."""

IDENTIFIER = 255
"""Ids that name an account, an organization or a plan, in bytes: quoted in a link each may become three."""

CHARGE_ID = 2000
"""A charge's id: whatever a path of the portal may hold, since without it the money cannot be followed."""

LINK = 2000
"""A link that a button may open; Slack takes 3,000."""


_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that could show a name and the amount beside it in another order."""


def clean(text: str, most: int) -> str | None:
    """Return text of at most `most` characters on one line, None when nothing is left.

    Control characters, NUL and marks that turn the direction of text go, runs of white space become one
    space, and a half of a surrogate pair becomes U+FFFD. What is too long ends in an ellipsis.
    """
    paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    visible = "".join(sign for sign in paired if sign.isspace() or not _is_hidden(sign))
    line = " ".join(visible.split())
    return shortened(line, most) or None


def shortened(line: str, most: int) -> str:
    """Return a line of at most `most` characters; what is too long ends in an ellipsis."""
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def whole(text: str, most: int) -> str | None:
    """Return an id as it stands, None when it is empty, above `most` bytes, or cannot be stored and sent.

    An id is never shortened: another one would be meant.
    """
    bare = text.strip()
    if any(_is_control(sign) or _is_half(sign) for sign in bare):
        return None
    return bare if 0 < len(bare.encode()) <= most else None


def _is_hidden(sign: str) -> bool:
    return _is_control(sign) or sign in _TURNS


def _is_control(sign: str) -> bool:
    return unicodedata.category(sign) == "Cc"


def _is_half(sign: str) -> bool:
    return unicodedata.category(sign) == "Cs"
