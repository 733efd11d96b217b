"""The contract's error table: status, code and a message for people.

RefusalError             any non-2xx answer with the contract's body
└── TokenRefusalError    the token endpoint's, with `error_description`
"""

from __future__ import annotations

from bot.sandbox.portal.wire import ExactJSONResponse

_TOP_UP = "/billing?topup=open"
_TABLE: dict[str, tuple[int, str, str | None]] = {
    "unauthorized": (401, "Your access token is missing, invalid or has expired.", None),
    "session_revoked": (401, "This session was logged out. Please log in again.", None),
    "insufficient_scope": (403, "This needs the permission to manage billing.", None),
    "remote_spending_revoked": (403, "Remote spending was turned off for this client.", None),
    "cli_billing_disabled": (
        403,
        "Remote billing is switched off for this organisation. An admin can turn it on.",
        "/billing",
    ),
    "role_required": (403, "Only owners, admins and billing managers can do this.", None),
    "no_payment_method": (403, "Add a card to this organisation first.", _TOP_UP),
    "consent_required": (403, "Please confirm this card once in the portal.", _TOP_UP),
    "org_access_denied": (
        403,
        "This login is not connected to an organisation you manage.",
        None,
    ),
    "monthly_cap_exceeded": (403, "This would go over the monthly limit.", "/billing"),
    "auto_top_up_disabled_failures": (
        403,
        "Auto-reload was switched off after several failed payments.",
        "/billing",
    ),
    "idempotency_conflict": (
        409,
        "This idempotency key was already used for something else.",
        None,
    ),
    "rate_limited": (429, "Too many charges within an hour. Please wait a little.", None),
    "upgrade_cap_exceeded": (429, "You can change your plan five times a day.", None),
    "not_found": (404, "There is nothing here.", None),
}
_EXTRAS = {
    "cli_billing_disabled": {"code": "remote_spending_disabled"},
    "remote_spending_revoked": {"recovery": "reconnect"},
}


class RefusalError(Exception):
    """An answer that says no, e.g. `RefusalError.of("no_payment_method")`."""

    def __init__(
        self,
        status: int,
        error: str,
        message: str,
        *,
        retry_after: str | None = None,
        **facts: str,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.message = message
        self.retry_after = retry_after
        self.facts = facts

    @classmethod
    def of(
        cls, error: str, *, retry_after: str | None = None, message: str | None = None, **facts: str
    ) -> RefusalError:
        """The row of the contract's error table with that code, with more facts for its body."""
        status, usual, portal_url = _TABLE[error]
        body = dict(_EXTRAS.get(error, {}))
        if portal_url is not None:
            body["portalUrl"] = portal_url
        return cls(status, error, message or usual, retry_after=retry_after, **{**body, **facts})

    def body(self) -> dict[str, str]:
        """The JSON body."""
        return {"error": self.error, "message": self.message, **self.facts}

    def response(self) -> ExactJSONResponse:
        """The answer as it goes over the wire."""
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        if self.status == 401:  # noqa: PLR2004 RFC 6750 wants the challenge
            headers["WWW-Authenticate"] = "Bearer"
        return ExactJSONResponse(self.body(), self.status, headers=headers)


class TokenRefusalError(RefusalError):
    """A refusal as RFC 6749, section 5.2, writes it."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(status, error, description)

    def body(self) -> dict[str, str]:
        """The JSON body."""
        return {"error": self.error, "error_description": self.message}


def invalid(message: str, **facts: str) -> RefusalError:
    """A request whose form is wrong."""
    return RefusalError(400, "validation_failed", message, **facts)
