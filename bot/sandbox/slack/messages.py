"""The content of messages that the app sends, validated by Slack's limits.

RefusedError
    has the error code of Slack's answer and its `response_metadata.messages`
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from bot.sandbox.slack.block_kit import MESSAGE_TEXT
from bot.sandbox.slack.validation import ValidationFailure, validate_blocks, validate_text

Json = dict[str, Any]
Report = Callable[[str, ValidationFailure], None]

METADATA_BYTES = 16 * 1024


class RefusedError(Exception):
    """Slack answers `{"ok": false}` with `code`."""

    def __init__(self, code: str, messages: tuple[str, ...] = (), **extras: object) -> None:
        super().__init__(code)
        self.code = code
        self.messages = messages
        self.extras = extras


def decoded(value: object, refusal: str) -> Any:  # noqa: ANN401 any JSON value may be inside
    """Parse a JSON argument that a form sends as a string. Return other values unchanged.

    Raises:
        RefusedError: `refusal`, when the string is not JSON.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise RefusedError(refusal) from error


def refuse(failure: ValidationFailure | None, where: str, report: Report) -> None:
    """Report a validation failure and raise it. Do nothing without a failure.

    Raises:
        RefusedError: there is a failure.
    """
    if failure is not None:
        report(where, failure)
        raise RefusedError(failure.error, failure.messages)


def content_of(
    args: Mapping[str, Any], where: str, report: Report, *, text_limit: int = MESSAGE_TEXT
) -> Json:
    """Return the given text, blocks, attachments and metadata of a call.

    Raises:
        RefusedError: `no_text`, or the error of the first broken limit.
    """
    content: Json = {}
    if args.get("text") is not None:
        refuse(validate_text(args["text"], text_limit), where, report)
        content["text"] = args["text"]
    if args.get("blocks") is not None:
        content["blocks"] = decoded(args["blocks"], "invalid_blocks_format")
        refuse(validate_blocks(content["blocks"]), where, report)
    if args.get("attachments") is not None:
        content["attachments"] = decoded(args["attachments"], "invalid_attachments")
    if not any(content.get(name) for name in ("text", "blocks", "attachments")):
        raise RefusedError("no_text")
    if args.get("metadata") is not None:
        content["metadata"] = _metadata(decoded(args["metadata"], "invalid_metadata_format"))
    return content


def _metadata(metadata: object) -> Json:
    if not isinstance(metadata, dict):
        raise RefusedError("invalid_metadata_format")
    if not metadata:
        return {}
    payload = metadata.get("event_payload")
    if not isinstance(metadata.get("event_type"), str) or not isinstance(payload, dict):
        raise RefusedError("invalid_metadata_format")
    if len(json.dumps(metadata)) > METADATA_BYTES:
        raise RefusedError("metadata_too_large")
    return metadata
