"""The trace of one charge for the operator, from the ledger only: no secrets, no calls to servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.history import outcome, story
from blocks.words import method_name
from bot.domain.errors import ChargeNotFoundError
from bot.domain.money import show
from bot.domain.text import CHARGE_ID, clean
from bot.log import fingerprint, one_line
from bot.storage.charges.store import ChargeStore
from bot.storage.cipher import Cipher, generate_key
from bot.storage.deliveries import DeliveryStore, delivery_of
from bot.storage.requests.store import RequestStore
from bot.storage.requests.votes import Votes

if TYPE_CHECKING:
    from bot.domain.charge import Charge
    from bot.domain.delivery import Delivery
    from bot.storage.database import Database


async def trace(database: Database, named: str) -> str:
    """Return the trace, one fact per line, times in UTC. `named` is our id, the portal's, or its beginning.

    Raises:
        ChargeNotFoundError, SeveralChargesError: no charge, or more than one, matches.
        StoreUnavailableError: the database cannot be read.
    """
    beginning = clean(named, CHARGE_ID)
    cipher = Cipher((generate_key(),))  # nothing is decrypted
    charges = ChargeStore(
        database, cipher, RequestStore(database, DeliveryStore(database, cipher), Votes(cipher))
    )
    if not beginning:
        raise ChargeNotFoundError
    charge = await charges.find(None, beginning)
    delivery = await delivery_of(database, charge.id)
    return "\n".join(map(one_line, [*_facts(charge, delivery), "", *_steps(charge, delivery)]))


def _facts(charge: Charge, delivery: Delivery | None) -> list[str]:
    place = f"{delivery.channel} {delivery.ts}" if delivery and delivery.ts else "not posted"
    facts = {
        "Purchase": charge.id,
        "Amount": f"{show(charge.display_amount)}, {charge.kind.value.replace('_', ' ')}",
        "State": f"{charge.state.value}: {outcome(charge)}",
        "Person": charge.identity.key,
        "Organization": f"{charge.organization_name or ''} ({charge.organization_id})".strip(),
        "Paid with": charge.payment_method and method_name(charge.payment_method),
        "Account": charge.account_email,
        "Key": f"{fingerprint(charge.idempotency_key)} (fingerprint)",
        "Portal's charge": charge.portal_charge_id or "not known",
        "Refusal": charge.refusal,
        "Failure": charge.failure,
        "Message": place,
    }
    return [f"{name:<16} {value}" for name, value in facts.items() if value is not None]


def _steps(charge: Charge, delivery: Delivery | None) -> list[str]:
    return [f"{when:%Y-%m-%d %H:%M:%S UTC}  {words}" for words, when in story(charge, delivery)]
