"""Block Kit builders: escaping, Slack's limits, and the text for screen readers.

For accessibility, Slack reads only a message's `text`, never its blocks. So each block here carries its own
text (`spoken`), and a Message joins them. Every block that is shown is therefore also read aloud.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blocks import ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

Json = dict[str, Any]

SECTION_TEXT = 3000
HEADER_TEXT = 150
TITLE = 24
BUTTON_TEXT = 75
OPTION_TEXT = 75
OVERFLOW_OPTIONS = 5
ACTIONS = 25
MESSAGE_BLOCKS = 50
MODAL_BLOCKS = 100
METADATA = 3000
MESSAGE_TEXT = 3900


class LimitError(ValueError):
    """A screen exceeds one of Slack's limits: a bug in this program."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A Block Kit block, and its text for screen readers.

    `undrawn` is the block without its drawing: modals and App Home have no text of their own, so that a
    screen reader would read the drawing there.
    """

    json: Json
    spoken: str = ""
    undrawn: Json | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """The content of a message, for chat.postMessage and for a response_url."""

    text: str
    blocks: tuple[Json, ...]

    @property
    def json(self) -> Json:
        """The message as arguments of Slack's methods."""
        return {"text": self.text, "blocks": list(self.blocks)}


def message(*blocks: Block | None) -> Message:
    """Make a message; its text joins the texts of its blocks."""
    present = [block for block in blocks if block is not None]
    limit("blocks", len(present), MESSAGE_BLOCKS)
    spoken = "\n".join(block.spoken for block in present if block.spoken)
    return Message(text=spoken[:MESSAGE_TEXT], blocks=tuple(block.json for block in present))


def modal(
    title: str,
    *blocks: Block | None,
    callback_id: str,
    submit: str | None = None,
    close: str = "Close",
    private_metadata: str = "",
    notify_on_close: bool = False,
) -> Json:
    """Make a modal view."""
    for name, words in (("title", title), ("submit", submit or ""), ("close", close)):
        limit(name, len(words), TITLE)
    limit("private_metadata", len(private_metadata), METADATA)
    present = _undrawn(blocks)
    view: Json = {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain(title),
        "close": plain(close),
        "blocks": present,
        "private_metadata": private_metadata,
        "notify_on_close": notify_on_close,
    }
    if submit is not None:
        view["submit"] = plain(submit)
    return view


def home(*blocks: Block | None) -> Json:
    """Make an App Home view."""
    return {"type": "home", "blocks": _undrawn(blocks)}


def _undrawn(blocks: Sequence[Block | None]) -> list[Json]:
    present = [block.undrawn or block.json for block in blocks if block is not None]
    limit("blocks", len(present), MODAL_BLOCKS)
    return present


def escape(words: str) -> str:
    """Escape text from people or the portal for mrkdwn, and put it on one line."""
    return " ".join(words.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def moment(lead: str, when: datetime, *, seconds: bool = False) -> str:
    """Write a moment in the reader's time zone, or in UTC where Slack cannot convert it.

    `lead` is the text before the date. It is inside Slack's date template so that Slack writes "today" in
    lower case after it.
    """
    if set(lead) & set("<>|^"):
        raise ValueError("Slack reads no mention within a date")
    fallback = when.strftime("%Y-%m-%d %H:%M:%S UTC" if seconds else "%Y-%m-%d %H:%M UTC")
    unix = int(when.timestamp())
    before = f"{lead} " if lead else ""
    time = "{time_secs}" if seconds else "{time}"
    return f"<!date^{unix}^{before}{{date_short_pretty}} at {time}|{before}{fallback}>"


def day(when: date) -> str:
    """Write a date that does not depend on the time zone: `Dec 1, 2026`."""
    return f"{when:%b} {when.day}, {when.year}"


def link(url: str, words: str) -> str:
    """Write a link in mrkdwn."""
    safe = url.replace("|", "%7C").replace("<", "%3C").replace(">", "%3E")
    return f"<{safe}|{escape(words)}>"


def plain(words: str) -> Json:
    """Make a plain text object."""
    return {"type": "plain_text", "text": words, "emoji": True}


def mrkdwn(words: str) -> Json:
    """Make a mrkdwn text object without automatic links. `words` must be escaped already."""
    return {"type": "mrkdwn", "text": words, "verbatim": True}


def header(words: str) -> Block:
    """Make a header (plain text)."""
    limit("header", len(words), HEADER_TEXT)
    return Block(json={"type": "header", "text": plain(words)}, spoken=f"*{escape(words)}*")


def drawn(words: str, drawing: str, *, picture: str) -> Block:
    """Make a section of mrkdwn with a drawing below it in messages; it is never read aloud.

    `picture` is the block's id. By it `bot.slack.pictures` puts a picture beside the words, in views too,
    where Slack can fetch one.
    """
    made = section(f"{words}\n{drawing}").json | {"block_id": picture}
    return Block(json=made, spoken=words, undrawn=section(words).json | {"block_id": picture})


def section(words: str, *, accessory: Json | None = None) -> Block:
    """Make a section of mrkdwn (escaped already)."""
    limit("section", len(words), SECTION_TEXT)
    json: Json = {"type": "section", "text": mrkdwn(words)}
    if accessory is not None:
        json["accessory"] = accessory
    return Block(json=json, spoken=words)


def quoted(words: str) -> Block:
    """Make a section of what a person wrote: plain text, in which no link or mention works."""
    limit("section", len(words), SECTION_TEXT)
    text: Json = {"type": "plain_text", "text": words, "emoji": False}
    return Block(json={"type": "section", "text": text}, spoken=escape(words))


def fields(pairs: Iterable[tuple[str, str]]) -> Block:
    """Make a section of labeled values in two columns (mrkdwn, escaped already)."""
    present = list(pairs)
    limit("fields", len(present), 10)
    json = {"type": "section", "fields": [mrkdwn(f"*{name}*\n{value}") for name, value in present]}
    return Block(json=json, spoken="\n".join(f"{name}: {value}" for name, value in present))


def context(words: str) -> Block:
    """Make a line of small text (mrkdwn, escaped already)."""
    limit("context", len(words), SECTION_TEXT)
    return Block(json={"type": "context", "elements": [mrkdwn(words)]}, spoken=words)


def divider() -> Block:
    """Make a horizontal line."""
    return Block(json={"type": "divider"})


def actions(*elements: Json | None, block_id: str | None = None) -> Block | None:
    """Make a row of buttons; None if there are none."""
    present = [element for element in elements if element is not None]
    limit("actions", len(present), ACTIONS)
    if not present:
        return None
    json: Json = {"type": "actions", "elements": present}
    if block_id is not None:
        json["block_id"] = block_id
    named = [each for element in present for each in (element, *element.get("options", ()))]
    links = [escape(f"{each['text']['text']}: {each['url']}") for each in named if "url" in each]
    return Block(json=json, spoken="\n".join(links))


def button(
    words: str,
    action_id: str,
    *,
    value: str | None = None,
    url: str | None = None,
    style: str | None = None,
    label: str | None = None,
) -> Json:
    """Make a button. `value` is an opaque id: an amount or a payer in it could be forged.

    A screen reader reads `label` instead of the words; it is cut to what Slack takes.
    """
    limit("button", len(words), BUTTON_TEXT)
    json: Json = {"type": "button", "text": plain(words), "action_id": action_id}
    spoken = None if label is None else label[:BUTTON_TEXT]
    optional = {"value": value, "url": url, "style": style, "accessibility_label": spoken}
    return json | {name: given for name, given in optional.items() if given is not None}


def portal_button(url: str | None, *, style: str | None = None) -> Json:
    """Make the button that leads to the portal."""
    return button("Manage on portal", ids.MANAGE_ON_PORTAL, url=url, style=style)


def portal_line(url: str | None) -> Block | None:
    """Make the small link to the portal; None without an address."""
    return None if url is None else context(link(url, "Manage on portal"))


def next_button(request_id: str | None) -> Block | None:
    """Make the way to the next request that waits for the reader; None if none does."""
    return None if request_id is None else actions(button("Next", ids.REVIEW, value=request_id))


def overflow(options: Sequence[tuple[str, str]], action_id: str, *, portal_url: str | None = None) -> Json:
    """Make the menu behind three dots from (value, words); with `portal_url` its last entry leads there."""
    entries = [{"text": plain(words), "value": value} for value, words in options]
    if portal_url is not None:
        entries.append({"text": plain("Manage on portal"), "value": ids.PORTAL, "url": portal_url})
    limit("overflow options", len(entries), OVERFLOW_OPTIONS)
    return {"type": "overflow", "action_id": action_id, "options": entries}


def menu(words: str, options: Sequence[tuple[str, str]], action_id: str) -> Json:
    """Make a menu from (value, words) whose choice acts at once."""
    wire_options = [{"text": plain(each), "value": value} for value, each in options]
    return {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": plain(words),
        "options": wire_options,
    }


def confirmed(
    element: Json, *, title: str, words: str, confirm: str, deny: str, danger: bool = False
) -> Json:
    """Add Slack's confirmation dialog to an element; `danger`: it ends something."""
    dialog: Json = {
        "title": plain(title),
        "text": plain(words),
        "confirm": plain(confirm),
        "deny": plain(deny),
    }
    return element | {"confirm": dialog | {"style": "danger"} if danger else dialog}


def fitting(words: str, otherwise: str, most: int = TITLE) -> str:
    """Return the words if Slack takes so many characters; `most` is by default that of a modal's titles."""
    return words if len(words) <= most else otherwise


def limit(what: str, length: int, most: int) -> None:
    """Refuse more than Slack takes, with a LimitError that says what it is."""
    if length > most:
        raise LimitError(f"{what}: {length} is more than {most}")
