"""Structured logs that never carry a token, code, secret, response_url or card."""

from __future__ import annotations

import hashlib
import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Literal

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import Processor

_SECRET_NAMES = re.compile(
    r"token|secret|authorization|device_code|user_code|refresh|response_url|signature|card|cookie|password|keys?$",
    re.IGNORECASE,
)
_SECRET_VALUES = re.compile(
    r"xox[a-z]-[\w-]+|xapp-[\w-]+|Bearer\s+\S+|eyJ[\w-]+\.[\w-]+\.?[\w-]*"
    r"|[?&](?:ticket|code|state|token)=[^&\s'\"]+"
    r"|https?://\S+/(?:commands|actions|response|services)/\S+|(?:\d[ -]?){13,19}(?!\d)",
)
_HARMLESS_NAMES = frozenset({"idempotency_key_fingerprint", "token_fingerprint", "head"})
_REDACTED = "[redacted]"


def fingerprint(secret: str) -> str:
    """Return a stand-in for a secret in logs: the first ten hex digits of its SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()[:10]


def redact(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Remove secrets from a log entry, by name and by pattern (a structlog processor)."""
    for name, value in entry.items():
        entry[name] = value if name in _HARMLESS_NAMES else _clean(name, value)
    return entry


def _clean(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever was logged
    if _SECRET_NAMES.search(name) and value is not None:
        return _REDACTED
    if isinstance(value, str):
        return _SECRET_VALUES.sub(_REDACTED, value)
    if isinstance(value, dict):
        return {key: _clean(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", each) for each in value]
    return value


def _is_quotable(record: logging.LogRecord) -> bool:
    """Drop Bolt's records below ERROR: they quote whole bodies, including response_url.

    Bolt sets levels on its own loggers, so this filter is on the handler that all records pass.
    """
    return not record.name.startswith("slack_bolt") or record.levelno >= logging.ERROR


def configure_logging(level: str, form: Literal["json", "console"]) -> None:
    """Send all logs, including those of libraries, through redaction to standard error."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Processor = structlog.processors.JSONRenderer()
    if form == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared[:-1], redact],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
        )
    )
    handler.addFilter(_is_quotable)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in (
        "slack_sdk",
        "httpx",
        "asyncio",
        "alembic",
        "uvicorn",
        "sqlalchemy",
    ):
        # At INFO and below these loggers print bodies, headers or statements.
        logging.getLogger(name).setLevel(logging.WARNING)


def one_line(words: str) -> str:
    """Return the words as one line that a terminal shows as it is: control characters become spaces."""
    return "".join(each if each.isprintable() else " " for each in words)
