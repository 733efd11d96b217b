"""Secrets at rest: Fernet with key rotation, bound to their owner."""

from __future__ import annotations

from typing import Any

import simplejson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class CipherKeyError(ValueError):
    """A configured key is not a Fernet key."""


class SealBrokenError(Exception):
    """A sealed value cannot be opened: another key, another owner, or altered."""


def generate_key() -> str:
    """Return a new key for BILLING_BOT_KEYS."""
    return Fernet.generate_key().decode()


class Cipher:
    """Seals small JSON objects. The plaintext names its owner: a copied row does not open as another's."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except (ValueError, TypeError):
            raise CipherKeyError("not a Fernet key") from None

    def seal(self, owner: str, secrets: dict[str, Any]) -> bytes:
        """Encrypt with the newest key."""
        return self._fernet.encrypt(simplejson.dumps({"owner": owner, **secrets}).encode())

    def reseal(self, owner: str, sealed: bytes) -> bytes:
        """Encrypt with the newest key what any key opens.

        Raises:
            SealBrokenError: as `open`.
        """
        return self.seal(owner, self.open(owner, sealed))

    def open(self, owner: str, sealed: bytes) -> dict[str, Any]:
        """Decrypt with any key.

        Raises:
            SealBrokenError: not ours, not this owner's, or damaged.
        """
        try:
            secrets: dict[str, Any] = simplejson.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise SealBrokenError("no key opens it") from None
        if secrets.pop("owner", None) != owner:
            raise SealBrokenError("sealed for another owner")
        return secrets
