"""What can go wrong, as types. Errors carry codes and facts; the words for them live in `blocks.errors`.

BillingError
├── NotLinkedError            this person has not connected a portal account
├── RelinkRequiredError       the stored grant is dead; only connecting again helps
├── NoOrganizationError       the portal login belongs to no organization, so there is nothing to bill
├── NotAllowedError           judged here from the billing state, before anything is asked of the portal
├── ChargeNotFoundError       no such charge, or not this person's
├── SeveralChargesError       more than one charge begins with what was typed
├── PermissionMissingError    a purchase waits for the billing permission, which is not there yet
├── StaleError                a button or modal whose time is over
├── StoreUnavailableError     our own database does not answer, or cannot be written
├── CannotAskError            an open charge whose day is over: only the portal's own page can tell
├── TooFastError              more requests than a person makes
├── NotReadyError             the app has just started and cannot tell people apart yet
├── RuleError                 the operator's rules say no (`bot.domain.rules`)
├── NotInstalledError         the app is not, or no longer, installed where this person is
└── PortalError
    ├── PortalUnavailableError    no answer that can be used; nothing depends on it
    │   └── UnusableReplyError        the API's own answer lacks what is needed; the next is no better
    ├── GrantRefusedError         the portal does not grant this app what it asks for at a login
    ├── AmbiguousAnswerError      no usable answer on a money route: it may or may not have been charged
    └── PortalRefusalError        a typed "no" from the portal
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.domain.billing import Role


class RefusalCode(StrEnum):
    """The portal's `error` codes (docs/portal.md, section 9.3); OTHER keeps the server's message."""

    UNAUTHORIZED = "unauthorized"
    SESSION_REVOKED = "session_revoked"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    REMOTE_SPENDING_REVOKED = "remote_spending_revoked"
    BILLING_DISABLED = "cli_billing_disabled"
    ROLE_REQUIRED = "role_required"
    NO_PAYMENT_METHOD = "no_payment_method"
    CARD_PAUSED = "card_paused"
    CARD_EXPIRED = "card_expired"
    CARD_MISMATCH = "card_mismatch"
    CONSENT_REQUIRED = "consent_required"
    ORG_ACCESS_DENIED = "org_access_denied"
    MONTHLY_CAP_EXCEEDED = "monthly_cap_exceeded"
    AMOUNT_OUT_OF_BOUNDS = "amount_out_of_bounds"
    VALIDATION_FAILED = "validation_failed"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    RATE_LIMITED = "rate_limited"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    STRIPE_UNAVAILABLE = "stripe_unavailable"
    UPGRADE_CAP_EXCEEDED = "upgrade_cap_exceeded"
    AUTO_TOP_UP_DISABLED_FAILURES = "auto_top_up_disabled_failures"
    SUBSCRIPTION_MUTATION_REJECTED = "subscription_mutation_rejected"
    PREVIEW_REJECTED = "preview_rejected"
    SPENDING_STOPPED = "spending_stopped"
    """Ours, not the portal's: the operator stopped all spending before a confirmed charge was sent."""
    OTHER = "other"


ACCESS_LOST = frozenset(
    {
        RefusalCode.UNAUTHORIZED,
        RefusalCode.SESSION_REVOKED,
        RefusalCode.INSUFFICIENT_SCOPE,
        RefusalCode.REMOTE_SPENDING_REVOKED,
        RefusalCode.ORG_ACCESS_DENIED,
    }
)
"""Refusals that mean this grant may no longer look or spend."""

DEFAULT_CEILING = "default"
"""In a cap's detail: the portal's own ceiling."""

WAIT = frozenset(
    {
        RefusalCode.RATE_LIMITED,
        RefusalCode.TEMPORARILY_UNAVAILABLE,
        RefusalCode.STRIPE_UNAVAILABLE,
    }
)
"""Refusals that pass by themselves."""


class BillingError(Exception):
    """The root: everything this app expects to go wrong."""


class NotLinkedError(BillingError):
    """This person has not connected a portal account."""


class RelinkRequiredError(BillingError):
    """The stored grant is dead; only connecting again helps. Nothing was charged by what raised it."""


class NoOrganizationError(BillingError):
    """The portal login belongs to no organization (`account_missing`): there is nothing to bill."""


class NotAllowedError(BillingError):
    """The billing state says no before anything is asked of the portal's money routes.

    `role` is the person's own, so that the words name no rule that they meet.
    """

    def __init__(
        self, code: RefusalCode, portal_url: str | None = None, *, role: Role | None = None
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.portal_url = portal_url
        self.role = role


class ChargeNotFoundError(BillingError):
    """No such charge, or it belongs to somebody else: the two are not told apart."""


class SeveralChargesError(BillingError):
    """More than one charge begins with what was typed."""


class PermissionMissingError(BillingError):
    """A purchase waits for the billing permission, which is not there yet."""

    def __init__(self, charge_id: str) -> None:
        super().__init__(charge_id)
        self.charge_id = charge_id


class StaleError(BillingError):
    """A button or modal whose time is over."""


class StoreUnavailableError(BillingError):
    """Our own database does not answer or cannot be written. A change may or may not have been stored."""


class CannotAskError(BillingError):
    """An open charge whose day is over and whose id is not known: asking again might make the charge."""

    def __init__(self, portal_url: str | None) -> None:
        super().__init__()
        self.portal_url = portal_url


class TooFastError(BillingError):
    """More requests in a short time than a person makes."""


class NotReadyError(BillingError):
    """The app has just started and does not know its own workspace yet."""


class NotInstalledError(BillingError):
    """The app is not, or no longer, installed where this person is."""


class PortalError(BillingError):
    """The portal did not do as asked."""


class PortalUnavailableError(PortalError):
    """No answer that can be used: connection, timeout, 5xx, or a body that is not the API's.

    `retry_after` is in seconds when a 503 named it; `busy` tells a 503 from the rest.
    """

    def __init__(self, what: str, *, retry_after: int | None = None, busy: bool = False) -> None:
        super().__init__(what)
        self.retry_after = retry_after
        self.busy = busy


class UnusableReplyError(PortalUnavailableError):
    """The API answered with JSON that lacks what the call is for; the next answer will be no better."""


class GrantRefusedError(PortalError):
    """The portal does not grant this app what it asks for at a login, e.g. `invalid_scope`."""


class AmbiguousAnswerError(PortalError):
    """No usable answer on a money route: it may or may not have been charged. Ask again, same key.

    With `same_again` the next answer would be no better: the charge was taken, under an id that cannot be
    kept, so it is not asked for again at once.
    """

    def __init__(self, what: str, *, same_again: bool = False) -> None:
        super().__init__(what)
        self.same_again = same_again


class PortalRefusalError(PortalError):
    """A typed "no": `code`, the server's `message`, and the facts that came with it.

    `retry_after` is in seconds, None when absent or absurd; `remaining` in US dollars. With
    `is_default_ceiling` the limit that says no was set by the portal; an admin can set another one.
    """

    def __init__(
        self,
        code: RefusalCode,
        *,
        message: str | None = None,
        portal_url: str | None = None,
        retry_after: int | None = None,
        remaining: Decimal | None = None,
        is_default_ceiling: bool = False,
        actor: str | None = None,
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.message = message
        self.portal_url = portal_url
        self.retry_after = retry_after
        self.remaining = remaining
        self.is_default_ceiling = is_default_ceiling
        self.actor = actor

    @property
    def detail(self) -> str | None:
        """The one fact beside the code that its words need, as text to be stored with a charge.

        Of a cap what it leaves (and `default` for the portal's own), of revoked spending who did it, else
        the server's message.
        """
        if self.code is RefusalCode.MONTHLY_CAP_EXCEEDED:
            left = "" if self.remaining is None else format(self.remaining, "f")
            return f"{left} {DEFAULT_CEILING if self.is_default_ceiling else ''}".strip() or None
        if self.code is RefusalCode.REMOTE_SPENDING_REVOKED:
            return self.actor
        return self.message
