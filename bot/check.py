"""Checks the settings against the real servers, and says how to fix what is wrong. Changes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import aiohttp
from sqlalchemy.exc import DBAPIError

from bot.availability import Availability
from bot.domain.errors import GrantRefusedError, PortalUnavailableError, StoreUnavailableError
from bot.domain.identity import BILLING_SCOPE
from bot.domain.money import show
from bot.metrics import Metrics
from bot.portal.hosts import HostRules
from bot.portal.oauth import FIRST_SCOPES, OAuthClient
from bot.portal.transport import Transport
from bot.slack.client import SlackClient
from bot.slack.errors import RateLimitedError, SlackRefusedError, SlackUnavailableError
from bot.slack.pictures import Pictures
from bot.storage.audit import AuditStore
from bot.storage.cipher import Cipher
from bot.storage.database import Database
from bot.storage.postgresql import ISOLATION
from bot.storage.rotation import count_broken
from bot.storage.schema import is_current
from bot.system_clock import SystemClock
from bot.timing import SLACK_TIMEOUT_SECONDS
from handlers.manifest import TEAM_SCOPES, bot_scopes

if TYPE_CHECKING:
    from pathlib import Path

    from bot.domain.rules import Rules
    from bot.settings import Settings

_AUDIT_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})", re.ASCII)
_SIGNING_SECRET = re.compile(r"[0-9a-f]{32}")
CLOCK_TOLERANCE = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """The result of one check, in a line; a failed one says how to fix it."""

    good: bool
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditHead:
    """A place in the audit log that was noted before: `7:3a5dba03…`, the number and its digest."""

    number: int
    digest: str

    @classmethod
    def read(cls, typed: str) -> AuditHead:
        """Read it.

        Raises:
            ValueError: it is not written so.
        """
        found = _AUDIT_HEAD.fullmatch(typed)
        if found is None:
            raise ValueError(typed)
        return cls(number=int(found[1]), digest=found[2])


async def check(settings: Settings, audit_head: AuditHead | None = None) -> list[Finding]:
    """Check Slack, the portal and the database; with `audit_head`, that the audit log still has it."""
    return [
        _good(f"Rules: {_rules(settings.rules())}"),
        _good(f"Connections: {_connections(settings.rules())}"),
        *_check_signing_secret(settings),
        *await _check_slack(settings),
        await _check_portal(settings),
        *await _check_database(settings, audit_head),
    ]


def _check_signing_secret(settings: Settings) -> list[Finding]:
    """Look at its shape: only a request from Slack could prove that it is the right one."""
    secret = settings.slack_signing_secret
    if secret is None or _SIGNING_SECRET.fullmatch(secret.get_secret_value()):
        return []
    words = "it is not 32 hexadecimal digits, as Slack's are; copy it from Basic Information"
    return [_wrong(f"SLACK_SIGNING_SECRET: {words}")]


async def _check_slack(settings: Settings) -> list[Finding]:
    async with aiohttp.ClientSession() as http:
        slack = SlackClient(
            token=settings.bot_token,
            base_url=settings.slack_api_url,
            session=http,
            timeout=SLACK_TIMEOUT_SECONDS,
            metrics=Metrics(),
            availability=Availability("slack", SystemClock()),
            pictures=Pictures(None),
        )
        try:
            found = await (
                _check_token(slack, settings) if settings.bot_token else _check_client(slack, settings)
            )
            if settings.slack_app_token is not None:
                found.append(await _check_app_token(slack, settings.slack_app_token.get_secret_value()))
        except (SlackUnavailableError, RateLimitedError) as error:
            return [_wrong(f"SLACK_API_URL: Slack cannot be reached ({error.code})")]
    return found


async def _check_token(slack: SlackClient, settings: Settings) -> list[Finding]:
    try:
        answer = await slack.auth_test()
    except SlackRefusedError as error:
        words = (
            f"SLACK_BOT_TOKEN: Slack does not accept it ({error.code}); copy it from OAuth & Permissions"
        )
        return [_wrong(words)]
    found = [_good(f"Slack: {answer.get('team')} ({answer.get('team_id')}), as {answer.get('user')}")]
    headers = {name.lower(): value for name, value in answer.headers.items()}
    granted = {scope.strip() for scope in str(headers.get("x-oauth-scopes") or "").split(",")}
    if "x-oauth-scopes" not in headers:
        words = "the answer names no scopes (a proxy may have taken the header), so they are unknown"
        return [*found, _good(f"Slack: {words}")]
    lacking = [scope for scope in bot_scopes(match_email=settings.match_email) if scope not in granted]
    missing = [scope for scope in lacking if scope not in TEAM_SCOPES]
    found += [
        _good(f"Slack: without {scope} there is no {TEAM_SCOPES[scope]}; all else works")
        for scope in lacking
        if scope in TEAM_SCOPES
    ]
    if missing:
        words = (
            f"the app lacks {', '.join(missing)}; add them under OAuth & Permissions and install it again"
        )
        found.append(_wrong(f"Slack: {words}"))
    return found


async def _check_client(slack: SlackClient, settings: Settings) -> list[Finding]:
    """Send Slack an invalid code: it checks the client's id and secret before the code."""
    secret = settings.slack_client_secret.get_secret_value() if settings.slack_client_secret else ""
    try:
        await slack.oauth_v2_access(
            client_id=settings.slack_client_id or "", client_secret=secret, code="none"
        )
    except SlackRefusedError as error:
        if error.code == "invalid_client_id":
            return [_wrong("SLACK_CLIENT_ID: Slack does not know it; copy it from Basic Information")]
        if error.code == "bad_client_secret":
            return [_wrong("SLACK_CLIENT_SECRET: Slack does not accept it; copy it from Basic Information")]
    return [_good("Slack: the client's id and secret are good; workspaces install at /slack/install")]


async def _check_app_token(slack: SlackClient, token: str) -> Finding:
    try:
        await slack.apps_connections_open(app_token=token)
    except SlackRefusedError as error:
        words = (
            f"Slack does not accept it ({error.code}); make one with connections:write in Basic Information"
        )
        return _wrong(f"SLACK_APP_TOKEN: {words}")
    return _good("Slack: Socket Mode can be opened")


async def _check_portal(settings: Settings) -> Finding:
    clock = SystemClock()
    transport = Transport(clock, Metrics(), Availability("portal", clock))
    hosts = HostRules(environment_base_url=settings.portal_base_url)
    oauth = OAuthClient(transport, hosts, clock, client_id=settings.portal_client_id)
    try:
        # This is how every person connects. The code is not shown and expires unused.
        await oauth.request_device_code(" ".join([*FIRST_SCOPES, BILLING_SCOPE]))
    except GrantRefusedError as error:
        words = f"{oauth.base} grants {settings.portal_client_id} no login ({error}); see PORTAL_CLIENT_ID"
        return _wrong(f"Portal: {words}")
    except PortalUnavailableError as error:
        words = (
            f"{oauth.base} gives no usable answer ({error}); see HERMES_PORTAL_BASE_URL, PORTAL_CLIENT_ID"
        )
        return _wrong(f"Portal: {words}")
    finally:
        await transport.aclose()
    return _good(f"Portal: {oauth.base} takes connections as {settings.portal_client_id}")


async def _check_database(settings: Settings, audit_head: AuditHead | None) -> list[Finding]:
    database = Database(settings.database_url, SystemClock())
    folder = database.backend.folder
    try:
        if folder is not None and not database.backend.exists():
            absent = _wrong("Audit log: there is no database that could have the entry")
            return [_check_folder(folder), *([] if audit_head is None else [absent])]
        found = await _look_into(database, Cipher(settings.keys()))
        if audit_head is not None:
            found.append(await _check_audit(AuditStore(database), audit_head))
    except OSError as error:
        return [_unwritable(folder, error)]
    except StoreUnavailableError as error:
        return [_wrong(f"DATABASE_URL: the database cannot be used ({error})")]
    except DBAPIError as error:
        words = f"the database answers otherwise than PostgreSQL alone does ({type(error).__name__})"
        return [_wrong(f"DATABASE_URL: {words}; a pooler must be in session mode")]
    else:
        return found
    finally:
        await database.aclose()


async def _check_audit(audit: AuditStore, head: AuditHead) -> Finding:
    digest, last = await audit.digest_at(head.number)
    if digest is None:
        words = f"it ends at entry {last}, before {head.number}; is this a copy from before that?"
        return _wrong(f"Audit log: {words}")
    if digest != head.digest:
        return _wrong(f"Audit log: entry {head.number} is not the one that was noted; who could change it?")
    return _good(f"Audit log: it has entry {head.number} as it was noted, of {last}")


def _check_folder(folder: Path) -> Finding:
    """Check whether the embedded database can be created in the configured folder."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    with TemporaryFile(dir=there):
        pass
    makes = "it" if there == folder else f"it, and the folder {folder}"
    return _good(f"Database: not there yet; `billing-bot serve` makes {makes}")


def _unwritable(folder: Path | None, error: OSError) -> Finding:
    words = f"the database's folder {folder} cannot be written ({error.strerror}); make it, or name another"
    return _wrong(f"DATABASE_URL: {words}")


async def _look_into(database: Database, cipher: Cipher) -> list[Finding]:
    if not await is_current(database):
        return [_wrong("Database: it has not the newest schema; run `billing-bot migrate`")]
    await database.ping()
    found = [_good("Database: it can be read and written, and has the newest schema")]
    isolation = await database.backend.isolation()
    if not database.is_embedded and isolation != ISOLATION:
        words = f"transactions run at {isolation}, not {ISOLATION}; let the pooler keep session settings"
        found.append(_wrong(f"Database: {words}"))
    elif not database.is_embedded:
        found.append(_good(f"Database: transactions run at {isolation}, whatever its own default is"))
    if lost := await database.backend.lost_settings():
        words = f"its sessions do not keep {', '.join(lost)}; a pooler must leave sessions as they are"
        found.append(_wrong(f"Database: {words}"))
    ahead = await database.clock_ahead()
    if abs(ahead) > CLOCK_TOLERANCE:
        seconds = round(ahead.total_seconds())
        found.append(_wrong(f"Clock: the database's is {seconds:+} s from this machine's; set it by NTP"))
    broken = await count_broken(database, cipher)
    if broken:
        words = (
            f"{broken} stored connections are opened by none of the keys; add the key they were made with"
        )
        found.append(_wrong(f"BILLING_BOT_KEYS: {words}"))
    return found


def _connections(rules: Rules) -> str:
    """Return which portal accounts may be connected, and what would protect more people."""
    if rules.organizations:
        return f"only {len(rules.organizations)} organizations may be connected"
    if rules.match_email:
        return "only portal accounts with the e-mail address of the Slack profile"
    if rules.one_person_per_account:
        return "one Slack person for each portal account"
    advice = "set MATCH_EMAIL or ALLOWED_ORGANIZATIONS, so that a forwarded link reaches nobody else's"
    return f"any portal account; {advice}"


def _rules(rules: Rules) -> str:
    """Return the operator's rules that are in force; a misspelled setting is missing from them."""
    active_rules = [
        "read only" if rules.read_only else None,
        f"one charge at most {show(rules.max_charge)}" if rules.max_charge else None,
        f"{show(rules.max_daily)} a person and day" if rules.max_daily else None,
        f"{len(rules.users)} people" if rules.users else None,
        f"{len(rules.channels)} channels" if rules.channels else None,
        f"{len(rules.lockers)} may lock" if rules.lockers else None,
    ]
    return ", ".join(filter(None, active_rules)) or "none of the operator's; the portal's hold"


def _good(words: str) -> Finding:
    return Finding(good=True, words=words)


def _wrong(words: str) -> Finding:
    return Finding(good=False, words=words)
