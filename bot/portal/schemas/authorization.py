"""The OAuth routes (docs/portal.md, section 3)."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from bot.domain.text import (
    LINK,
    SENTENCE,
)
from bot.portal.schemas.fields import Secret, SnakeWire, line, read_seconds, whole_id


class DeviceCodeWire(SnakeWire):
    """`POST /api/oauth/device/code`; all six fields are required, which is stricter than RFC 8628, 3.2."""

    device_code: Secret
    user_code: Annotated[str, whole_id(40)]
    verification_uri: Annotated[str, whole_id(LINK)]
    verification_uri_complete: Annotated[str, whole_id(LINK)]
    expires_in: Annotated[int, BeforeValidator(read_seconds)]
    interval: Annotated[int, BeforeValidator(read_seconds)]


class TokenWire(SnakeWire):
    """A 200 of `POST /api/oauth/token` (RFC 6749, 5.1)."""

    access_token: Secret
    refresh_token: Annotated[str | None, whole_id(16_000)] = None
    expires_in: Annotated[int | None, BeforeValidator(read_seconds)] = None
    scope: Annotated[str | None, line(SENTENCE)] = None
