"""The exception tree. Errors carry codes and facts; their words are in `blocks.errors`.

BillingError
├── NotLinkedError            this person has not connected a portal account
├── RelinkRequiredError       the stored grant is dead; only connecting again helps
├── NoOrganizationError       the portal login belongs to no organization, so there is nothing to bill
├── NotAllowedError           the billing state forbids it; the portal was not asked
├── ChargeNotFoundError       no such charge, or not this person's
├── SeveralChargesError       more than one charge begins with the typed text
├── PermissionMissingError    a purchase waits for the billing permission
├── StaleError                an expired button or modal
├── StoreUnavailableError     our own database does not answer, or cannot be written
├── CannotAskError            an open charge that is too old to ask about; see the portal's own page
├── AskedTooSoonError         an open charge whose request may not be sent again yet
├── ReplayedError             a request that was sent again; it does nothing and is not answered
├── GivenUpError              a request that Slack called failed; it does nothing and is not answered
├── TooFastError              more requests than a person makes
├── NotReadyError             the app has just started and does not know its workspace yet
├── RequestError …            about requests for funds (`bot.domain.request_errors`)
├── RuleError                 an operator's rule forbids it (`bot.domain.rules`)
├── NotInstalledError         the app is not, or no longer, installed where this person is
└── PortalError
    ├── PortalUnavailableError    no usable answer; nothing was changed
    │   ├── UnusableReplyError        the API's answer lacks a required value; a retry would not help
    │   └── NoLoginError              no connection could be started
    ├── GrantRefusedError         the portal refuses what this app asks for at a login
    ├── AmbiguousAnswerError      no usable answer on a money route: it may or may not have been charged
    └── PortalRefusalError        a refusal with a code from the portal
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
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
    OTHER = "other"
    # Ours, not the portal's: the request for money was not sent.
    SPENDING_STOPPED = "spending_stopped"
    """All spending was stopped after the confirmation."""
    RULE_FORBIDS = "rule_forbids"
    """An operator's rule forbids it by now."""
    NOT_SENT_IN_TIME = "not_sent_in_time"
    """The confirmation is too old to be sent."""
    PRICE_CHANGED = "price_changed"
    """The portal wants another amount for the plan by now."""
    ALREADY_ON_TIER = "already_on_tier"
    """The organization has the plan already."""
    NOT_VERIFIED = "not_verified"
    """The stored purchase is not what the person confirmed."""
    REQUEST_ENDED = "request_ended"
    """The request that it was to pay was withdrawn."""
    TAKEN_OVER = "taken_over"
    """Somebody else pays the request that it was to pay."""
    LEFT_TO_OTHERS = "left_to_others"
    """The person leaves the request that it was to pay to others."""
    VOTE_LOST = "vote_lost"
    """Two people decide, and the first one's yes does not hold any more."""
    NOT_RENEWED = "not_renewed"
    """The portal refuses to renew this grant's token, without ending the session."""


OURS = frozenset(
    {
        RefusalCode.SPENDING_STOPPED,
        RefusalCode.RULE_FORBIDS,
        RefusalCode.NOT_SENT_IN_TIME,
        RefusalCode.PRICE_CHANGED,
        RefusalCode.ALREADY_ON_TIER,
        RefusalCode.NOT_VERIFIED,
        RefusalCode.REQUEST_ENDED,
        RefusalCode.TAKEN_OVER,
        RefusalCode.VOTE_LOST,
        RefusalCode.LEFT_TO_OTHERS,
        RefusalCode.NOT_RENEWED,
    }
)
"""Refusals by this app; the portal sends none of these codes."""


ACCESS_LOST = frozenset(
    {
        RefusalCode.UNAUTHORIZED,
        RefusalCode.SESSION_REVOKED,
        RefusalCode.INSUFFICIENT_SCOPE,
        RefusalCode.REMOTE_SPENDING_REVOKED,
        RefusalCode.ORG_ACCESS_DENIED,
    }
)
"""Refusals that mean this grant may no longer read or spend."""

DEFAULT_CEILING = "default"
"""Marks the portal's own limit in a monthly cap's detail."""

WAIT = frozenset(
    {
        RefusalCode.RATE_LIMITED,
        RefusalCode.TEMPORARILY_UNAVAILABLE,
        RefusalCode.STRIPE_UNAVAILABLE,
    }
)
"""Refusals that are temporary."""


class BillingError(Exception):
    """The root of all errors that this app expects."""


class NotLinkedError(BillingError):
    """This person has not connected a portal account."""


class RelinkRequiredError(BillingError):
    """The stored grant is dead; only connecting again helps. The failed call charged nothing."""


class NoOrganizationError(BillingError):
    """The portal login belongs to no organization (`account_missing`): there is nothing to bill."""


class NotAllowedError(BillingError):
    """The billing state forbids it; the portal's money routes were not called.

    `role` is the person's own. The words leave out requirements that this role already meets.
    """

    def __init__(
        self, code: RefusalCode, portal_url: str | None = None, *, role: Role | None = None
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.portal_url = portal_url
        self.role = role


class ChargeNotFoundError(BillingError):
    """There is no such charge, or it belongs to another person. The error does not say which."""


class SeveralChargesError(BillingError):
    """More than one charge begins with the typed text."""


class PermissionMissingError(BillingError):
    """A purchase waits for the billing permission, which has not been granted yet."""

    def __init__(self, charge_id: str) -> None:
        super().__init__(charge_id)
        self.charge_id = charge_id


class StaleError(BillingError):
    """The button or modal has expired."""


class StoreUnavailableError(BillingError):
    """Our own database does not answer or cannot be written. A change may or may not have been stored."""


class CannotAskError(BillingError):
    """The charge is too old and its portal id is unknown. Sending it again could make a new charge."""

    def __init__(self, portal_url: str | None) -> None:
        super().__init__()
        self.portal_url = portal_url


class AskedTooSoonError(BillingError):
    """Asking about this open charge means to send its request again, which may happen at `at` (UTC)."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at


class ReplayedError(BillingError):
    """Something was changed for this very request before: it was sent again, and does nothing now."""


class GivenUpError(BillingError):
    """Slack has told the person that this very request failed: it does nothing and is not answered."""


class TooFastError(BillingError):
    """More requests in a short time than a person makes."""


class NotReadyError(BillingError):
    """The app has just started and does not know its own workspace yet."""


class NotInstalledError(BillingError):
    """The app is not, or no longer, installed where this person is."""


class PortalError(BillingError):
    """The portal did not do what was asked."""


class PortalUnavailableError(PortalError):
    """No usable answer: no connection, a timeout, a 5xx, or a body that is not the API's.

    `retry_after` is in seconds if a 503 named it; `busy` is true for a 503. `sent` is false if the request
    certainly did not leave.
    """

    def __init__(
        self, what: str, *, retry_after: int | None = None, busy: bool = False, sent: bool = True
    ) -> None:
        super().__init__(what)
        self.retry_after = retry_after
        self.busy = busy
        self.sent = sent


class UnusableReplyError(PortalUnavailableError):
    """The API answered with JSON that lacks a required value; a retry would not help."""


class NoLoginError(PortalUnavailableError):
    """The portal did not answer when a connection was to be started."""


class GrantRefusedError(PortalError):
    """The portal refuses what this app asks for at a login, e.g. `invalid_scope`."""


class AmbiguousAnswerError(PortalError):
    """No usable answer on a money route: it may or may not have been charged. Retry with the same key.

    With `same_again` an immediate retry would not help: the portal accepted the charge, but its id cannot
    be stored.
    """

    def __init__(self, what: str, *, same_again: bool = False) -> None:
        super().__init__(what)
        self.same_again = same_again


class PortalRefusalError(PortalError):
    """A refusal with a code, the server's message, and further facts.

    `retry_after` is in seconds, None if absent or absurd; `remaining` is in US dollars.
    `is_default_ceiling`: the exceeded limit is the portal's default, which an admin can change.
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
        """The one fact besides the code that the words need, as text to store with a charge.

        For the monthly cap, the amount left (and `default` for the portal's own limit). For revoked
        spending, who revoked it. Otherwise the server's message.
        """
        if self.code is RefusalCode.MONTHLY_CAP_EXCEEDED:
            left = "" if self.remaining is None else format(self.remaining, "f")
            return f"{left} {DEFAULT_CEILING if self.is_default_ceiling else ''}".strip() or None
        if self.code is RefusalCode.REMOTE_SPENDING_REVOKED:
            return self.actor
        return self.message
