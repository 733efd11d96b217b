"""The house stays as small as docs/architecture.md says it is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
LONGEST_FILE = 400
LONGEST_PATH = 12
NAMED = re.compile(r"`([\w.]+)`")


def test_no_file_is_longer_than_one_sitting() -> None:
    rooms = [ROOT / name for name in ("bot", "handlers", "blocks", "tests")]
    lines = {path: len(path.read_text().splitlines()) for room in rooms for path in room.rglob("*.py")}
    assert {path: count for path, count in lines.items() if count > LONGEST_FILE} == {}


def test_the_way_from_settled_to_delivered_is_as_short_as_the_page_shows() -> None:
    _, _, section = PAGE.partition('## From "settled" to "delivered"')
    section, _, _ = section.partition("\n## ")
    way: list[str] = []
    for step in re.split(r"\n(?=\d\. )", section.strip()):
        (path,) = re.findall(r"`((?:bot|handlers)/[\w/]+\.py)`", step)
        named = NAMED.findall(step)
        assert {name.rpartition(".")[2] for name in named} <= _functions(ROOT / path)
        way += named
    assert len(set(way)) <= LONGEST_PATH


def _functions(path: Path) -> set[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, functions)}
