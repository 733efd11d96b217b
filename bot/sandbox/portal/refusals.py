"""The table of refusals (docs/portal.md, section 9.3): status, code and a message for people.

RefusalError             any non-2xx answer with the body of a refusal
└── TokenRefusalError    the token endpoint's, with `error_description`
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.sandbox.portal.wire import ExactJSONResponse

_BILLING = "/billing"
_TOP_UP = "/billing?topup=open"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """One row of the table.

    Attributes:
        message: The message for people, or None when the portal sends none.
        portal_url: The page on which people can solve the problem, or None.
        recovery: The action for the client, or None.
        code: A second, newer name of the error, or None.
    """

    status: int
    message: str | None
    portal_url: str | None = _BILLING
    recovery: str | None = None
    code: str | None = None


_SWITCH_MESSAGE = "Remote Spending is switched off for this organization. An admin can turn it on."
_TABLE: dict[str, _Row] = {
    "unauthorized": _Row(
        status=401,
        message="Your access token is missing, invalid or has expired.",
        recovery="login",
    ),
    "session_revoked": _Row(
        status=401, message="This session was logged out. Please log in again.", recovery="login"
    ),
    "insufficient_scope": _Row(status=403, message="This needs the permission to manage billing."),
    "remote_spending_revoked": _Row(
        status=403, message="Remote Spending was turned off for this client.", recovery="reconnect"
    ),
    "cli_billing_disabled": _Row(
        status=403,
        message=_SWITCH_MESSAGE,
        recovery="enable_account_toggle",
        code="remote_spending_disabled",
    ),
    "remote_spending_disabled": _Row(status=403, message=_SWITCH_MESSAGE, recovery="enable_account_toggle"),
    "role_required": _Row(status=403, message="Only owners, admins and finance admins can do this."),
    "no_payment_method": _Row(
        status=403, message="Add a card to this organization first.", portal_url=_TOP_UP
    ),
    "consent_required": _Row(
        status=403, message="Please confirm this card once in the portal.", portal_url=_TOP_UP
    ),
    "card_paused": _Row(
        status=403,
        message="Charges to this card are paused after several declines. Check it in the portal.",
        portal_url=_TOP_UP,
    ),
    "card_expired": _Row(
        status=403, message="The card on file has expired. Replace it in the portal.", portal_url=_TOP_UP
    ),
    "card_mismatch": _Row(status=403, message=None, portal_url=_TOP_UP),
    "org_access_denied": _Row(
        status=403,
        message="This login is not connected to an organization you manage.",
        recovery="login",
    ),
    "monthly_cap_exceeded": _Row(status=403, message="This would go over the monthly limit."),
    "auto_top_up_disabled_failures": _Row(
        status=403, message="Auto-reload was switched off after several failed payments."
    ),
    "idempotency_conflict": _Row(
        status=409, message="This idempotency key was already used for something else."
    ),
    "rate_limited": _Row(status=429, message="Too many charges within an hour. Please wait a little."),
    "upgrade_cap_exceeded": _Row(status=429, message="You can change your plan five times a day."),
    "not_found": _Row(status=404, message="There is nothing here.", portal_url=None),
}


class RefusalError(Exception):
    """A refusal of a call, e.g. `RefusalError.of("no_payment_method")`."""

    def __init__(
        self,
        status: int,
        error: str,
        message: str | None,
        *,
        retry_after: str | None = None,
        **facts: object,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.message = message
        self.retry_after = retry_after
        self.facts = facts

    @classmethod
    def of(
        cls, error: str, *, retry_after: str | None = None, message: str | None = None, **facts: object
    ) -> RefusalError:
        """Return the refusal with this error code, with additional fields for its body."""
        row = _TABLE[error]
        usual = {"portalUrl": row.portal_url, "recovery": row.recovery, "code": row.code}
        refusal = cls(row.status, error, message or row.message, retry_after=retry_after)
        refusal.facts.update({name: value for name, value in usual.items() if value is not None})
        refusal.facts.update(facts)
        return refusal

    def body(self) -> dict[str, object]:
        """Return the JSON body."""
        said = {} if self.message is None else {"message": self.message}
        return {"error": self.error, **said, **self.facts}

    def response(self) -> ExactJSONResponse:
        """Return the HTTP response."""
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        if self.status == 401:  # noqa: PLR2004 RFC 6750 wants the challenge
            headers["WWW-Authenticate"] = "Bearer"
        return ExactJSONResponse(self.body(), self.status, headers=headers)


class TokenRefusalError(RefusalError):
    """A refusal in the form of RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(status, error, description)

    def body(self) -> dict[str, object]:
        """Return the JSON body."""
        return {"error": self.error, "error_description": self.message}


def invalid(message: str, **facts: str) -> RefusalError:
    """Return the refusal of an invalid request."""
    return RefusalError(400, "validation_failed", message, **facts)
