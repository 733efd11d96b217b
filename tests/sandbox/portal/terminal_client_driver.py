"""Run the terminal client (hermes-agent) against a sandbox portal and print a report.

Runs under an interpreter that has hermes-agent: `python terminal_client_driver.py PORTAL_URL`. The
last line that it prints is a JSON object; the client's own output comes before it.
"""

from __future__ import annotations

import json
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from agent import billing_view, subscription_view
from hermes_cli import auth, nous_account, nous_billing

PORTAL = sys.argv[1]
LATE_SECONDS = 3.5
REFUSALS = (
    "switch-off",
    "spending-disabled-error",
    "role-required",
    "no-card",
    "card-paused",
    "card-mismatch",
    "cap-exceeded",
    "remote-spending-revoked",
    "org-access-denied",
    "session-revoked",
    "rate-limited",
    "stripe-unavailable",
)
Step = Callable[[], object]


def post(path: str, fields: dict[str, str], *, as_json: bool = False) -> None:
    data = json.dumps(fields) if as_json else urllib.parse.urlencode(fields)
    kind = "application/json" if as_json else "application/x-www-form-urlencoded"
    request = urllib.request.Request(  # noqa: S310 the sandbox's own address
        PORTAL + path, data.encode(), {"Content-Type": kind}
    )
    urllib.request.urlopen(request, timeout=5).close()  # noqa: S310 same


def switch(scenario: str) -> None:
    post("/sandbox/scenario", {"organisation": "acme", "scenario": scenario}, as_json=True)


def advance(seconds: int) -> None:
    post("/sandbox/clock", {"advanceSeconds": seconds}, as_json=True)  # type: ignore[dict-item]


def approve(person: str) -> Callable[[str, str], None]:
    return lambda _, code: post("/device", {"user_code": code, "person": person, "decision": "approve"})


def approve_late(person: str) -> Callable[[str, str], None]:
    def wait(link: str, code: str) -> None:
        threading.Timer(LATE_SECONDS, approve(person), (link, code)).start()

    return wait


def log_in(person: str, on_verification: Callable[[str, str], None] | None = None) -> dict[str, Any]:
    state: dict[str, Any] = auth._nous_device_code_login(
        open_browser=False, on_verification=on_verification or approve(person)
    )
    auth.persist_nous_credentials(state)
    forget()
    return state


def forget() -> None:
    nous_billing.invalidate_cached_token()
    nous_account.reset_nous_portal_account_info_cache()


def refusal_of(step: Step) -> dict[str, object]:
    try:
        return {"answer": step()}
    except nous_billing.BillingError as error:
        names = ("status", "error", "code", "recovery", "actor", "portal_url", "retry_after")
        facts = {name: getattr(error, name) for name in names}
        return {"kind": type(error).__name__, "message": str(error), **facts}


def charge(amount: int, key: str) -> dict[str, Any]:
    answer: dict[str, Any] = nous_billing.post_charge(amount_usd=amount, idempotency_key=key)
    return answer


def refused(scenario: str) -> dict[str, object]:
    switch(scenario)
    try:
        return refusal_of(lambda: charge(25, f"refused-{scenario}"))
    finally:
        switch("by-amount")


def account() -> dict[str, Any]:
    info = nous_account.get_nous_portal_account_info(force_fresh=True)
    found = asdict(info)
    return {name: found[name] for name in found if name not in ("raw_account", "raw_claims")}


def first_login() -> dict[str, object]:
    state = log_in("ada", approve_late("ada"))
    snapshot = nous_account.get_nous_portal_account_info()
    return {
        "scope": state["scope"],
        "source": snapshot.source,
        "org_id": snapshot.org_id,
        "client_id": snapshot.client_id,
        "product_id": snapshot.product_id,
        "is_paid": snapshot.is_paid,
        "tools": snapshot.tool_gateway_entitled,
    }


def step_up() -> dict[str, object]:
    before = refusal_of(lambda: charge(25, "before"))
    granted = auth.step_up_nous_billing_scope(open_browser=False, on_verification=approve("ada"))
    forget()
    return {"before": before["kind"], "granted": granted, "held": auth.nous_token_has_billing_scope()}


def purchase() -> dict[str, object]:
    charge_id = charge(25, "purchase")["chargeId"]
    pending = nous_billing.get_charge_status(charge_id)
    advance(3)
    settled = nous_billing.get_charge_status(charge_id)
    again = charge(25, "purchase")["chargeId"]
    unknown = nous_billing.get_charge_status("never/made")
    return {
        "statuses": [pending["status"], settled["status"], unknown["status"]],
        "amount": settled["amountUsd"],
        "same": again == charge_id,
        "conflict": refusal_of(lambda: charge(26, "purchase"))["error"],
    }


def auto_reload() -> object:
    nous_billing.patch_auto_top_up(enabled=True, threshold=20, top_up_amount=100)
    return asdict(billing_view.build_billing_state())["auto_reload"]


def subscription() -> dict[str, object]:
    quote = subscription_view.subscription_change_preview_from_payload(
        nous_billing.post_subscription_preview(subscription_type_id="super")
    )
    scheduled = nous_billing.put_subscription_pending_change(subscription_type_id="free")
    pending = subscription_view.build_subscription_state().current
    cleared = nous_billing.delete_subscription_pending_change()
    cancelled = nous_billing.put_subscription_pending_change(cancel=True)
    nous_billing.delete_subscription_pending_change()
    upgraded = nous_billing.post_subscription_upgrade(
        subscription_type_id="super", idempotency_key="upgrade"
    )
    return {
        "quote": asdict(quote),
        "scheduled": scheduled,
        "pending": pending.pending_downgrade_tier_name,
        "cleared": cleared,
        "cancelled": cancelled,
        "upgraded": upgraded,
        "plan": subscription_view.build_subscription_state().current.tier_name,
    }


def other_people() -> Iterator[tuple[str, dict[str, object]]]:
    for person in ("pia", "rolf", "omar", "noah", "uma", "wanda", "tove", "xena", "theo"):
        log_in(person)
        state = subscription_view.build_subscription_state()
        yield (
            person,
            {
                "account": account(),
                "billing": asdict(billing_view.build_billing_state()),
                "can_change_plan": state.can_change_plan,
                "context": state.context,
                "tiers": [tier.tier_id for tier in state.tiers],
            },
        )


def main() -> None:
    report: dict[str, object] = {"login": first_login()}
    report["account"] = account()
    report["billing"] = asdict(billing_view.build_billing_state())
    report["step_up"] = step_up()
    report["purchase"] = purchase()
    report["auto_reload"] = auto_reload()
    report["subscription"] = subscription()
    report["refused"] = {name: refused(name) for name in REFUSALS}
    report["people"] = dict(other_people())
    sys.stdout.write("\n" + json.dumps(report, default=str) + "\n")


if __name__ == "__main__":
    main()
