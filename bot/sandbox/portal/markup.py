"""HTML templates that escape values and replace control characters."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

# HTML forbids control characters, and UTF-8 forbids lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Nous Portal sandbox</title>
<style>{css}</style>
</head>
<body>
<header class="top"><a class="wordmark" href="/billing">Nous Portal</a>
<span class="mark" title="No real account, no real card, no real money">Sandbox</span></header>
<main>
{content}
</main>
</body>
</html>
"""


class Html(str):
    """Markup that needs no escaping."""

    __slots__ = ()


def render(template: str, **values: object) -> Html:
    """Fill the `{names}` of a template. Escape each value that is not `Html`."""
    return Html(template.format(**{name: _safe(value) for name, value in values.items()}))


def lines(parts: Iterable[object]) -> Html:
    """Join the parts with newlines. Escape each part that is not `Html`."""
    return Html("\n".join(_safe(part) for part in parts))


def page(title: str, content: Html, status: int = 200) -> HTMLResponse:
    """Return a whole page."""
    whole = render(_PAGE, title=title, css=Html(_stylesheet()), content=content)
    return HTMLResponse(whole, status, headers=_SECURITY_HEADERS)


def _safe(value: object) -> str:
    return value if isinstance(value, Html) else _UNPRINTABLE.sub("\ufffd", escape(str(value)))


@cache
def _stylesheet() -> str:
    return (files(__package__) / "page.css").read_text("utf-8")
