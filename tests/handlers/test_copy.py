"""Every word that a person reads is written in `blocks`."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FOR_OPERATORS = {
    "app",
    "availability",
    "background",
    "check",
    "cli",
    "person_commands",
    "record_commands",
    "terminal",
    "health",
    "log",
    "metrics",
    "serving",
    "settings",
    "environment",
    "startup",
    "trace",
}
"""Files of `bot` whose words are for the command line, the log and the metrics."""

FILES = sorted(
    path
    for folder in ("bot", "handlers")
    for path in (ROOT / folder).rglob("*.py")
    if not path.is_relative_to(ROOT / "bot/sandbox")
    and not path.is_relative_to(ROOT / "bot/storage")
    and not (path.parent == ROOT / "bot" and path.stem in FOR_OPERATORS)
)
WORDS = re.compile(r"[A-Za-z’'…]*[a-z][,.:;]? [A-Za-z]{2,}")
TOLD_TO_SERVERS = {
    "bot/demo_past.py": "the name of the sandbox's organization",
    "bot/portal/transport.py": "a header's value",
    "bot/services/lifecycle.py": "the audit log's reason",
    "bot/slack/http.py": "what an answer of 4xx says to who is not Slack",
    "bot/slack/pictures.py": "a header, and what an answer of 404 says",
    "bot/slack/installing.py": "the audit log's name of the browser",
    "handlers/manifest.py": "the manifest describes the app to Slack's own pages",
    "handlers/register.py": "what a body of 4xx or 5xx says to Slack",
}


def literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Return the texts of a file that are no docstring, no log line, no exception's and no annotation."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()):
                skipped.add(id(node.value))
            case ast.Raise() | ast.Call(func=ast.Attribute(value=ast.Name(id="log"))):
                skipped |= {id(each) for each in ast.walk(node)}
            case ast.Call(func=ast.Name(id=name)) if name.endswith("Error"):
                skipped |= {id(each) for each in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_for_people_stands_outside_of_blocks(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    if name in TOLD_TO_SERVERS:
        return
    found = [(line, text) for line, text in literals(ast.parse(path.read_text())) if WORDS.search(text)]
    assert found == []
