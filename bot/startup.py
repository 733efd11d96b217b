"""The conditions for a start: a usable database, and a token that Slack accepts."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import structlog

from bot.domain.backoff import Backoff
from bot.domain.errors import StoreUnavailableError
from bot.slack.errors import RateLimitedError, SlackError, SlackUnavailableError
from bot.storage.cipher import Cipher
from bot.storage.database import refusal
from bot.storage.schema import is_current, migrate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.engine import Kind
    from bot.runtime import Runtime

DATABASE_PATIENCE_SECONDS = 60
AGAIN = Backoff(1, 15)

log = structlog.get_logger(__name__)


class StartError(Exception):
    """The app cannot start; the text is a whole line for the operator.

    `for_now`: no setting is wrong, so a later start may succeed.
    """

    def __init__(self, words: str, *, for_now: bool = False) -> None:
        super().__init__(words)
        self.for_now = for_now


async def prepare_database(runtime: Runtime, kinds: Sequence[Kind[Any]]) -> None:
    """Connect, migrate on SQLite, and correct the clock by the database's.

    Raises:
        StartError: the database cannot be used, or has an older schema.
        SecondProcessError: on SQLite, another process uses the same file.
    """
    database = runtime.database
    database.backend.claim_alone()
    try:
        await _wait_for_database(runtime)
        if database.is_embedded:
            await migrate(database, Cipher(runtime.settings.keys()))
            for kind in kinds:
                await kind.leases.clear()
        current = await is_current(database)
        if not database.is_embedded:
            runtime.clock.correct(await database.clock_ahead())
    except Exception as error:
        log.debug("app.database_unusable", exc_info=error)
        refused = refusal(error)
        words = f"DATABASE_URL: the database cannot be used ({refused or type(error).__name__})"
        raise StartError(words, for_now=refused is None) from None
    if not current:
        raise StartError(
            "DATABASE_URL: the database has not the newest schema; run `billing-bot migrate` first"
        )


async def _wait_for_database(runtime: Runtime) -> None:
    """Return when there is a connection. Wait up to a minute for a database that restarts."""
    give_up_at = time.monotonic() + DATABASE_PATIENCE_SECONDS
    while True:
        try:
            await runtime.database.connect()
        except Exception as error:
            if refusal(error) or time.monotonic() >= give_up_at:
                raise
            log.warning("app.waits_for_database", problem=type(error).__name__)
            await asyncio.sleep(AGAIN.first)
        else:
            return


async def recognize_workspace(runtime: Runtime) -> bool:
    """Ask Slack which workspace SLACK_BOT_TOKEN belongs to; False when Slack does not answer.

    Raises:
        StartError: Slack does not accept the token.
    """
    if runtime.one_workspace is None:
        return True
    try:
        await runtime.one_workspace.recognize(runtime.lifecycle.installed)
    except (SlackUnavailableError, RateLimitedError) as error:
        log.warning("app.slack_away", problem=error.code)
        return False
    except StoreUnavailableError:
        log.warning("app.database_away")
        return False
    except SlackError as error:
        raise StartError(f"SLACK_BOT_TOKEN: Slack does not accept it ({error.code})") from None
    return True


async def recognize_later(runtime: Runtime) -> None:
    """Go on asking, ever more slowly, until Slack says which workspace it is."""
    for tries in count():
        await asyncio.sleep(AGAIN.longest(tries))
        try:
            if await recognize_workspace(runtime):
                return
        except StartError as error:
            log.error("app.slack_refuses", problem=str(error))  # noqa: TRY400 - the text is all there is to say
