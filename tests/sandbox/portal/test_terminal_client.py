"""The terminal client of the same API against the sandbox portal, over HTTP.

Where the client and the sandbox disagree, the sandbox is wrong: the client was made for the live portal.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.portal import PortalSandbox
from bot.sandbox.serving import serve
from tests.support.terminal_client import NotInstalledError, terminal_client_python

pytestmark = pytest.mark.terminal_client

DRIVER = Path(__file__).with_name("terminal_client_driver.py")
RUN_SECONDS = 60


@pytest.fixture(scope="module")
def python() -> Path:
    try:
        return terminal_client_python()
    except NotInstalledError as error:
        pytest.skip(f"the terminal client cannot be installed here: {error}")


@pytest.fixture(scope="module")
def portal() -> PortalSandbox:
    return PortalSandbox()


@pytest.fixture(scope="module")
def client(python: Path, portal: PortalSandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the report that the driver printed."""
    return asyncio.run(drive(python, portal, tmp_path_factory.mktemp("home")))


async def drive(python: Path, portal: PortalSandbox, home: Path) -> dict[str, Any]:
    async with serve(portal.app) as url, asyncio.timeout(RUN_SECONDS):
        portal.public_url = url
        process = await asyncio.create_subprocess_exec(
            python,
            "-I",
            DRIVER,
            url,
            env={
                "PATH": os.environ.get("PATH", ""),
                "HOME": str(home),
                "HERMES_HOME": str(home / "hermes"),
                "HERMES_SHARED_AUTH_DIR": str(home / "shared"),
                "HERMES_PORTAL_BASE_URL": url,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, said = await process.communicate()
    assert process.returncode == 0, said.decode(errors="replace")
    report: dict[str, Any] = json.loads(printed.decode().strip().splitlines()[-1])
    return report


def test_a_client_that_polls_too_fast_and_adds_one_second_gets_in(
    client: dict[str, Any], portal: PortalSandbox
) -> None:
    asked = [each.status for each in portal.requests if each.path == "/api/oauth/token"]
    assert asked[:3] == [400, 400, 400]
    assert 200 in asked[3:6]
    assert client["login"]["scope"] == "inference:invoke"


def test_the_token_alone_says_what_the_account_may_use(client: dict[str, Any]) -> None:
    assert client["login"] == {
        "scope": "inference:invoke",
        "source": "jwt",
        "org_id": "org_acme",
        "client_id": "hermes-cli",
        "product_id": "hermes",
        "is_paid": True,
        "tools": True,
    }


def test_the_account_and_the_overview_are_read_completely(client: dict[str, Any]) -> None:
    assert client["account"]["subscription"]["credits_remaining"] == 13.199784210017
    assert client["account"]["paid_service_access_info"]["reason"] == "usable_credits"
    billing = client["billing"]
    assert (billing["balance_usd"], billing["can_change_plan_raw"]) == ("142.500213968254", True)
    assert billing["monthly_cap"]["spent_this_month_usd"] == "179.999582671439"
    assert billing["portal_url"].endswith("/billing?topup=open")


def test_a_step_up_follows_the_missing_permission(client: dict[str, Any]) -> None:
    assert client["step_up"] == {"before": "BillingScopeRequired", "granted": True, "held": True}


def test_a_charge_settles_once_under_its_key(client: dict[str, Any]) -> None:
    assert client["purchase"] == {
        "statuses": ["pending", "settled", "pending"],
        "amount": "25",
        "same": True,
        "conflict": "idempotency_conflict",
    }


def test_auto_reload_is_turned_on(client: dict[str, Any]) -> None:
    auto_reload = client["auto_reload"]
    assert (auto_reload["enabled"], auto_reload["reload_to_usd"]) == (True, "100")


def test_a_plan_is_quoted_scheduled_kept_and_upgraded(client: dict[str, Any]) -> None:
    done = client["subscription"]
    assert (done["quote"]["effect"], done["quote"]["amount_due_now_cents"]) == ("charge_now", 8000)
    assert (done["scheduled"]["changeType"], done["pending"]) == ("downgrade", "Free")
    assert done["cleared"]["cancelAtPeriodEnd"] is False
    assert done["cancelled"]["cancelAtPeriodEnd"] is True
    assert (done["upgraded"]["status"], done["plan"]) == ("upgraded", "Super")


@pytest.mark.parametrize(
    ("scenario", "kind", "error", "recovery"),
    [
        ("switch-off", "BillingError", "cli_billing_disabled", "enable_account_toggle"),
        (
            "spending-disabled-error",
            "BillingError",
            "remote_spending_disabled",
            "enable_account_toggle",
        ),
        ("role-required", "BillingError", "role_required", None),
        ("no-card", "BillingError", "no_payment_method", None),
        ("card-paused", "BillingError", "card_paused", None),
        ("card-mismatch", "BillingError", "card_mismatch", None),
        ("cap-exceeded", "BillingError", "monthly_cap_exceeded", None),
        (
            "remote-spending-revoked",
            "BillingRemoteSpendingRevoked",
            "remote_spending_revoked",
            "reconnect",
        ),
        ("org-access-denied", "BillingError", "org_access_denied", "login"),
        ("session-revoked", "BillingSessionRevoked", "session_revoked", "login"),
        ("rate-limited", "BillingRateLimited", "rate_limited", None),
        ("stripe-unavailable", "BillingStripeUnavailable", "stripe_unavailable", None),
    ],
)
def test_a_refusal_is_understood_with_its_recovery_and_link(
    client: dict[str, Any], scenario: str, kind: str, error: str, recovery: str | None
) -> None:
    refused = client["refused"][scenario]
    assert (refused["kind"], refused["error"], refused["recovery"]) == (kind, error, recovery)
    assert refused["portal_url"].startswith("http://127.0.0.1")


@pytest.mark.parametrize(
    ("person", "left", "purchased", "total"),
    [
        ("pia", -1e-22, 32.0836345329777, 32.0836345329777),
        ("rolf", 22.472091793333334, 0, 22.472091793333334),
    ],
)
def test_a_published_answer_is_read_as_it_was_published(
    client: dict[str, Any], person: str, left: float, purchased: float, total: float
) -> None:
    account = client["people"][person]["account"]
    access = account["paid_service_access_info"]
    assert account["paid_service_access"] is True
    assert account["subscription"]["credits_remaining"] == left
    assert access["purchased_credits_remaining"] == purchased
    assert access["total_usable_credits"] == total


@pytest.mark.parametrize(
    ("person", "allowed", "reason"),
    [
        ("omar", False, "member_spend_cap_exceeded"),
        ("noah", False, "account_missing"),
        ("uma", True, "usable_credits"),
    ],
)
def test_the_client_reads_the_portals_decision(
    client: dict[str, Any], person: str, allowed: bool, reason: str
) -> None:
    account = client["people"][person]["account"]
    assert account["paid_service_access"] is allowed
    assert account["paid_service_access_info"]["reason"] == reason


def test_a_login_without_an_organization_sees_no_billing(client: dict[str, Any]) -> None:
    noah = client["people"]["noah"]
    assert noah["account"]["org_id"] is None
    assert (noah["billing"]["logged_in"], noah["tiers"]) == (False, [])


def test_unusual_answers_are_read_without_an_error(client: dict[str, Any]) -> None:
    people = client["people"]
    assert people["wanda"]["billing"]["balance_usd"] == "26.359848035936"
    assert people["tove"]["tiers"] == ["plus", "super", "ultra", "founders"]
    assert (people["theo"]["context"], people["theo"]["can_change_plan"]) == ("team", True)
    assert len(people["xena"]["billing"]["org_name"]) == 2940
    assert {each["account"]["error"] for each in people.values()} == {None}
