from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bot.sandbox.portal import Card
from bot.sandbox.portal.markup import Html, render
from tests.sandbox.portal.client import error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.client import PortalClient

NASTY = '"><script>alert(1)</script>'


async def answer(client: PortalClient, code: str, decision: str, person: str = "ada") -> tuple[int, str]:
    form = {"user_code": code, "person": person, "decision": decision}
    page = await client.http.post("/device", data=form)
    return page.status_code, page.text


async def test_the_approval_page_names_the_app_its_abilities_and_the_people(client: PortalClient) -> None:
    started = await client.ask_for_code()
    page = await client.http.get(started["verification_uri_complete"])
    for shown in (
        "Billing for Slack",
        started["user_code"],
        "Ada Lovelace",
        "owner",
        "Allow Remote Spending",
        "Approve without billing permission",
        "Deny",
        "Sandbox",
    ):
        assert shown in page.text
    assert "billing:manage" not in page.text


async def test_approving_on_the_page_grants_access(client: PortalClient) -> None:
    started = await client.ask_for_code()
    status, text = await answer(client, started["user_code"], "approve", "grace")
    granted = exact(await client.redeem(started["device_code"]))
    assert status == 200
    assert "You can close this tab and go back to Slack." in text
    client.access = granted["access_token"]
    assert (await client.state())["org"]["role"] == "ADMIN"


async def test_approving_without_billing_permission_leaves_the_scope_out(client: PortalClient) -> None:
    started = await client.ask_for_code()
    await answer(client, started["user_code"], "approve-without-billing")
    granted = exact(await client.redeem(started["device_code"]))
    assert granted["scope"] == "inference:invoke tool:invoke"


async def test_a_member_sees_who_can_give_the_permission(client: PortalClient) -> None:
    started = await client.ask_for_code()
    _, text = await answer(client, started["user_code"], "approve", "linus")
    assert "an owner, admin or finance admin of your organization has to give it" in text


async def test_denying_on_the_page_denies_access(client: PortalClient) -> None:
    started = await client.ask_for_code()
    await answer(client, started["user_code"], "deny")
    assert error_of(await client.redeem(started["device_code"])) == (400, "access_denied")


async def test_used_expired_and_unknown_codes_show_an_explanation(client: PortalClient) -> None:
    used, old = await client.ask_for_code(), await client.ask_for_code()
    await answer(client, used["user_code"], "approve")
    assert await answer(client, used["user_code"], "deny") != (200, "")
    page = await client.http.get(used["verification_uri_complete"])
    assert (page.status_code, "already used" in page.text) == (409, True)
    client.clock.tick(900)
    page = await client.http.get(old["verification_uri_complete"])
    assert (page.status_code, "has expired" in page.text) == (410, True)
    status, text = await answer(client, "WXYZ-WXYZ", "approve")
    assert status == 404
    assert "know this code" in text


async def test_the_page_asks_for_a_code_and_ignores_its_case_and_hyphen(
    client: PortalClient,
) -> None:
    started = await client.ask_for_code()
    assert 'name="user_code"' in (await client.http.get("/device")).text
    typed = started["user_code"].replace("-", " ").lower()
    page = await client.http.get("/device", params={"user_code": typed})
    assert started["user_code"] in page.text


async def test_an_answer_without_a_person_asks_again(client: PortalClient) -> None:
    started = await client.ask_for_code()
    assert (await answer(client, started["user_code"], "approve", "nobody"))[0] == 400
    assert error_of(await client.redeem(started["device_code"])) == (400, "authorization_pending")


async def test_a_login_without_billing_offers_no_billing_choice(client: PortalClient) -> None:
    started = await client.ask_for_code("inference:invoke")
    page = await client.http.get(started["verification_uri_complete"])
    assert "Approve without billing permission" not in page.text


async def test_external_values_are_escaped(client: PortalClient) -> None:
    acme = client.portal.organizations["acme"]
    acme.name, acme.card = NASTY, Card(brand=NASTY)
    client.portal.people["ada"].name = NASTY
    client.portal.people["ada"].role = NASTY
    form = {"client_id": NASTY, "scope": "billing:manage"}
    started = exact(await client.http.post("/api/oauth/device/code", data=form))
    await client.charge()
    pages = [
        await client.http.get("/device", params={"user_code": started["user_code"]}),
        await client.http.get("/device", params={"user_code": NASTY}),
        await client.http.get("/billing", params={"org": NASTY}),
        await client.http.get("/manage-subscription", params={"org_id": NASTY}),
    ]
    for page in pages:
        assert page.headers["content-type"].startswith("text/html")
        assert "<script" not in page.text
    assert "&lt;script&gt;" in pages[0].text
    assert "&lt;script&gt;" in pages[2].text


@pytest.mark.parametrize(
    "path",
    ["/device", "/billing?topup=open", "/orgs/globex/billing?topup=open", "/manage-subscription"],
)
async def test_pages_load_no_external_resources(client: PortalClient, path: str) -> None:
    page = await client.http.get(path)
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "prefers-color-scheme: dark" in page.text


async def test_the_billing_page_shows_the_charges_and_changes_the_switches(client: PortalClient) -> None:
    await client.charge("10.01")
    client.clock.tick(3)
    acme = client.portal.organizations["acme"]
    page = await client.http.get("/billing", params={"org": "acme"})
    assert "$142.50" in page.text
    assert "Visa ending in 4242" in page.text
    assert "Failed: card declined" in page.text

    await client.http.post("/billing", data={"org": "acme", "action": "remove-card"})
    await client.http.post("/billing", data={"org": "acme", "action": "switch-off"})
    form = {"org": "acme", "action": "scenario", "scenario": "declined"}
    moved = await client.http.post("/billing", data=form)

    assert acme.card is None
    assert acme.cli_billing_enabled is False
    assert acme.scenario == "declined"
    assert (moved.status_code, moved.headers["location"]) == (303, "/billing?org=acme")


async def test_the_plan_page_of_a_team_offers_no_plans(client: PortalClient) -> None:
    page = await client.http.get("/manage-subscription", params={"org_id": "org_globex"})
    assert "plan is not changed here" in page.text
    assert "Choose Plus" not in page.text


async def test_the_billing_page_has_an_address_of_each_organization(client: PortalClient) -> None:
    page = await client.http.get("/orgs/globex/billing?topup=open")
    assert page.text == (await client.http.get("/billing?org=globex")).text


@pytest.mark.parametrize("slug", ["acme", "globex", "plus-spent", "linkpay", "newkind", "extreme"])
async def test_amounts_are_shown_rounded_to_cents(client: PortalClient, slug: str) -> None:
    billing = await client.http.get(f"/orgs/{slug}/billing")
    plan = await client.http.get(f"/manage-subscription?org_id=org_{slug}")
    shown = re.findall(r"-?\$[\d.,]+\d", billing.text + plan.text)
    assert shown
    assert [amount for amount in shown if not re.fullmatch(r"\$[\d,]+(\.\d\d)?", amount)] == []


@pytest.mark.parametrize(
    "path",
    ["/billing?org=extreme", "/manage-subscription?org_id=org_extreme", "/device?user_code={code}"],
)
async def test_an_extreme_name_is_truncated_and_made_printable(client: PortalClient, path: str) -> None:
    code = (await client.ask_for_code())["user_code"]
    page = await client.http.get(path.format(code=code))
    assert page.status_code == 200
    assert "Extreme 🧪" in page.text
    assert "the end." not in page.text
    assert not set(page.text) & set("\x00\x07\x1b\ud800")


async def test_a_charge_of_an_extreme_organization_shows_on_its_page(client: PortalClient) -> None:
    client.sign_in("xena")
    await client.charge("99999999999999999999")
    page = await client.http.get("/billing?org=extreme")
    assert "$99,999,999,999,999,999,999" in page.text
    assert "Below $999,999,999,999,999,999,999,999,999,999, up to" in page.text


async def test_a_login_without_an_organization_can_be_approved(client: PortalClient) -> None:
    started = await client.ask_for_code()
    page = await client.http.get(started["verification_uri_complete"])
    assert "No organization" in page.text
    assert (await answer(client, started["user_code"], "approve", "noah"))[0] == 200
    granted = exact(await client.redeem(started["device_code"]))
    assert granted["scope"] == "inference:invoke tool:invoke"


def test_only_html_passes_a_template_unescaped() -> None:
    shown = render("<p>{text}{mark}</p>", text="a & <b>", mark=Html("<i></i>"))
    assert shown == "<p>a &amp; &lt;b&gt;<i></i></p>"
