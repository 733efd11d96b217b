"""Errors of ours, and refusals of the portal."""

from __future__ import annotations

from blocks.errors import error_copy, error_message, error_modal
from blocks.refusals import refusal_copy
from bot.domain.billing import Role
from bot.domain.errors import (
    OURS,
    CannotAskError,
    ChargeNotFoundError,
    GrantRefusedError,
    NoOrganizationError,
    NotAllowedError,
    NotInstalledError,
    NotLinkedError,
    NotReadyError,
    PortalUnavailableError,
    RefusalCode,
    StaleError,
    StoreUnavailableError,
    TooFastError,
)
from tests.support.catalogue.screen import Screen, screen
from tests.support.samples import NOW, STATE


def screens() -> list[Screen]:
    known = {
        "not-linked": NotLinkedError(),
        "no-organization": NoOrganizationError(),
        "grant-refused": GrantRefusedError("invalid_scope"),
        "member-may-not": NotAllowedError(RefusalCode.ROLE_REQUIRED, STATE.portal_url, role=Role.MEMBER),
        "admin-may-not": NotAllowedError(RefusalCode.ROLE_REQUIRED, STATE.portal_url, role=Role.ADMIN),
        "switch-off-admin": NotAllowedError(
            RefusalCode.BILLING_DISABLED, STATE.portal_url, role=Role.ADMIN
        ),
        "switch-off-finance-admin": NotAllowedError(
            RefusalCode.BILLING_DISABLED, STATE.portal_url, role=Role.FINANCE_ADMIN
        ),
        "portal-away": PortalUnavailableError("x"),
        "used-up": StaleError(),
        "starting": NotReadyError(),
        "not-installed": NotInstalledError(),
        "too-fast": TooFastError(),
        "cannot-ask": CannotAskError("https://portal.nousresearch.com/billing?topup=open"),
        "records-away": StoreUnavailableError(),
        "not-yours": ChargeNotFoundError(),
        "unexpected": RuntimeError("x"),
    }
    screens = []
    for name, error in known.items():
        copy, url = error_copy(error, now=NOW, incident="5f0c2a9e")
        screens.append(screen(f"error-{name}", "an error in answer to a command", error_message(copy, url)))
    for code in RefusalCode:
        if code in OURS:
            continue  # ours, and said of a charge alone
        detail = {
            RefusalCode.MONTHLY_CAP_EXCEEDED: "12.5",
            RefusalCode.VALIDATION_FAILED: "The portal's own words.",
        }.get(code)
        copy = refusal_copy(code, detail=detail)
        view = error_modal("Billing", copy, STATE.portal_url)
        screens.append(screen(f"refusal-{code.value}", f"the portal said {code.value}", view))
    return screens
