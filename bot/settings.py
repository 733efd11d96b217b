"""The operator's settings, as `bot.environment` reads them."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_network
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.domain.pace import Pace
from bot.domain.rules import Rules
from bot.storage.cipher import Cipher, CipherKeyError
from bot.storage.database import async_url

_PERSON = re.compile(r"(?:[TE][A-Z0-9]+:)?[UW][A-Z0-9]+")
_CHANNEL = re.compile(r"[CGD][A-Z0-9]+")
_NO_SPACE = re.compile(r"[!-~]+")
_CLIENT = re.compile(r"[0-9.]+")
_QUOTES = "\"'`"


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    named = tuple(each.strip() for each in value.split(",") if each.strip())
    if not named:
        raise ValueError("names nobody; leave it out to allow everybody, or name somebody")
    return named


_Ids = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """The operator's settings, from the environment or a `.env` file."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    # The order matters: a validator sees only the fields before its own.
    slack_client_id: str | None = Field(
        None, description="with the next, in place of a bot token: many workspaces, by `/slack/install`"
    )
    slack_client_secret: SecretStr | None = Field(
        None, description="proves to Slack that it is this app", validate_default=True
    )
    slack_bot_token: SecretStr | None = Field(
        None, description="the bot token of one workspace, xoxb-…", validate_default=True
    )
    slack_app_token: SecretStr | None = Field(
        None, description="the app-level token for `serve --socket-mode`, xapp-…"
    )
    slack_signing_secret: SecretStr | None = Field(
        None,
        description="proves that requests come from Slack; needed except with `--socket-mode`",
        validate_default=True,
    )
    slack_api_url: str = Field("https://slack.com/api/", description="Slack's Web API")
    hermes_portal_base_url: str | None = Field(None, description="the portal; wins over the next")
    nous_portal_base_url: str | None = Field(None, description="the portal")
    portal_client_id: str = Field("hermes-cli", description="the OAuth client id at the portal")
    database_url: str = Field(
        "sqlite:///billing-bot.db", description="`sqlite:///file` or `postgresql://…`"
    )
    billing_bot_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        description="encryption keys, newest first, comma-separated (`billing-bot generate-key`)"
    )
    host: str = Field("127.0.0.1", description="where HTTP listens")
    port: int = Field(3000, ge=0, le=65535, description="where HTTP listens")
    public_url: str | None = Field(
        None, description="where Slack can fetch pictures from the app: its address, https"
    )
    trusted_proxies: _Ids = Field(
        (), description="whose `X-Forwarded-For` is believed: addresses or networks, comma-separated"
    )
    poll_interval_seconds: float = Field(2, gt=0, le=60, description="how often a charge is asked about")
    poll_cap_seconds: float = Field(300, gt=0, le=3600, description="when a charge counts as timed out")
    read_only: bool = Field(default=False, description="look, but change and spend nothing")
    max_charge: Decimal | None = Field(
        None, gt=0, decimal_places=2, description="the highest single charge, in dollars"
    )
    max_charge_per_day: Decimal | None = Field(
        None, gt=0, decimal_places=2, description="what one person may charge in 24 hours, in dollars"
    )
    allowed_users: _Ids = Field(
        (), description="who may use it: Slack ids, comma-separated, alone or as `T0ACME:U0ADA`"
    )
    allowed_channels: _Ids = Field(
        (), description="where `/billing` may be typed: channel ids, comma-separated"
    )
    lock_users: _Ids = Field((), description="who may lock and unlock all spending: as `ALLOWED_USERS`")
    announce_channel: str | None = Field(
        None, description="where a lock and its end are announced: a channel id; the app must be in it"
    )
    allowed_organizations: _Ids = Field(
        (), description="which portal organizations may be connected: their ids, comma-separated"
    )
    one_person_per_account: bool = Field(
        default=False, description="refuse a portal account to a second Slack person"
    )
    match_email: bool = Field(
        default=False,
        description="refuse a portal account with another e-mail address than the Slack profile's",
    )
    team_spending: bool = Field(
        default=True,
        description="let people ask for funds, and others pay them; `off` withdraws what is open",
    )
    policy_users: _Ids = Field((), description="who of the portal's admins may set a team's policy")
    request_life_hours: int = Field(72, ge=1, le=336, description="how many hours a request is open")
    request_guests: bool = Field(default=False, description="let guests ask for funds; they never decide")
    watch_min_minutes: Decimal = Field(
        Decimal(3), gt=0, description="how often a watched balance is read at most, in minutes"
    )
    watch_max_minutes: Decimal = Field(
        Decimal(60), gt=0, description="how often it is read at least, in minutes"
    )
    watch_rate: Decimal = Field(
        Decimal(5), gt=0, description="how many balances a process reads in a second at most"
    )
    readings_days: int = Field(35, ge=1, description="how many days readings of balances are kept")
    purge_after_days: int | None = Field(
        None,
        ge=30,
        le=36_500,
        description="after how many days the ledger forgets whose an ended charge was",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="how much is logged"
    )
    log_format: Literal["json", "console"] = Field("json", description="`json` or `console`")

    @property
    def bot_token(self) -> str | None:
        """The bot token of the one workspace; None if workspaces install by OAuth."""
        return self.slack_bot_token.get_secret_value() if self.slack_bot_token else None

    @property
    def portal_base_url(self) -> str | None:
        """The portal's base URL; None for the default."""
        return self.hermes_portal_base_url or self.nous_portal_base_url

    @field_validator("*", mode="before")
    @classmethod
    def _strip(cls, value: object) -> object:
        """Take off what `echo` and editors leave at the end."""
        return value.strip() if isinstance(value, str) else value

    @field_validator("billing_bot_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(key.strip() for key in value.split(",") if key.strip())
        return value

    @field_validator("billing_bot_keys")
    @classmethod
    def _check_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not keys:
            raise ValueError("no key given; `billing-bot generate-key` makes one")
        for key in keys:
            _whole(key)
        try:
            Cipher(tuple(key.get_secret_value() for key in keys))
        except CipherKeyError:
            raise ValueError("not an encryption key; `billing-bot generate-key` makes one") from None
        return keys

    @field_validator("allowed_users", "lock_users", "policy_users")
    @classmethod
    def _check_people(cls, people: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not all(_PERSON.fullmatch(each) for each in people):
            raise ValueError("not Slack ids; a person's is in their profile, under ⋮ (U0ADA)")
        if info.data.get("slack_client_id") and not all(":" in each for each in people):
            raise ValueError("with many workspaces, name each person's too: T0ACME:U0ADA")
        return people

    @field_validator("allowed_channels")
    @classmethod
    def _check_channels(cls, channels: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_CHANNEL.fullmatch(each) for each in channels):
            raise ValueError("not channel ids; a channel's is at the foot of its details (C0BILLING)")
        return channels

    @field_validator("announce_channel")
    @classmethod
    def _check_channel(cls, channel: str | None) -> str | None:
        if channel is not None and not _CHANNEL.fullmatch(channel):
            raise ValueError("not a channel id; it is at the foot of the channel's details (C0BILLING)")
        return channel

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(str(ip_network(each, strict=False)) for each in proxies)
        except ValueError:
            raise ValueError("neither addresses nor networks; as 10.0.0.5 or 10.0.0.0/8") from None

    @field_validator("slack_client_id")
    @classmethod
    def _check_client_id(cls, client_id: str | None) -> str | None:
        if client_id is not None and not _CLIENT.fullmatch(client_id):
            raise ValueError("not a client id; two numbers with a point between (Basic Information)")
        return client_id

    @field_validator("portal_client_id", "host")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not _NO_SPACE.fullmatch(name):
            raise ValueError("one word, without spaces or signs beyond ASCII")
        return name

    @field_validator("allowed_organizations")
    @classmethod
    def _check_organizations(cls, organizations: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_NO_SPACE.fullmatch(each) for each in organizations):
            raise ValueError("not the portal's ids (org_…); names do not do")
        return organizations

    @field_validator("slack_client_secret", "slack_bot_token", "slack_app_token", "slack_signing_secret")
    @classmethod
    def _check_whole(cls, secret: SecretStr | None) -> SecretStr | None:
        return None if secret is None else _whole(secret)

    @field_validator("slack_client_secret")
    @classmethod
    def _check_client(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (secret is None) is not (info.data.get("slack_client_id") is None):
            raise ValueError("goes together with SLACK_CLIENT_ID; both or neither")
        return secret

    @field_validator("slack_bot_token")
    @classmethod
    def _check_token(cls, token: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        many = info.data.get("slack_client_id") is not None
        if token is None and not many:
            raise ValueError(
                "missing; the bot token of one workspace, xoxb-… "
                "(or SLACK_CLIENT_ID and SLACK_CLIENT_SECRET for many workspaces)"
            )
        if token is not None and many:
            raise ValueError("never together with SLACK_CLIENT_ID: one workspace, or many by OAuth")
        if token is not None and not token.get_secret_value().startswith("xoxb-"):
            raise ValueError(
                "not a bot token; it starts with xoxb- (OAuth & Permissions in the app's settings)"
            )
        return token

    @field_validator("slack_app_token")
    @classmethod
    def _check_app_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not token.get_secret_value().startswith("xapp-"):
            raise ValueError(
                "not an app-level token; it starts with xapp- (Basic Information in the app's settings)"
            )
        return token

    @field_validator("slack_signing_secret")
    @classmethod
    def _check_secret(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if secret is None and info.data.get("slack_app_token") is None:
            raise ValueError(
                "missing; it proves that requests come from Slack (Basic Information). "
                "With --socket-mode it is SLACK_APP_TOKEN that is needed"
            )
        if secret is not None and not secret.get_secret_value().strip():
            raise ValueError("empty; copy it from Basic Information in the app's settings")
        return secret

    @field_validator("slack_api_url", "hermes_portal_base_url", "nous_portal_base_url", "public_url")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        if url is not None and not _is_web_address(url):
            raise ValueError("not a web address; it starts with https://, and has no spaces or parameters")
        return url

    @field_validator("slack_api_url")
    @classmethod
    def _end_with_slash(cls, url: str) -> str:
        return url if url.endswith("/") else f"{url}/"

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, url: str) -> str:
        async_url(url)
        return url

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _any_case(cls, value: object, info: object) -> object:
        if not isinstance(value, str):
            return value
        return value.upper() if getattr(info, "field_name", "") == "log_level" else value.lower()

    @model_validator(mode="after")
    def _cap_above_interval(self) -> Settings:
        if self.poll_cap_seconds < self.poll_interval_seconds:
            raise ValueError("POLL_CAP_SECONDS: must not be below POLL_INTERVAL_SECONDS")
        return self

    @model_validator(mode="after")
    def _max_above_min(self) -> Settings:
        if self.watch_max_minutes < self.watch_min_minutes:
            raise ValueError("WATCH_MAX_MINUTES: must not be below WATCH_MIN_MINUTES")
        return self

    def pace(self) -> Pace:
        """Return how often balances are read."""
        least, most = (
            timedelta(minutes=float(each)) for each in (self.watch_min_minutes, self.watch_max_minutes)
        )
        return Pace(least=least, most=most)

    def rules(self) -> Rules:
        """Return the operator's rules."""
        return Rules(
            read_only=self.read_only,
            max_charge=self.max_charge,
            max_daily=self.max_charge_per_day,
            users=self.allowed_users,
            channels=self.allowed_channels,
            lockers=self.lock_users,
            policy_users=self.policy_users,
            organizations=self.allowed_organizations,
            one_person_per_account=self.one_person_per_account,
            match_email=self.match_email,
            requests_off=not self.team_spending,
        )

    def keys(self) -> tuple[str, ...]:
        """Return the encryption keys, newest first."""
        return tuple(key.get_secret_value() for key in self.billing_bot_keys)


class ManifestSettings(BaseSettings):
    """The settings that the manifest depends on; it is needed before there are any others."""

    model_config = Settings.model_config

    match_email: bool = False


def _whole(secret: SecretStr) -> SecretStr:
    """Return a secret that is copied as it is; base64 would ignore what does not belong to a key."""
    value = secret.get_secret_value()
    if value and (not _NO_SPACE.fullmatch(value) or set(value) & set(_QUOTES)):
        raise ValueError("has quotes, a space or a line break in it; copy it again without them")
    return secret


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = _NO_SPACE.fullmatch(url) and not parts.query and not parts.fragment and port != 0
    return bool(plain and parts.hostname and parts.scheme in {"https", "http"})
