"""The detection of cross-site requests."""

from urllib.parse import urlsplit

from starlette.requests import Request


def from_another_site(request: Request) -> bool:
    """Return whether a page of another site sent the request."""
    origin = request.headers.get("origin")
    return bool(origin) and urlsplit(origin).netloc != request.headers.get("host")
