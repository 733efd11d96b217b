"""Which hosts may receive a bearer token, and which links may be shown (docs/portal.md, section 1)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

DEFAULT_BASE_URL = "https://portal.nousresearch.com"


class ForeignHostError(ValueError):
    """A base URL is outside the allow-list; it never receives a token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostRules:
    """The allow-list: the portal's own host, loopback, and the host that the operator configured."""

    environment_base_url: str | None = None

    def base_for(self, stored: str | None = None) -> str:
        """Return the base to call: the configured one, else the grant's own, else the default.

        Raises:
            ForeignHostError: the stored base is outside the allow-list.
        """
        if self.environment_base_url:
            return self.environment_base_url.rstrip("/")
        base = (stored or DEFAULT_BASE_URL).rstrip("/")
        if not _is_allowed(base):
            raise ForeignHostError("the stored portal address is not on the allow-list")
        return base


def _is_allowed(url: str) -> bool:
    parts = urlsplit(url)
    if parts.username or parts.password or not parts.hostname:
        return False
    if _is_loopback(parts.hostname):
        return parts.scheme in {"http", "https"}
    return parts.scheme == "https" and origin_of(url) == DEFAULT_BASE_URL


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin_of(url: str) -> str:
    """Return scheme, host and, if it is not the default, port: `https://host`."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port not in (None, {"https": 443, "http": 80}[parts.scheme]) else ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def top_up_url(base: str, slug: str | None = None) -> str:
    """Return the portal's top-up page, the organization's own if its slug is known."""
    organization = f"/orgs/{quote(slug, safe='')}" if slug else ""
    return f"{base}{organization}/billing?topup=open"


def manage_subscription_url(base: str, organization_id: str) -> str:
    """Return the portal's page for the organization's plan."""
    return f"{origin_of(base)}/manage-subscription?org_id={quote(organization_id, safe='')}"


def portal_link(base: str, sent: str | None, *, slug: str | None = None) -> str:
    """Make a link from the server absolute against the grant's own deployment (behavior 53).

    A link to another origin, including a `//host` one, is replaced by the standard top-up page.
    """
    standard = top_up_url(base, slug)
    if not sent or "\\" in sent or any(ord(letter) <= ord(" ") for letter in sent):
        return standard
    try:
        absolute = urljoin(f"{base}/", sent)
        same = urlsplit(absolute).username is None and origin_of(absolute) == origin_of(base)
    except (ValueError, KeyError):
        return standard
    return absolute if same else standard
