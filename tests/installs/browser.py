"""A browser as far as installing needs one: it follows links, keeps cookies and presses Allow."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin

if TYPE_CHECKING:
    import httpx


@dataclass(kw_only=True)
class Browser:
    """One person's browser. Cookies are kept by hand: on loopback there is no HTTPS for secure ones."""

    http: httpx.AsyncClient
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, url: str) -> httpx.Response:
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self.http.get(url, headers={"Cookie": jar} if jar else {})
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
        return answer

    async def begin(self, install_url: str) -> str:
        """Open the app's page; return where its button leads."""
        page = await self.get(install_url)
        assert page.status_code == 200
        (target,) = re.findall(r'class="button" href="([^"]+)"', page.text)
        return html.unescape(target)

    async def decide(self, authorize_url: str, place: str, decision: str = "allow") -> str:
        """Choose where on Slack's page and press a button; return where Slack sends the browser."""
        page = await self.get(authorize_url)
        assert page.status_code == 200, page.text
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        form = {name: html.unescape(value) for name, value in hidden}
        (action,) = re.findall(r'<form[^>]* action="([^"]*)"', page.text)
        target = urljoin(authorize_url, html.unescape(action)) if action else authorize_url
        answer = await self.http.post(target, data={**form, "place": place, "decision": decision})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def install(self, install_url: str, place: str, decision: str = "allow") -> httpx.Response:
        """The whole way; returns the app's last page."""
        back = await self.decide(await self.begin(install_url), place, decision)
        return await self.get(back)
