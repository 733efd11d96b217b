"""Encryption of stored secrets (Fernet), and signatures of what was agreed (HMAC-SHA-256); keys rotate."""

from __future__ import annotations

import hmac
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
    """Encrypts small JSON objects, and signs facts; without a key, a changed fact has no right signature.

    The plaintext names its owner, so a copied row is useless for others.
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except (ValueError, TypeError):
            raise CipherKeyError("not a Fernet key") from None
        # Keys of their own for each use, so that neither use says anything about the other.
        self._signing = [hmac.digest(key.encode(), b"billing-bot signature", "sha256") for key in keys]

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

    def sign(self, *facts: str) -> str:
        """Return the signature of these facts (64 hexadecimal digits), made with the newest key."""
        return _signature(self._signing[0], facts)

    def is_signed(self, signature: str | None, *facts: str) -> bool:
        """Tell whether it is the signature of exactly these facts, made with any of the keys."""
        given = signature or ""
        return any(hmac.compare_digest(_signature(key, facts), given) for key in self._signing)

    @property
    def channel(self) -> str:
        """A name for announcements that only processes with the same newest key can guess.

        While keys are being changed, processes may use different ones; they then find work within seconds.
        """
        return f"billing_bot_{_signature(self._signing[0], ('channel',))[:24]}"


def _signature(key: bytes, facts: tuple[str, ...]) -> str:
    # Each fact with its length, so that no two lists of facts are the same text.
    text = "".join(f"{len(fact)}:{fact}" for fact in facts)
    return hmac.digest(key, text.encode(), "sha256").hex()
