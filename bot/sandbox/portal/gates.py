"""The gates of a call, in the order of docs/portal.md, section 9.2: login, role, switch, scope, card.

The ledger checks the cap and the hourly limit after these gates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.sandbox.portal.refusals import RefusalError
from bot.sandbox.portal.scenarios import scenario_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from bot.sandbox.portal.accounts import Accounts
    from bot.sandbox.portal.models import Organization, Person
    from bot.sandbox.portal.scenario import Gate, Scenario
    from bot.sandbox.portal.sign_in import AccessToken

_CARD_GATES = ("consent_required", "card_paused", "card_expired", "card_mismatch")


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """The person of a bearer token. `membership` is None for a login without an organization."""

    token: AccessToken
    person: Person
    membership: Organization | None

    @property
    def organization(self) -> Organization:
        """Return the organization.

        Raises:
            RefusalError: `org_access_denied` for a login without an organization.
        """
        if self.membership is None:
            raise RefusalError.of("org_access_denied")
        return self.membership

    @property
    def scenario(self) -> Scenario:
        """Return the scenario of the caller's organization."""
        return scenario_of(self.membership)

    def require_session(self) -> None:
        """Require that the session is active.

        Raises:
            RefusalError: `session_revoked`.
        """
        if self._gate("session_revoked"):
            raise RefusalError.of("session_revoked")

    def require_organization(self) -> None:
        """Require an organization that the person manages.

        Raises:
            RefusalError: `org_access_denied`.
        """
        if self.membership is None or self._gate("org_access_denied"):
            raise RefusalError.of("org_access_denied")

    def require_role(self) -> None:
        """Require a person who may change plans.

        Raises:
            RefusalError: `role_required`.
        """
        if not self.person.may_change_plan or self._gate("role_required"):
            raise RefusalError.of("role_required")

    def require_switch(self) -> None:
        """Require that the organization allows charges from outside the portal.

        Raises:
            RefusalError: `cli_billing_disabled`, or its other name `remote_spending_disabled`.
        """
        if self._gate("remote_spending_disabled"):
            raise RefusalError.of("remote_spending_disabled")
        if not self.organization.cli_billing_enabled:
            raise RefusalError.of("cli_billing_disabled")

    def require_scope(self) -> None:
        """Require the scope `billing:manage` and a session whose spending is not revoked.

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
        """Require a payment method that may be charged.

        Raises:
            RefusalError: `no_payment_method`, `consent_required`, or an error of the card.
        """
        if not self.organization.has_payment_method:
            raise RefusalError.of("no_payment_method")
        for error in _CARD_GATES:
            if self._gate(error):
                raise RefusalError.of(error)

    def require_upgrade_today(self) -> None:
        """Require that no scenario has exhausted the daily upgrades.

        Raises:
            RefusalError: `upgrade_cap_exceeded`.
        """
        if self._gate("upgrade_cap_exceeded"):
            raise RefusalError.of("upgrade_cap_exceeded")

    def require_unbroken_auto_reload(self) -> None:
        """Require that auto-reload was not disabled after failures.

        Raises:
            RefusalError: `auto_top_up_disabled_failures`.
        """
        if self._gate("auto_top_up_disabled_failures"):
            raise RefusalError.of("auto_top_up_disabled_failures")

    def _gate(self, error: str) -> Gate | None:
        gate = self.scenario.gate
        return gate if gate is not None and gate.error == error else None


def identified(accounts: Accounts, request: Request) -> Caller:
    """Return the caller of a bearer token. The organization's scenario has no effect.

    Raises:
        RefusalError: `unauthorized` or `session_revoked`.
    """
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise RefusalError.of("unauthorized")
    token = accounts.sign_in.bearer(text.strip())
    person = accounts.people[token.session.person]
    return Caller(token=token, person=person, membership=accounts.organization_of(person))


def logged_in(accounts: Accounts, request: Request) -> Caller:
    """Return the caller after the first gate of every billing call.

    Raises:
        RefusalError: `unauthorized`, `session_revoked` or `org_access_denied`.
    """
    caller = identified(accounts, request)
    caller.require_session()
    caller.require_organization()
    return caller


def caller_if_known(accounts: Accounts, request: Request) -> Caller | None:
    """Return the caller, or None when `identified` refuses."""
    try:
        return identified(accounts, request)
    except RefusalError:
        return None
