"""The proxy on the way to an address, from the environment: HTTPS_PROXY, HTTP_PROXY and NO_PROXY.

slack-sdk reads the first two only.
"""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_for(url: str) -> str | None:
    """Return the proxy's URL; None for a direct connection."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("https") or proxies.get("http")
