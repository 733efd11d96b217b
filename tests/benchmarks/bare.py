"""The least that a Slack app can be: Bolt's AsyncApp, which acknowledges and answers a constant.

    python -m tests.benchmarks.bare PORT [DATABASE_URL [STATEMENTS]]

On the same server as ours (starlette, uvicorn, the same options). With a database, a submission makes one
durable insert before it is acknowledged, by SQLAlchemy's asynchronous engine as it comes; or so many in one
transaction, by the engine that ours uses.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import uvicorn
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from sqlalchemy import Column, DateTime, MetaData, String, Table, event, insert
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.storage.database import Database, async_url
from bot.system_clock import SystemClock

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from starlette.requests import Request

table = Table(
    "bare",
    MetaData(),
    Column("id", String(32), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
)


async def authorize() -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=None, team_id="T0ACME", bot_token="xoxb-x")


Begin = Callable[[], AbstractAsyncContextManager[Any]]


def make(begin: Begin | None, statements: int) -> Starlette:
    bolt = AsyncApp(signing_secret=os.environ["SLACK_SIGNING_SECRET"], authorize=authorize)

    @bolt.command("/billing")
    async def handle_command(ack) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - Bolt's own
        await ack("What you can type: /billing help")

    @bolt.view("confirm_purchase")
    async def handle_submission(ack) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - Bolt's own
        if begin is not None:
            async with begin() as connection:
                for _ in range(statements):
                    row = {"id": secrets.token_hex(16), "at": datetime.now(UTC)}
                    await connection.execute(insert(table), row)
        await ack(response_action="update", view={"type": "modal", "title": {}, "blocks": []})

    handler = AsyncSlackRequestHandler(bolt)

    async def slack_events(request: Request) -> Response:
        return await handler.handle(request)

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route("/slack/events", slack_events, methods=["POST"]),
            Route("/readyz", healthz),
            Route("/healthz", healthz),
        ]
    )


def as_it_comes(database_url: str) -> AsyncEngine:
    """SQLAlchemy's engine, with as many connections as ours, and as durable."""
    url = async_url(database_url)
    if url.get_backend_name() == "postgresql":
        return create_async_engine(url, pool_size=20, max_overflow=0)
    engine = create_async_engine(url.set(drivername="sqlite+aiosqlite"))
    event.listen(engine.sync_engine, "connect", _make_durable)
    return engine


def _make_durable(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


async def main(port: int, database_url: str | None, statements: int | None) -> None:
    async with AsyncExitStack() as stack:
        begin: Begin | None = None
        if database_url is not None:
            if statements is None:
                engine = as_it_comes(database_url)
                begin = engine.begin
                stack.push_async_callback(engine.dispose)
            else:
                database = Database(database_url, SystemClock())
                begin = database.transaction
                stack.push_async_callback(database.aclose)
            async with begin() as connection:
                await connection.run_sync(table.metadata.create_all)
        config = uvicorn.Config(
            make(begin, statements or 1),
            host="127.0.0.1",
            port=port,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            ws="none",
            backlog=4096,
        )
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    port, url, statements = [*sys.argv[1:], None, None][:3]
    asyncio.run(main(int(port or 0), url, int(statements) if statements else None))
