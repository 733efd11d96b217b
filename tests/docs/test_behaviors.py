"""The page of behaviors beside the tests that show them.

`UPDATE_GOLDEN=1 python -m pytest tests/docs/test_behaviors.py` writes the page's links anew.
"""

from __future__ import annotations

import ast
import os
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "behaviors.md"
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))
WRITE_LINKS = "UPDATE_GOLDEN=1 python -m pytest tests/docs/test_behaviors.py"
ROW = re.compile(r"^\| (?P<number>\d+) \| (?P<sentence>[^|]+) \| ?(?P<links>.*?) ?\|$", re.MULTILINE)
MENTION = re.compile(r"\bbehaviors?[\s#]+(\d+(?:(?:,\s*|\s+and\s+)\d+)*)")


def rows() -> dict[int, str]:
    """Return the links in each line of the page, by the behavior's number."""
    return {int(row["number"]): row["links"] for row in ROW.finditer(PAGE.read_text())}


def marked() -> dict[int, set[Path]]:
    """Return the test files that carry a marker, by the behavior's number."""
    found = defaultdict(set)
    for path in (ROOT / "tests").rglob("*.py"):
        for number in markers(path.read_text()):
            found[number].add(path)
    return found


def markers(source: str) -> set[int]:
    """Return the numbers of the `pytest.mark.behavior(N)` in a test file."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="behavior", value=ast.Attribute(attr="mark")),
                args=[ast.Constant(value=int(number))],
            ):
                found.add(number)
    return found


def mentioned() -> dict[int, set[str]]:
    """Return the code that mentions a behavior by its number."""
    found = defaultdict(set)
    for room in ("bot", "handlers", "blocks"):
        for path in (ROOT / room).rglob("*.py"):
            for mention in MENTION.findall(path.read_text()):
                for number in re.findall(r"\d+", mention):
                    found[int(number)].add(str(path.relative_to(ROOT)))
    return found


def links(paths: set[Path]) -> str:
    """Return the links from the page to test files."""
    names = sorted(path.relative_to(ROOT / "tests").as_posix() for path in paths)
    return ", ".join(f"[{name.removesuffix('.py')}](../tests/{name})" for name in names)


def with_links(page: str, shown_by: dict[int, set[Path]]) -> str:
    """Return the page with the links that the markers ask for."""
    return ROW.sub(
        lambda row: (
            f"| {row['number']} | {row['sentence']} | {links(shown_by.get(int(row['number']), set()))} |"
        ),
        page,
    )


def test_the_lines_are_numbered_without_a_gap() -> None:
    numbers = [int(row["number"]) for row in ROW.finditer(PAGE.read_text())]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_behavior_has_a_line_and_a_test() -> None:
    lines, tests = set(rows()), marked()
    problems = [
        *(f"behavior {number} has no test: mark one" for number in sorted(lines - set(tests))),
        *(
            f"behavior {number} has no line in docs/behaviors.md: {links(tests[number])}"
            for number in sorted(set(tests) - lines)
        ),
    ]
    assert not problems, "\n".join(problems)


def test_every_line_links_to_the_tests_that_show_it() -> None:
    page, tests = PAGE.read_text(), marked()
    if UPDATE:
        PAGE.write_text(with_links(page, tests))
    problems = [
        f"behavior {number} links to {shown or 'no test'}; its tests are {links(tests[number])}"
        for number, shown in rows().items()
        if shown != links(tests[number])
    ]
    assert not problems, "\n".join([*problems, f"To write the links: {WRITE_LINKS}"])


def test_every_behavior_that_the_code_mentions_has_a_line() -> None:
    lines, mentions = rows(), mentioned()
    problems = [
        f"behavior {number} has no line in docs/behaviors.md; mentioned in {', '.join(sorted(places))}"
        for number, places in sorted(mentions.items())
        if number not in lines
    ]
    assert mentions
    assert not problems, "\n".join(problems)
