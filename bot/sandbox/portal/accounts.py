"""The state of the portal without HTTP: people, organizations, charges, sessions and faults."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.sandbox.portal.burn import Meter
from bot.sandbox.portal.entitlement import token_claims
from bot.sandbox.portal.ids import Identifiers
from bot.sandbox.portal.ledger import Charge, ChargePost, Ledger, Upgrade
from bot.sandbox.portal.scenarios import SCENARIOS
from bot.sandbox.portal.seed import seeded_organizations, seeded_people
from bot.sandbox.portal.sign_in import KNOWN_SCOPES, SignIn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from bot.sandbox.portal.faults import Fault
    from bot.sandbox.portal.models import Organization, Person
    from bot.sandbox.portal.traffic import SeenRequest

HANG_SECONDS = 20.0
CHARGES_PER_HOUR = 30
UPGRADES_PER_DAY = 5


@dataclass(kw_only=True, slots=True)
class _Injected:
    fault: Fault
    path: str
    method: str | None
    times: int


class Accounts:
    """Hold the portal's state in memory and change it for tests.

    Attributes:
        public_url: The base URL of the portal's links, without a trailing slash.
        charge_rate_limit: The charges per hour for an organization and for a token. The live portal
            allows 5. None removes the limit.
        hang_seconds: The delay of a fault that hangs, in real seconds.
    """

    def __init__(
        self,
        public_url: str = "http://127.0.0.1:8766",
        *,
        now: Callable[[], float] | None = None,
        seed: int | None = None,
    ) -> None:
        self.public_url = public_url
        # time.time is looked up at each call, so that a test may replace it.
        self._clock: Callable[[], float] = now or (lambda: time.time())  # noqa: PLW0108
        self._advanced = 0.0
        self.charge_rate_limit: int | None = CHARGES_PER_HOUR
        self.hang_seconds = HANG_SECONDS
        self.requests: list[SeenRequest] = []
        ids = Identifiers(seed)
        self._organizations = seeded_organizations()
        self.people: dict[str, Person] = seeded_people()
        self.sign_in = SignIn(now=self.now, ids=ids, people=self.people, claims_of=self._claims_of)
        self.ledger = Ledger(now=self.now, ids=ids, organizations=self._organizations)
        self._meter = Meter(
            now=self.now,
            organizations=self._organizations,
            use_of=lambda organization: SCENARIOS[organization.scenario].use,
        )
        self._undo: dict[str, Callable[[], None]] = {}
        self._injected: list[_Injected] = []
        self._once: set[tuple[str, str]] = set()

    def now(self) -> float:
        """Return the portal's time in Unix seconds, including the seconds that `advance` added."""
        return self._clock() + self._advanced

    def advance(self, seconds: float) -> float:
        """Move the portal's clock forward and return the new time. `reset` moves the clock back.

        Raises:
            ValueError: The seconds are negative.
        """
        if seconds < 0:
            raise ValueError("the clock moves forward only")
        self._advanced += seconds
        return self.now()

    @property
    def organizations(self) -> dict[str, Organization]:
        """Return the organizations by slug, after settlement of the due charges and what was used."""
        self.ledger.settle()
        self._meter.run()
        return self._organizations

    def organization_of(self, person: Person) -> Organization | None:
        """Return the person's organization, or None for a login without an organization."""
        return None if person.organization is None else self.organizations[person.organization]

    @property
    def charges(self) -> list[Charge]:
        """Return every charge with its current status, oldest first."""
        return self.ledger.charges()

    @property
    def charge_posts(self) -> list[ChargePost]:
        """Return every received `POST /charge` with its answer."""
        return self.ledger.posts

    @property
    def upgrades(self) -> list[Upgrade]:
        """Return every paid upgrade."""
        return self.ledger.upgrades

    def counts(self) -> Counter[str]:
        """Return the number of requests by method and path, e.g. `"POST /api/billing/charge"`."""
        return Counter(f"{seen.method} {seen.path}" for seen in self.requests)

    def set_scenario(self, organization: str, name: str) -> None:
        """Switch the organization to a scenario and undo the changes of the previous scenario.

        Raises:
            KeyError: The organization or the scenario does not exist. Nothing was changed.
        """
        target, row = self.organizations[organization], SCENARIOS[name]
        undo = self._undo.pop(organization, None)
        if undo is not None:
            undo()
        if row.prepare is not None:
            self._undo[organization] = row.prepare(target)
        target.scenario = name
        self._meter.begin(organization)

    def fail(self, path: str, fault: Fault, *, times: int = 1, method: str | None = None) -> None:
        """Apply the fault to the next `times` calls whose path starts with `path`."""
        self._injected.append(_Injected(fault=fault, path=path, method=method, times=times))

    def clear_faults(self) -> None:
        """Remove the faults that `fail` added."""
        self._injected.clear()

    def injected_fault(self, request: Request) -> Fault | None:
        """Return and consume the fault that `fail` added for this call, or return None."""
        for injected in self._injected:
            if injected.times < 1 or not request.url.path.startswith(injected.path):
                continue
            if injected.method in (None, request.method):
                injected.times -= 1
                return injected.fault
        return None

    def first_time(self, organization: str, key: str) -> bool:
        """Return whether this is the first call of this method for the idempotency key."""
        asked = (organization, key)
        first = asked not in self._once
        self._once.add(asked)
        return first

    def approve(self, user_code: str, person: str = "ada", *, billing: bool = True) -> None:
        """Approve the device code as the person, like the approval page.

        Raises:
            DeviceCodeError: The code is unknown, expired or used.
            KeyError: No person has the key.
        """
        self.sign_in.approve(user_code, person, billing=billing)

    def deny(self, user_code: str) -> None:
        """Deny the device code, like the approval page.

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
        """Open a session with exactly this scope and return its access and refresh tokens.

        The access token expires after `expires_in` seconds. None is the default of 15 minutes.
        """
        session, access = self.sign_in.open_session(
            self.people[person], scope.split(), client_id, expires_in
        )
        return access.text, session.refresh_token

    def revoke_session(self, person: str) -> None:
        """End every session of the person. Its calls answer `session_revoked`."""
        for session in self.sign_in.sessions_of(person):
            session.ended = True

    def revoke_spending(self, person: str, actor: str | None = "admin") -> None:
        """Revoke spending for the person's existing sessions. Calls answer `remote_spending_revoked`."""
        for session in self.sign_in.sessions_of(person):
            session.spending_revoked = True
            session.spending_revoked_by = actor

    def expire_access_tokens(self) -> None:
        """Expire every issued access token. Refresh tokens remain valid."""
        self.sign_in.expire_access_tokens()

    def reset(self) -> None:
        """Restore the initial organizations, scenarios, charges, traffic and clock. Keep the sessions."""
        self._advanced = 0.0
        self._undo.clear()
        self._injected.clear()
        self._once.clear()
        self.requests.clear()
        self.ledger.clear()
        self._organizations.clear()
        self._organizations.update(seeded_organizations())

    def start_over(self) -> None:
        """Restore the initial state, people included, and end and forget every session."""
        self.reset()
        self.people.clear()
        self.people.update(seeded_people())
        self.sign_in.forget()

    def _claims_of(self, person: Person) -> Mapping[str, object]:
        return token_claims(person, self.organization_of(person))
