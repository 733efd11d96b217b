"""Rate limits for a person and for a workspace: token buckets in this process's memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass

REMEMBERED = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimiter:
    """Allows `burst` requests at once, and then `per_second`, for each key."""

    def __init__(self, *, burst: float, per_second: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def allows(self, key: str) -> bool:
        """Take one token from the key's bucket; return False if it is empty."""
        now = time.monotonic()
        bucket = self._buckets.pop(key, None) or _Bucket(self._burst, now)
        filled = bucket.tokens + (now - bucket.filled_at) * self._per_second
        bucket.tokens, bucket.filled_at = min(self._burst, filled), now
        self._buckets[key] = bucket
        if len(self._buckets) > REMEMBERED:
            # The least recently used bucket is full again by now.
            self._buckets.popitem(last=False)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
