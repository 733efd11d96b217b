"""Who may do what: the contract's gate order up to the card.

Login, role, kill-switch, scope, card; the cap and the hourly limit follow in the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.sandbox.portal.refusals import RefusalError
from bot.sandbox.portal.scenarios import scenario_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from bot.sandbox.portal.estate import Estate
    from bot.sandbox.portal.scenarios import Gate, Scenario
    from bot.sandbox.portal.sign_in import AccessToken
    from bot.sandbox.portal.world import Organisation, Person

_CARD_GATES = ("consent_required", "card_paused", "card_expired", "card_mismatch")


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who a bearer token speaks for; `membership` is None for a login without an organization."""

    token: AccessToken
    person: Person
    membership: Organisation | None

    @property
    def organisation(self) -> Organisation:
        """The organization.

        Raises:
            RefusalError: `org_access_denied`, without an organization.
        """
        if self.membership is None:
            raise RefusalError.of("org_access_denied")
        return self.membership

    @property
    def scenario(self) -> Scenario:
        """The row of `SCENARIOS` that the caller's organization is switched to."""
        return scenario_of(self.membership)

    def require_session(self) -> None:
        """Only while the session lives.

        Raises:
            RefusalError: `session_revoked`.
        """
        if self._gate("session_revoked"):
            raise RefusalError.of("session_revoked")

    def require_organisation(self) -> None:
        """Only for an organisation that the person manages.

        Raises:
            RefusalError: `org_access_denied`.
        """
        if self.membership is None or self._gate("org_access_denied"):
            raise RefusalError.of("org_access_denied")

    def require_role(self) -> None:
        """Only who may change plans.

        Raises:
            RefusalError: `role_required`.
        """
        if not self.person.may_change_plan or self._gate("role_required"):
            raise RefusalError.of("role_required")

    def require_switch(self) -> None:
        """Only while the organisation allows charges from outside the portal.

        Raises:
            RefusalError: `cli_billing_disabled`, or its other name `remote_spending_disabled`.
        """
        if self._gate("remote_spending_disabled"):
            raise RefusalError.of("remote_spending_disabled")
        if not self.organisation.cli_billing_enabled:
            raise RefusalError.of("cli_billing_disabled")

    def require_scope(self) -> None:
        """Only with `billing:manage`, and as long as spending is not revoked.

        Raises:
            RefusalError: `remote_spending_revoked` or `insufficient_scope`.
        """
        session, forced = self.token.session, self._gate("remote_spending_revoked")
        if session.spending_revoked or forced is not None:
            actor = forced.actor if forced is not None else session.spending_revoked_by
            facts = {} if actor is None else {"actor": actor}
            raise RefusalError.of("remote_spending_revoked", **facts)
        if not session.may_manage_billing or self._gate("insufficient_scope"):
            raise RefusalError.of("insufficient_scope")

    def require_card(self) -> None:
        """Only with a payment method on file that may be charged from here.

        Raises:
            RefusalError: `no_payment_method`, `consent_required`, or a trouble with the card.
        """
        if not self.organisation.has_payment_method:
            raise RefusalError.of("no_payment_method")
        for error in _CARD_GATES:
            if self._gate(error):
                raise RefusalError.of(error)

    def require_upgrade_today(self) -> None:
        """Only below the day's number of upgrades, which a scenario may have used up.

        Raises:
            RefusalError: `upgrade_cap_exceeded`.
        """
        if self._gate("upgrade_cap_exceeded"):
            raise RefusalError.of("upgrade_cap_exceeded")

    def require_unbroken_auto_reload(self) -> None:
        """Only when auto-reload was not switched off after failures.

        Raises:
            RefusalError: `auto_top_up_disabled_failures`.
        """
        if self._gate("auto_top_up_disabled_failures"):
            raise RefusalError.of("auto_top_up_disabled_failures")

    def _gate(self, error: str) -> Gate | None:
        gate = self.scenario.gate
        return gate if gate is not None and gate.error == error else None


def identified(estate: Estate, request: Request) -> Caller:
    """Who calls, whatever the organisation's scenario.

    Raises:
        RefusalError: `unauthorized` or `session_revoked`.
    """
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise RefusalError.of("unauthorized")
    token = estate.sign_in.bearer(text.strip())
    person = estate.people[token.session.person]
    return Caller(token=token, person=person, membership=estate.organisation_of(person))


def logged_in(estate: Estate, request: Request) -> Caller:
    """The first gate of every billing call.

    Raises:
        RefusalError: `unauthorized`, `session_revoked` or `org_access_denied`.
    """
    caller = identified(estate, request)
    caller.require_session()
    caller.require_organisation()
    return caller


def caller_if_known(estate: Estate, request: Request) -> Caller | None:
    """Who calls, or None where `identified` would refuse."""
    try:
        return identified(estate, request)
    except RefusalError:
        return None
