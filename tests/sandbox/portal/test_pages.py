from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bot.sandbox.portal import Card
from bot.sandbox.portal.markup import Html, render
from tests.sandbox.portal.desk import error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.desk import Desk

NASTY = '"><script>alert(1)</script>'


async def answer(desk: Desk, code: str, decision: str, person: str = "ada") -> tuple[int, str]:
    form = {"user_code": code, "person": person, "decision": decision}
    page = await desk.http.post("/device", data=form)
    return page.status_code, page.text


async def test_the_approval_page_names_the_app_its_abilities_and_the_people(desk: Desk) -> None:
    started = await desk.ask_for_code()
    page = await desk.http.get(started["verification_uri_complete"])
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


async def test_approving_on_the_page_lets_the_app_in(desk: Desk) -> None:
    started = await desk.ask_for_code()
    status, text = await answer(desk, started["user_code"], "approve", "grace")
    granted = exact(await desk.redeem(started["device_code"]))
    assert status == 200
    assert "You can close this tab and go back to Slack." in text
    desk.access = granted["access_token"]
    assert (await desk.state())["org"]["role"] == "ADMIN"


async def test_approving_without_billing_permission_leaves_the_scope_out(desk: Desk) -> None:
    started = await desk.ask_for_code()
    await answer(desk, started["user_code"], "approve-without-billing")
    granted = exact(await desk.redeem(started["device_code"]))
    assert granted["scope"] == "inference:invoke tool:invoke"


async def test_a_member_is_told_who_has_to_give_the_permission(desk: Desk) -> None:
    started = await desk.ask_for_code()
    _, text = await answer(desk, started["user_code"], "approve", "linus")
    assert "an owner, admin or finance admin of your organization has to give it" in text


async def test_denying_on_the_page_turns_the_app_away(desk: Desk) -> None:
    started = await desk.ask_for_code()
    await answer(desk, started["user_code"], "deny")
    assert error_of(await desk.redeem(started["device_code"])) == (400, "access_denied")


async def test_used_expired_and_unknown_codes_get_a_clear_sentence(desk: Desk) -> None:
    used, old = await desk.ask_for_code(), await desk.ask_for_code()
    await answer(desk, used["user_code"], "approve")
    assert await answer(desk, used["user_code"], "deny") != (200, "")
    page = await desk.http.get(used["verification_uri_complete"])
    assert (page.status_code, "already used" in page.text) == (409, True)
    desk.clock.tick(900)
    page = await desk.http.get(old["verification_uri_complete"])
    assert (page.status_code, "has expired" in page.text) == (410, True)
    status, text = await answer(desk, "WXYZ-WXYZ", "approve")
    assert status == 404
    assert "know this code" in text


async def test_without_a_code_the_page_asks_for_one_and_takes_it_loosely_typed(desk: Desk) -> None:
    started = await desk.ask_for_code()
    assert 'name="user_code"' in (await desk.http.get("/device")).text
    typed = started["user_code"].replace("-", " ").lower()
    page = await desk.http.get("/device", params={"user_code": typed})
    assert started["user_code"] in page.text


async def test_an_answer_without_a_person_asks_again(desk: Desk) -> None:
    started = await desk.ask_for_code()
    assert (await answer(desk, started["user_code"], "approve", "nobody"))[0] == 400
    assert error_of(await desk.redeem(started["device_code"])) == (400, "authorization_pending")


async def test_a_login_without_billing_offers_no_billing_choice(desk: Desk) -> None:
    started = await desk.ask_for_code("inference:invoke")
    page = await desk.http.get(started["verification_uri_complete"])
    assert "Approve without billing permission" not in page.text


async def test_everything_that_comes_from_outside_is_escaped(desk: Desk) -> None:
    acme = desk.portal.organisations["acme"]
    acme.name, acme.card = NASTY, Card(brand=NASTY)
    desk.portal.people["ada"].name = NASTY
    desk.portal.people["ada"].role = NASTY
    form = {"client_id": NASTY, "scope": "billing:manage"}
    started = exact(await desk.http.post("/api/oauth/device/code", data=form))
    await desk.charge()
    pages = [
        await desk.http.get("/device", params={"user_code": started["user_code"]}),
        await desk.http.get("/device", params={"user_code": NASTY}),
        await desk.http.get("/billing", params={"org": NASTY}),
        await desk.http.get("/manage-subscription", params={"org_id": NASTY}),
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
async def test_pages_need_nothing_from_elsewhere(desk: Desk, path: str) -> None:
    page = await desk.http.get(path)
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "prefers-color-scheme: dark" in page.text


async def test_the_billing_page_shows_the_book_and_turns_the_switches(desk: Desk) -> None:
    await desk.charge("10.01")
    desk.clock.tick(3)
    acme = desk.portal.organisations["acme"]
    page = await desk.http.get("/billing", params={"org": "acme"})
    assert "$142.50" in page.text
    assert "Visa ending in 4242" in page.text
    assert "Failed: card declined" in page.text

    await desk.http.post("/billing", data={"org": "acme", "action": "remove-card"})
    await desk.http.post("/billing", data={"org": "acme", "action": "switch-off"})
    form = {"org": "acme", "action": "scenario", "scenario": "declined"}
    moved = await desk.http.post("/billing", data=form)

    assert acme.card is None
    assert acme.cli_billing_enabled is False
    assert acme.scenario == "declined"
    assert (moved.status_code, moved.headers["location"]) == (303, "/billing?org=acme")


async def test_the_plan_page_of_a_team_sells_nothing(desk: Desk) -> None:
    page = await desk.http.get("/manage-subscription", params={"org_id": "org_globex"})
    assert "plan is not changed here" in page.text
    assert "Choose Plus" not in page.text


async def test_the_billing_page_has_an_address_of_each_organization(desk: Desk) -> None:
    page = await desk.http.get("/orgs/globex/billing?topup=open")
    assert page.text == (await desk.http.get("/billing?org=globex")).text


@pytest.mark.parametrize("slug", ["acme", "globex", "plus-spent", "linkpay", "newkind", "extreme"])
async def test_amounts_are_shown_rounded_to_cents(desk: Desk, slug: str) -> None:
    billing = await desk.http.get(f"/orgs/{slug}/billing")
    plan = await desk.http.get(f"/manage-subscription?org_id=org_{slug}")
    shown = re.findall(r"-?\$[\d.,]+\d", billing.text + plan.text)
    assert shown
    assert [amount for amount in shown if not re.fullmatch(r"\$[\d,]+(\.\d\d)?", amount)] == []


@pytest.mark.parametrize(
    "path",
    ["/billing?org=extreme", "/manage-subscription?org_id=org_extreme", "/device?user_code={code}"],
)
async def test_an_extreme_name_is_cut_and_made_showable(desk: Desk, path: str) -> None:
    code = (await desk.ask_for_code())["user_code"]
    page = await desk.http.get(path.format(code=code))
    assert page.status_code == 200
    assert "Extreme 🧪" in page.text
    assert "the end." not in page.text
    assert not set(page.text) & set("\x00\x07\x1b\ud800")


async def test_a_charge_of_an_extreme_organization_shows_in_its_book(desk: Desk) -> None:
    desk.sign_in("xena")
    await desk.charge("99999999999999999999")
    page = await desk.http.get("/billing?org=extreme")
    assert "$99,999,999,999,999,999,999" in page.text
    assert "Below $999,999,999,999,999,999,999,999,999,999, up to" in page.text


async def test_a_login_without_an_organization_can_be_approved(desk: Desk) -> None:
    started = await desk.ask_for_code()
    page = await desk.http.get(started["verification_uri_complete"])
    assert "No organization" in page.text
    assert (await answer(desk, started["user_code"], "approve", "noah"))[0] == 200
    granted = exact(await desk.redeem(started["device_code"]))
    assert granted["scope"] == "inference:invoke tool:invoke"


def test_only_html_passes_a_template_unescaped() -> None:
    shown = render("<p>{text}{mark}</p>", text="a & <b>", mark=Html("<i></i>"))
    assert shown == "<p>a &amp; &lt;b&gt;<i></i></p>"
