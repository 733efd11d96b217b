"""The page on which a person allows or cancels the installation of the app."""

from collections.abc import Mapping
from html import escape
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.sandbox.slack.directory import Enterprise, SlackApp, Team
from bot.sandbox.slack.oauth import AuthorizationError, AuthorizationRequest, AuthorizationServer
from bot.sandbox.slack.origin import from_another_site

PATH = "/oauth/v2/authorize"
_ASKED = ("client_id", "scope", "user_scope", "state", "redirect_uri", "team")
_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    # With no-referrer, a browser sends `Origin: null` with the form.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Slack sandbox</title>
<link rel="icon" href="/page/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page/base.css">
<link rel="stylesheet" href="/page/authorize.css">
</head>
<body>
<main class="consent">
{content}
</main>
</body>
</html>
"""
_CONSENT = """<h1>{app} wants to be installed</h1>
<p class="muted">It will be able to:</p>
<ul class="scopes">
{scopes}
</ul>
<form method="post" action="{path}">
{hidden}
<fieldset>
<legend>Where?</legend>
{places}
</fieldset>
<div class="decision">
<button class="button large" name="decision" value="cancel" formnovalidate>Cancel</button>
<button class="button large primary" name="decision" value="allow">Allow</button>
</div>
</form>"""
_SCOPE = "<li><strong>{words}</strong> <code>{scope}</code></li>"
_HIDDEN = '<input type="hidden" name="{name}" value="{value}">'
_PLACE = """<label class="place"><input type="radio" name="place" value="{id}"{checked} required>
<span>{name}</span> <span class="muted">{note}</span></label>"""
_REFUSAL = """<h1>Something went wrong when authorizing this app.</h1>
<p>{explanation}</p>
<p class="muted">Error details: <code>{code}</code></p>"""
_SCOPE_DESCRIPTIONS = {
    "chat:write": "Send messages as the app",
    "commands": "Add slash commands that people can use",
    "im:history": "Read direct messages with the app",
    "im:write": "Start direct messages with people",
    "users:read": "See the people in the workspace",
}


class AuthorizePage:
    """Serve the authorization page."""

    def __init__(self, server: AuthorizationServer, app: SlackApp) -> None:
        self._server = server
        self._app = app

    def routes(self) -> list[Route]:
        """Return the routes of the page and of its form."""
        return [
            Route(PATH, self._ask, methods=["GET"]),
            Route(PATH, self._answer, methods=["POST"]),
        ]

    async def _ask(self, request: Request) -> Response:
        return self._consent_page(request.query_params)

    async def _answer(self, request: Request) -> Response:
        if from_another_site(request):
            return _page("Error", _refusal("another_site", "Another site's page sent this."), 403)
        body = (await request.body()).decode(errors="replace")
        params = dict(parse_qsl(body, keep_blank_values=True))
        try:
            asked = self._server.requested(params)
        except AuthorizationError as error:
            return _page("Error", _refusal(error.code, error.explanation), 400)
        if params.get("decision") == "cancel":
            return _back(asked, error="access_denied")
        try:
            code = self._server.allow(asked, params.get("place", ""))
        except LookupError:
            return self._consent_page(params, status=400)
        return _back(asked, code=code)

    def _consent_page(self, params: Mapping[str, str], status: int = 200) -> Response:
        try:
            asked = self._server.requested(params)
        except AuthorizationError as error:
            return _page("Error", _refusal(error.code, error.explanation), 400)
        places = self._server.places()
        suggested = next((one for one in places if one.id == asked.team), places[0])
        content = _CONSENT.format(
            app=escape(self._app.name),
            path=PATH,
            scopes="\n".join(_scope(scope) for scope in sorted(asked.scopes)),
            hidden="\n".join(_hidden(name, params[name]) for name in _ASKED if name in params),
            places="\n".join(_place(one, chosen=one == suggested) for one in places),
        )
        return _page(f"Install {self._app.name}", content, status)


def _back(asked: AuthorizationRequest, **outcome: str) -> Response:
    query = urlencode({**outcome, "state": asked.state})
    separator = "&" if "?" in asked.redirect_uri else "?"
    return RedirectResponse(f"{asked.redirect_uri}{separator}{query}", 302, headers=_SECURITY_HEADERS)


def _page(title: str, content: str, status: int = 200) -> Response:
    whole = _PAGE.format(title=escape(title), content=content)
    return HTMLResponse(whole, status, headers=_SECURITY_HEADERS)


def _refusal(code: str, explanation: str) -> str:
    return _REFUSAL.format(code=escape(code), explanation=escape(explanation))


def _scope(scope: str) -> str:
    return _SCOPE.format(words=escape(_SCOPE_DESCRIPTIONS.get(scope, "")), scope=escape(scope))


def _hidden(name: str, value: str) -> str:
    return _HIDDEN.format(name=escape(name), value=escape(value))


def _place(place: Team | Enterprise, *, chosen: bool) -> str:
    note = "workspace" if isinstance(place, Team) else "the whole organization"
    checked = " checked" if chosen else ""
    return _PLACE.format(id=escape(place.id), name=escape(place.name), note=note, checked=checked)
