# ruff: noqa: INP001 - MkDocs loads it by path
"""Makes the site of what the repository has: pages beside docs/ as pages, and a gallery of the screens.

MkDocs calls these functions (https://www.mkdocs.org/dev-guide/plugins/#events).
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
BESIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
}
"""Pages outside of docs/, by their place in the site."""

NOT_IN_NAV = {"reporting.md"}
LINK = re.compile(r"(!?)\[([^\]]*(?:`[^`]*`[^\]]*)*)\]\(([^)\s]+)\)")
SECTION, SCREEN = re.compile(r"^## (.+)$"), re.compile(r"^\*\*([\w-]+)\*\*(?:: (.+))?$")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages beside docs/ and the gallery."""
    for name, place in BESIDE.items():
        files.append(File.generated(config, place, content=(ROOT / name).read_text()))
        if place in NOT_IN_NAV:
            files.src_uris[place].inclusion = files.src_uris[place].inclusion.NOT_IN_NAV
    files.append(File.generated(config, "gallery.md", content=gallery()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs passes it
    """Lead links to where the page is in the site; one to a file of the repository becomes its name."""
    here = next((name for name, place in BESIDE.items() if place == page.file.src_uri), None)
    folder = posixpath.dirname(here or f"docs/{page.file.src_uri}") or "."
    start = posixpath.dirname(page.file.src_uri) or "."

    def led(found: re.Match[str]) -> str:
        picture, words, target = found.groups()
        path, mark, anchor = target.partition("#")
        if "://" in target or not path:
            return found[0]
        whole = posixpath.normpath(f"{folder}/{path}")
        place = BESIDE.get(whole) or whole.removeprefix("docs/")
        if place not in files.src_uris:
            return words if (ROOT / whole).exists() else found[0]
        return f"{picture}[{words}]({posixpath.relpath(place, start)}{mark}{anchor})"

    return LINK.sub(led, markdown)


def gallery() -> str:
    """Return the page of all screens, grouped by flow as docs/copy.md is, light beside dark."""
    lines = ["# Screens", "", "Each screen as the sandbox draws it, light and dark.", ""]
    for line in (ROOT / "docs" / "copy.md").read_text().splitlines():
        if section := SECTION.match(line):
            lines += [f"## {section[1]}", ""]
        elif screen := SCREEN.match(line):
            lines += _pictures(screen[1], screen[2] or "")
    return "\n".join(lines)


def _pictures(name: str, caption: str) -> list[str]:
    found = [f"screens/{name}{end}.png" for end in ("-light", "-dark", "")]
    there = [path for path in found if (ROOT / "docs" / path).exists()]
    if not there:
        return []
    alt = f"{name}: {caption}" if caption else name
    shown = " ".join(f"![{alt}]({path}){{ width=46% loading=lazy }}" for path in there)
    words = caption or name.replace("-", " ")
    return [f"**{words[:1].upper()}{words[1:]}** `{name}`", "", shown, ""]
