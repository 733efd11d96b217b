"""Keys are rotated while the app runs: nobody has to connect again, and the old key may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.domain.grant import DeviceCodes
from bot.storage.cipher import Cipher, CipherKeyError, SealBrokenError, generate_key
from bot.storage.columns import metadata
from bot.storage.deliveries import DeliveryStore
from bot.storage.device_grants import DeviceGrantStore
from bot.storage.links import LinkStore
from bot.storage.rotation import SEALED, Rotation, rotate
from tests.support.samples import ADA, sample_grant, sample_link

if TYPE_CHECKING:
    from bot.storage.database import Database
    from tests.bot.conftest import HandClock


OLD, NEW = generate_key(), generate_key()
CODES = DeviceCodes(device_code="dc_1", user_code="WXYZ", url="https://portal.nousresearch.com/device")


@pytest.fixture
async def sealed_with_the_old(database: Database, clock: HandClock) -> None:
    link = sample_link(clock, access="access-1", refresh="refresh-1")
    grant = sample_grant(clock, codes=CODES)
    cipher = Cipher((OLD,))
    await LinkStore(database, cipher).put(link)
    await DeviceGrantStore(database, cipher, DeliveryStore(database, cipher)).start(
        grant, due_at=clock.now()
    )


@pytest.mark.usefixtures("sealed_with_the_old")
async def test_after_a_rotation_the_old_key_may_go(database: Database) -> None:
    assert await rotate(database, Cipher((NEW, OLD))) == Rotation(resealed=2)
    newest = Cipher((NEW,))
    link = await LinkStore(database, newest).get(ADA)
    assert link is not None
    assert (link.access, link.refresh) == ("access-1", "refresh-1")
    grant = await DeviceGrantStore(database, newest, DeliveryStore(database, newest)).get("g1")
    assert grant is not None
    assert grant.codes == CODES


@pytest.mark.usefixtures("sealed_with_the_old")
async def test_a_row_that_no_key_opens_is_counted_and_left_alone(database: Database) -> None:
    assert await rotate(database, Cipher((NEW,))) == Rotation(broken=2)
    assert await rotate(database, Cipher((NEW, OLD))) == Rotation(resealed=2)


def test_an_old_key_still_opens_and_a_foreign_one_does_not() -> None:
    old, new = generate_key(), generate_key()
    sealed = Cipher((old,)).seal("me", {"access": "x"})
    assert Cipher((new, old)).open("me", sealed) == {"access": "x"}
    with pytest.raises(SealBrokenError):
        Cipher((new,)).open("me", sealed)
    with pytest.raises(SealBrokenError):
        Cipher((old,)).open("somebody else", sealed)
    with pytest.raises(CipherKeyError):
        Cipher(("not a key",))


def test_every_sealed_column_is_rotated() -> None:
    sealed = {
        each for table in metadata.tables.values() for each in table.c if each.name.startswith("sealed_")
    }
    assert set(SEALED) == sealed
