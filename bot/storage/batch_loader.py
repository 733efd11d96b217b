"""Combines reads that are requested at the same time into one query."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

MOST_AT_ONCE = 500
_Key = TypeVar("_Key")
_Found = TypeVar("_Found")


class BatchLoader(Generic[_Key, _Found]):
    """Rows by key. Keys requested during a read are read together after it.

    Otherwise, thousands of charges that continue after a restart would queue for twenty connections.
    """

    def __init__(self, read: Callable[[Sequence[_Key]], Awaitable[Mapping[_Key, _Found]]]) -> None:
        self._read = read
        self._wanted: dict[_Key, asyncio.Future[_Found | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def get(self, key: _Key) -> _Found | None:
        """Return the row as committed at the time of this call or later; None if there is none.

        Raises whatever the read raises.
        """
        answer = self._wanted.get(key)
        if answer is None:
            answer = self._wanted[key] = asyncio.get_running_loop().create_future()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_all())
        return await asyncio.shield(answer)

    async def _read_all(self) -> None:
        while self._wanted:
            answers = {key: self._wanted.pop(key) for key in list(islice(self._wanted, MOST_AT_ONCE))}
            try:
                found = await self._read(list(answers))
            except Exception as error:  # noqa: BLE001 - it is theirs who wait
                for answer in answers.values():
                    answer.set_exception(error)
            else:
                for key, answer in answers.items():
                    answer.set_result(found.get(key))
