"""Identifiers and secrets of a sandbox. A seed makes them reproducible."""

from __future__ import annotations

import hmac
import random
from typing import TYPE_CHECKING

from bot.sandbox.portal.wire import base64url, dump_json

if TYPE_CHECKING:
    from collections.abc import Mapping

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_CHARACTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class Identifiers:
    """Create the identifiers of one portal.

    The same seed and the same calls give the same identifiers. The generator is not cryptographic,
    because the identifiers protect only a sandbox.
    """

    def __init__(self, seed: int | None) -> None:
        self._random = random.Random(seed)  # noqa: S311 see above
        self._signing_key = self._random.randbytes(32)

    def opaque(self, prefix: str, length: int = 20) -> str:
        """Return `prefix`, followed by `length` random letters and digits."""
        return prefix + "".join(self._random.choices(_CHARACTERS, k=length))

    def user_code(self) -> str:
        """Return a code that a person can type, e.g. `BCDF-GHJK`. It has no vowels and no digits."""
        letters = "".join(self._random.choices(_LETTERS, k=8))
        return f"{letters[:4]}-{letters[4:]}"

    def signed(self, claims: Mapping[str, object]) -> str:
        """Return the claims as a JWT, signed with a key of this object."""
        head = base64url(dump_json({"alg": "HS256", "typ": "JWT"}).encode())
        body = base64url(dump_json(dict(claims)).encode())
        signature = hmac.digest(self._signing_key, f"{head}.{body}".encode(), "sha256")
        return f"{head}.{body}.{base64url(signature)}"
