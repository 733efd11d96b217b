"""docs/copy.md: every message and modal as text, to be read through in one go."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.catalogue import Screen

HEAD = """# Every word

Each message and modal as text, made from the screens themselves with `make golden`, to be read in one go.
Buttons stand in brackets; a link button names where it leads when it is a message.
"""


def page(sections: dict[str, list[Screen]]) -> str:
    """Return the whole page."""
    parts = [HEAD]
    for title, screens in sections.items():
        parts.append(f"## {title}\n")
        for screen in screens:
            read = "\n".join(_read(screen.json))
            lines = "\n".join(f"> {line}".rstrip() for line in read.splitlines())
            parts.append(f"**{screen.name}**: {screen.when}\n\n{lines}\n")
    return "\n".join(parts)


def _read(shown: dict[str, Any]) -> list[str]:
    lines = [f"**{shown['title']['text']}**", ""] if "title" in shown else []
    for block in shown["blocks"]:
        lines += [*_block(block), ""]
    foot = [shown[name]["text"] for name in ("close", "submit") if name in shown]
    return [*lines, " ".join(f"[{words}]" for words in foot)] if foot else lines[:-1]


def _block(block: dict[str, Any]) -> list[str]:
    match block["type"]:
        case "divider":
            return ["---"]
        case "input":
            element = block["element"]
            options = [f"( ) {option['text']['text']}" for option in element.get("options", [])]
            hint = f" _{block['hint']['text']}_" if "hint" in block else ""
            typed = f" `{element['initial_value']}`" if "initial_value" in element else ""
            return [f"{block['label']['text']}:{typed}{hint}", *options]
        case "section" if "fields" in block:
            return [_plain(field["text"]).replace("\n", ": ", 1) for field in block["fields"]]
        case "data_visualization" | "table":
            return _numbers(block)
        case "actions" | "context":
            return [" ".join(_element(element) for element in block["elements"])]
    said = _plain(block["text"]["text"]).split("\n")
    return [*said, _element(block["accessory"])] if "accessory" in block else said


def _numbers(block: dict[str, Any]) -> list[str]:
    if block["type"] == "table":
        return [" | ".join(cell["text"] for cell in row) for row in block["rows"]]
    names = ", ".join(each["name"] for each in block["chart"]["series"])
    return [f"_a chart:_ {block['title']} ({names})"]


def _element(element: dict[str, Any]) -> str:
    if element["type"] == "overflow":
        return f"[… {', '.join(option['text']['text'] for option in element['options'])}]"
    if element["type"] == "static_select":
        options = ", ".join(option["text"]["text"] for option in element["options"])
        return f"[{element['placeholder']['text']}: {options}]"
    if element["type"] != "button":
        return _plain(element["text"])
    words = f"[{element['text']['text']}]"
    if "confirm" in element:
        asks = element["confirm"]
        words += f" _asks: {asks['title']['text']} {asks['text']['text']}_"
    return words


def _plain(words: str) -> str:
    shown = re.sub(r"<!date\^\d+\^([^|]*)\|[^>]*>", r"\1", words)
    shown = shown.replace("{date_short_pretty} at {time_secs}", "today at 2:03:05 PM")
    shown = shown.replace("{date_short_pretty} at {time}", "today at 2:03 PM")
    return re.sub(r" {2,}", " ", shown)
