from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot.log import configure_logging, fingerprint, one_line, redact

if TYPE_CHECKING:
    from collections.abc import Iterator

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"


@pytest.fixture
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers, root.level = before
    structlog.reset_defaults()


@pytest.mark.behavior(50)
@pytest.mark.parametrize(
    "secret",
    [
        JWT,
        "xoxb-12-34-abc",
        "xapp-1-A-b",
        "Bearer abc.def",
        "https://hooks.slack.com/commands/T0/1/abc",
        "http://127.0.0.1:8765/response/5d41402a",
        "4242 4242 4242 4242",
        "4242424242424242",
    ],
)
def test_a_secret_is_redacted_wherever_it_stands(secret: str) -> None:
    entry = {"event": f"saw {secret} there", "deep": {"list": [secret]}, "exception": f"Error: {secret}"}
    shown = json.dumps(redact(None, "info", dict(entry)))
    assert secret not in shown
    assert "[redacted]" in shown


@pytest.mark.parametrize(
    "name",
    ["access_token", "refresh", "device_code", "response_url", "signing_secret", "card", "Authorization"],
)
def test_a_value_named_like_a_secret_is_redacted(name: str) -> None:
    assert redact(None, "info", {name: "plain words"})[name] == "[redacted]"


@given(st.dictionaries(st.text(), st.recursive(st.text(), st.lists, max_leaves=4)))
def test_redaction_never_fails(entry: dict[str, object]) -> None:
    redact(None, "info", dict(entry))


def test_a_fingerprint_tells_two_secrets_apart_and_neither_away() -> None:
    assert fingerprint("a") == fingerprint("a") != fingerprint("b")
    assert len(fingerprint("a")) == 10


@pytest.mark.usefixtures("_restored")
def test_logs_are_json_lines_and_the_libraries_go_through_redaction_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("INFO", "json")
    structlog.get_logger("bot.x").info("charge.post", charge="c1", access_token=JWT)
    logging.getLogger("some.library").warning("token %s", JWT)
    logging.getLogger("slack_bolt.AsyncApp").warning("Unhandled request (%s)", JWT)
    logging.getLogger("slack_sdk").info("body %s", JWT)
    try:
        int(JWT)
    except ValueError:
        structlog.get_logger("bot.x").exception("broken")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["charge.post", "token [redacted]", "broken"]
    assert JWT not in json.dumps(lines)
    assert lines[0]["charge"] == "c1"


@pytest.mark.parametrize("words", ["a\nok     database", "a\r\x1b[2Kok     fine", "a\u2028b", "a\u202eb"])
def test_what_is_printed_stays_on_its_line(words: str) -> None:
    shown = one_line(words)
    assert shown.isprintable()
    assert len(shown.splitlines()) == 1
