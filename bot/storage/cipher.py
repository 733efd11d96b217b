"""Encryption of stored secrets: Fernet with key rotation, bound to their owner."""

from __future__ import annotations

from typing import Any

import simplejson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class CipherKeyError(ValueError):
    """A configured key is not a Fernet key."""


class SealBrokenError(Exception):
    """A stored value cannot be decrypted: wrong key, wrong owner, or altered."""


def generate_key() -> str:
    """Return a new key for BILLING_BOT_KEYS."""
    return Fernet.generate_key().decode()


class Cipher:
    """Encrypts small JSON objects. The plaintext names its owner, so a copied row is useless for others."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except (ValueError, TypeError):
            raise CipherKeyError("not a Fernet key") from None

    def seal(self, owner: str, secrets: dict[str, Any]) -> bytes:
        """Encrypt with the newest key."""
        return self._fernet.encrypt(simplejson.dumps({"owner": owner, **secrets}).encode())

    def reseal(self, owner: str, sealed: bytes) -> bytes:
        """Decrypt with any key, and encrypt with the newest.

        Raises:
            SealBrokenError: as `open`.
        """
        return self.seal(owner, self.open(owner, sealed))

    def open(self, owner: str, sealed: bytes) -> dict[str, Any]:
        """Decrypt with any key.

        Raises:
            SealBrokenError: encrypted with another key, for another owner, or damaged.
        """
        try:
            secrets: dict[str, Any] = simplejson.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise SealBrokenError("no key opens it") from None
        if secrets.pop("owner", None) != owner:
            raise SealBrokenError("sealed for another owner")
        return secrets
