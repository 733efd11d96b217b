"""The page of the portal's wire beside the code that speaks it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from pydantic.alias_generators import to_camel

from bot.domain.errors import OURS, RefusalCode
from bot.portal import schemas
from bot.portal.error_map import SWITCH_OFF
from bot.portal.schemas.fields import SnakeWire, Wire

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "portal.md").read_text()
SECTIONS = set(re.findall(r"^#{2,3} (\d+(?:\.\d+)?) ", PAGE, re.MULTILINE))
REFERENCE = re.compile(
    r"docs/portal\.md,[\s#]+sections?[\s#]+(\d+(?:\.\d+)?(?:(?:,[\s#]+|[\s#]+(?:and|to)[\s#]+)\d+(?:\.\d+)?)*)"
)
NOT_ON_THE_WIRE = {RefusalCode.UNAUTHORIZED, RefusalCode.OTHER} | OURS
"""What the app calls a 401 of any name, its own stop of all spending, and a code that it does not know."""


def references() -> list[tuple[str, str]]:
    """Return each file of code that names a section of the page, and the section."""
    return [
        (path.relative_to(ROOT).as_posix(), section)
        for room in ("bot", "handlers", "blocks", "tests")
        for path in sorted((ROOT / room).rglob("*.py"))
        for reference in REFERENCE.findall(path.read_text())
        for section in re.findall(r"\d+(?:\.\d+)?", reference)
    ]


def paths_of_billing_calls() -> set[str]:
    """Return the paths in the billing client's requests, with `{id}` for a value that is put in."""
    return {path for node in nodes("bot/portal/client.py") if (path := text_of(node)).startswith("/api/")}


def paths_of_oauth_calls() -> set[str]:
    """Return the paths in the OAuth client's requests: its `_post` takes what follows `/api/oauth/`."""
    return {
        f"/api/oauth/{text_of(node.args[1])}"
        for node in nodes("bot/portal/oauth.py")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "_post"
    }


def nodes(path: str) -> list[ast.AST]:
    """Return the syntax tree of a file as a list, without the parts of f-strings."""
    found = list(ast.walk(ast.parse((ROOT / path).read_text())))
    parts = {id(part) for node in found if isinstance(node, ast.JoinedStr) for part in node.values}
    return [node for node in found if id(node) not in parts]


def text_of(node: ast.AST) -> str:
    """Return the text of a string or an f-string, empty for any other expression."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(text_of(part) or "{id}" for part in parts)
        case _:
            return ""


def fields_that_are_read() -> set[str]:
    """Return the names on the wire of all fields that the app reads."""
    models = [
        model
        for model in vars(schemas).values()
        if isinstance(model, type) and issubclass(model, Wire) and model not in {Wire, SnakeWire}
    ]
    return {
        name if issubclass(model, SnakeWire) else to_camel(name)
        for model in models
        for name in model.model_fields
    }


def is_named(name: str) -> bool:
    """Tell whether the page names something of the wire, in code font."""
    return any(
        re.search(rf"(?<![\w/]){re.escape(name)}(?![\w/])", code)
        for code in re.findall(r"`([^`\n]+)`", PAGE)
    )


def test_the_sections_are_numbered_without_a_gap() -> None:
    numbers = re.findall(r"^#{2,3} (\d+)(?:\.(\d+))? ", PAGE, re.MULTILINE)
    chapter = part = 0
    for major, minor in numbers:
        chapter, part = (chapter, part + 1) if minor else (chapter + 1, 0)
        assert (int(major), int(minor or 0)) == (chapter, part)


def test_every_section_that_the_code_names_is_on_the_page() -> None:
    found = references()
    assert found
    wrong = [
        f"{path}: docs/portal.md has no section {section}"
        for path, section in found
        if section not in SECTIONS
    ]
    assert not wrong, "\n".join(wrong)


def test_every_section_that_the_page_names_is_on_it() -> None:
    named = set(re.findall(r"\bsections? (\d+(?:\.\d+)?)", PAGE))
    assert named <= SECTIONS


def test_every_path_that_the_app_calls_is_named() -> None:
    paths = paths_of_billing_calls() | paths_of_oauth_calls()
    assert {"/api/billing/charge/{id}", "/api/oauth/device/code"} <= paths
    assert {path for path in paths if not re.search(rf"`[A-Z]+ {re.escape(path)}`", PAGE)} == set()


@pytest.mark.parametrize("code", [*sorted(set(RefusalCode) - NOT_ON_THE_WIRE), SWITCH_OFF])
def test_every_refusal_code_of_the_wire_is_in_the_section_of_codes(code: str) -> None:
    codes = PAGE.partition("### 9.3 ")[2].partition("\n### ")[0]
    assert f"`{code}`" in codes


def test_every_field_that_the_app_reads_is_named() -> None:
    assert {name for name in fields_that_are_read() if not is_named(name)} == set()
