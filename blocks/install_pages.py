"""The web pages for installing the app in a workspace."""

from __future__ import annotations

import html
from urllib.parse import quote

INSTALL_PATH = "/slack/install"

_AGAIN = f'<p><a class="button" href="{INSTALL_PATH}">Start again</a></p>'
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 34rem; margin: 12vh auto; padding: 0 1.25rem }}
h1 {{ font-size: 1.5rem; line-height: 1.25 }}
a.button {{ display: inline-block; padding: .6rem 1.1rem; border-radius: .4rem; background: #1f4e5f;
  color: #fff; text-decoration: none; font-weight: 600 }}
@media (prefers-color-scheme: dark) {{ a.button {{ background: #2f7d95 }} }}
</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"""

_FAILURES = {
    "access_denied": "Nothing was installed: it was cancelled in Slack.",
    "invalid_browser": (
        "This page was opened before, or it was begun in another browser. "
        "If <code>/billing</code> answers in Slack, it is installed."
    ),
    "invalid_state": (
        "This was begun more than ten minutes ago, or was finished already. "
        "If <code>/billing</code> answers in Slack, it is installed."
    ),
    "missing_code": "Slack's answer was not complete.",
    "invalid_code": "Slack did not accept the answer it gave before.",
    "too_fast": "This page is asked for too often just now. Try again in a minute.",
    "token_rotation": (
        "Token rotation is turned on for this Slack app, which this program does not use. "
        "Create the Slack app anew from its manifest, and leave token rotation off."
    ),
    "incomplete": "Slack did not grant what this app asks for. Nothing was changed.",
    "not_reached": "Slack or this app's own records could not be reached. Nothing was installed.",
}

_UNEXPECTED = (
    "<p>Something went wrong on our side. Your app manager can look it up: <strong>{}</strong></p>"
)


def install_page(url: str) -> str:
    """Make the page with the button that leads to Slack."""
    words = (
        "<p>People type <code>/billing</code> to see and top up your organization's prepaid balance at "
        "Nous Portal. Each acts with their own portal account; this app never sees a card.</p>"
    )
    link = f'<p><a class="button" href="{html.escape(url)}">Add to Slack</a></p>'
    return _page("Billing for Slack", words + link)


def installed_page(workspace: str | None, app_id: str | None) -> str:
    """Make the page after a successful installation."""
    where = html.escape(workspace or "your workspace")
    words = f"<p>Billing is installed in <strong>{where}</strong>. Go back to Slack and type "
    target = f"https://slack.com/app_redirect?app={quote(app_id or '')}"
    back = f'<p><a class="button" href="{target}">Open it in Slack</a></p>'
    return _page("Installed", f"{words}<code>/billing</code>.</p>{back}")


def not_installed_page(reason: str) -> str:
    """Make the page that says why nothing was installed; an unknown reason gets general words."""
    words = _FAILURES.get(reason, "Slack ended this without saying why.")
    return _page("Nothing was installed", f"<p>{words}</p>{_AGAIN}")


def unexpected_page(incident: str) -> str:
    """Make the page for an unexpected error; the log entry has the same id."""
    return _page("Not installed", _UNEXPECTED.format(incident) + _AGAIN)


def _page(title: str, body: str) -> str:
    return _PAGE.format(title=title, body=body)
