"""The whole portal without HTTP: its people, books and sign-ins, and what can be done to them."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.sandbox.portal.entitlement import token_claims
from bot.sandbox.portal.ids import Identifiers
from bot.sandbox.portal.ledger import Charge, ChargePost, Ledger, Upgrade
from bot.sandbox.portal.scenarios import SCENARIOS
from bot.sandbox.portal.seed import seeded_organisations, seeded_people
from bot.sandbox.portal.sign_in import KNOWN_SCOPES, SignIn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from bot.sandbox.portal.faults import Fault
    from bot.sandbox.portal.traffic import SeenRequest
    from bot.sandbox.portal.world import Organisation, Person

HANG_SECONDS = 20.0
CHARGES_PER_HOUR = 30
UPGRADES_PER_DAY = 5


@dataclass(kw_only=True, slots=True)
class _Injected:
    fault: Fault
    path: str
    method: str | None
    times: int


class Estate:
    """Everything the portal holds in memory.

    Attributes:
        public_url: The base of the links that it gives out, without a slash at its end.
        charge_rate_limit: Charges per organisation and hour and per token and hour; the true
            portal has 5. None lifts the limit.
        hang_seconds: How long, in real time, "hangs" is.
    """

    def __init__(
        self,
        public_url: str = "http://127.0.0.1:8766",
        *,
        now: Callable[[], float] | None = None,
        seed: int | None = None,
    ) -> None:
        self.public_url = public_url
        # Looked up at each call, so that a test may replace time.time.
        self._clock: Callable[[], float] = now or (lambda: time.time())  # noqa: PLW0108
        self._advanced = 0.0
        self.charge_rate_limit: int | None = CHARGES_PER_HOUR
        self.hang_seconds = HANG_SECONDS
        self.requests: list[SeenRequest] = []
        ids = Identifiers(seed)
        self._organisations = seeded_organisations()
        self.people: dict[str, Person] = seeded_people()
        self.sign_in = SignIn(now=self.now, ids=ids, people=self.people, claims_of=self._claims_of)
        self.ledger = Ledger(now=self.now, ids=ids, organisations=self._organisations)
        self._undo: dict[str, Callable[[], None]] = {}
        self._injected: list[_Injected] = []
        self._once: set[tuple[str, str]] = set()

    def now(self) -> float:
        """The portal's clock, Unix seconds: the one it was given, and what `advance` added."""
        return self._clock() + self._advanced

    def advance(self, seconds: float) -> float:
        """Move the portal's clock forward; the new time. `reset` moves it back.

        Raises:
            ValueError: The seconds are negative.
        """
        if seconds < 0:
            raise ValueError("the clock moves forward only")
        self._advanced += seconds
        return self.now()

    @property
    def organisations(self) -> dict[str, Organisation]:
        """The organisations by slug, with every charge booked that has settled by now."""
        self.ledger.settle()
        return self._organisations

    def organisation_of(self, person: Person) -> Organisation | None:
        """The person's organization, None for a login without one."""
        return None if person.organisation is None else self.organisations[person.organisation]

    @property
    def charges(self) -> list[Charge]:
        """Every charge made at the payment processor, oldest first, as it stands now."""
        return self.ledger.charges()

    @property
    def charge_posts(self) -> list[ChargePost]:
        """Every `POST /charge` that arrived, with what was answered."""
        return self.ledger.posts

    @property
    def upgrades(self) -> list[Upgrade]:
        """Every plan upgrade that was paid for."""
        return self.ledger.upgrades

    def counts(self) -> Counter[str]:
        """How often each call arrived, e.g. `counts()["POST /api/billing/charge"]`."""
        return Counter(f"{seen.method} {seen.path}" for seen in self.requests)

    def set_scenario(self, organisation: str, name: str) -> None:
        """Switch the organisation to a row of `SCENARIOS`; what the last one changed is undone.

        Raises:
            KeyError: There is no such organisation or scenario; nothing was changed.
        """
        target, row = self.organisations[organisation], SCENARIOS[name]
        undo = self._undo.pop(organisation, None)
        if undo is not None:
            undo()
        if row.prepare is not None:
            self._undo[organisation] = row.prepare(target)
        target.scenario = name

    def fail(self, path: str, fault: Fault, *, times: int = 1, method: str | None = None) -> None:
        """Let the next so many calls whose path begins with `path` meet the fault."""
        self._injected.append(_Injected(fault=fault, path=path, method=method, times=times))

    def mend(self) -> None:
        """Call off what `fail` still holds."""
        self._injected.clear()

    def injected_fault(self, request: Request) -> Fault | None:
        """The fault that `fail` holds for this call; asking uses it up."""
        for injected in self._injected:
            if injected.times < 1 or not request.url.path.startswith(injected.path):
                continue
            if injected.method in (None, request.method):
                injected.times -= 1
                return injected.fault
        return None

    def first_time(self, organisation: str, key: str) -> bool:
        """Whether this is asked for the first time about this idempotency key."""
        asked = (organisation, key)
        first = asked not in self._once
        self._once.add(asked)
        return first

    def approve(self, user_code: str, person: str = "ada", *, billing: bool = True) -> None:
        """What the approval page does: let the device in as that person.

        Raises:
            DeviceCodeError: The code is unknown, expired or used.
            KeyError: Nobody has that key.
        """
        self.sign_in.approve(user_code, person, billing=billing)

    def deny(self, user_code: str) -> None:
        """What the approval page does: turn the device away.

        Raises:
            DeviceCodeError: The code is unknown, expired or used.
        """
        self.sign_in.deny(user_code)

    def issue_tokens(
        self,
        person: str,
        scope: str = " ".join(KNOWN_SCOPES),
        expires_in: float | None = None,
        client_id: str = "hermes-cli",
    ) -> tuple[str, str]:
        """An access and a refresh token of a new session, with exactly that scope.

        The access token lives for `expires_in` seconds; None is the usual 15 minutes.
        """
        session, access = self.sign_in.open(self.people[person], scope.split(), client_id, expires_in)
        return access.text, session.refresh_token

    def revoke_session(self, person: str) -> None:
        """Log the person out everywhere: `session_revoked`."""
        for session in self.sign_in.sessions_of(person):
            session.ended = True

    def revoke_spending(self, person: str, actor: str | None = "admin") -> None:
        """Cut the spending of the person's sessions so far: `remote_spending_revoked`."""
        for session in self.sign_in.sessions_of(person):
            session.spending_revoked = True
            session.spending_revoked_by = actor

    def expire_access_tokens(self) -> None:
        """End the life of every access token given out so far; refresh tokens stay good."""
        self.sign_in.expire_access_tokens()

    def reset(self) -> None:
        """Organizations, scenarios, books, traffic and clock as at the start; sign-ins stay."""
        self._advanced = 0.0
        self._undo.clear()
        self._injected.clear()
        self._once.clear()
        self.requests.clear()
        self.ledger.clear()
        self._organisations.clear()
        self._organisations.update(seeded_organisations())

    def _claims_of(self, person: Person) -> Mapping[str, object]:
        return token_claims(person, self.organisation_of(person))
