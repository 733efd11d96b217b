"""Identifiers and secrets of a sandbox, repeatable when a seed is given."""

from __future__ import annotations

import hmac
import random
from typing import TYPE_CHECKING

from bot.sandbox.portal.wire import base64url, dump_json

if TYPE_CHECKING:
    from collections.abc import Mapping

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"


class Identifiers:
    """Makes every identifier of one portal.

    They guard nothing but a sandbox, so an ordinary generator will do; with the same seed the
    same calls give the same identifiers.
    """

    def __init__(self, seed: int | None) -> None:
        self._random = random.Random(seed)  # noqa: S311 see above
        self._signing_key = self._random.randbytes(32)

    def opaque(self, prefix: str, length: int = 20) -> str:
        """`prefix` and so many letters and digits."""
        return prefix + "".join(self._random.choices(_SIGNS, k=length))

    def user_code(self) -> str:
        """What a person may have to type, e.g. `BCDF-GHJK`: no vowels, nothing to mix up."""
        letters = "".join(self._random.choices(_LETTERS, k=8))
        return f"{letters[:4]}-{letters[4:]}"

    def signed(self, claims: Mapping[str, object]) -> str:
        """The claims as a JWT, signed with a key that nobody else has."""
        head = base64url(dump_json({"alg": "HS256", "typ": "JWT"}).encode())
        body = base64url(dump_json(dict(claims)).encode())
        signature = hmac.digest(self._signing_key, f"{head}.{body}".encode(), "sha256")
        return f"{head}.{body}.{base64url(signature)}"
