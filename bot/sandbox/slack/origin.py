"""Telling the sandbox's own pages from other sites that are open in the same browser."""

from urllib.parse import urlsplit

from starlette.requests import Request


def from_another_site(request: Request) -> bool:
    """Whether a page of another site sent this; it could otherwise act in the sandbox."""
    origin = request.headers.get("origin")
    return bool(origin) and urlsplit(origin).netloc != request.headers.get("host")
