"""Reads the settings from the environment. A fault is one readable line; secrets are never printed."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from bot.settings import ManifestSettings, Settings

T = TypeVar("T", bound=BaseSettings)

_PLAIN = {
    "decimal_parsing": "not an amount; dollars as 50 or 49.99",
    "decimal_type": "not an amount; dollars as 50 or 49.99",
    "bool_parsing": "neither true nor false",
}


class SettingsError(Exception):
    """The settings are invalid; `faults` are whole lines for the operator."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        SettingsError: one line per fault, without the values.
    """
    return _load(Settings)


def load_manifest_settings() -> ManifestSettings:
    """Read the settings that the manifest depends on.

    Raises:
        SettingsError: as `load_settings`.
    """
    return _load(ManifestSettings)


def _load(kind: type[T]) -> T:
    try:
        return kind()
    except ValidationError as error:
        raise SettingsError(
            [_line(each["loc"], each["type"], each["msg"]) for each in error.errors()]
        ) from None


def _line(location: tuple[int | str, ...], kind: str, words: str) -> str:
    if not location:
        return words.removeprefix("Value error, ")
    name = str(location[0])
    described = Settings.model_fields[name].description
    if kind == "missing":
        return f"{name.upper()}: missing; {described}"
    return f"{name.upper()}: {_PLAIN.get(kind) or words.removeprefix('Value error, ')}"
