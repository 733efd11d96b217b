from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.portal.hosts import (
    DEFAULT_BASE_URL,
    ForeignHostError,
    HostRules,
    manage_subscription_url,
    origin_of,
    portal_link,
)

BASE = "https://portal.nousresearch.com"


@pytest.mark.behavior(52)
@pytest.mark.parametrize(
    "stored",
    [
        "https://evil.example",
        "http://portal.nousresearch.com",
        "https://portal.nousresearch.com.evil.example",
        "https://portal.nousresearch.com@evil.example",
        "https://evil.example#portal.nousresearch.com",
        "https://portal.nousresearch.com:444",
        "ftp://127.0.0.1",
        "//evil.example",
        "",
        "http://127.0.0.1.evil.example",
    ],
)
def test_a_stored_host_outside_the_allow_list_is_refused(stored: str) -> None:
    if not stored:
        assert HostRules().base_for(stored) == DEFAULT_BASE_URL
        return
    with pytest.raises(ForeignHostError):
        HostRules().base_for(stored)


@pytest.mark.behavior(52)
def test_only_the_environment_may_name_another_host() -> None:
    rules = HostRules(environment_base_url="https://portal.staging.example/")
    assert rules.base_for() == "https://portal.staging.example"
    assert rules.base_for("https://evil.example") == "https://portal.staging.example"


@pytest.mark.parametrize("stored", [BASE, "http://127.0.0.1:8766", "http://localhost:1", "http://[::1]:2"])
def test_the_portal_and_loopback_are_allowed(stored: str) -> None:
    assert HostRules().base_for(stored) == stored


@pytest.mark.behavior(53)
@pytest.mark.parametrize(
    ("sent", "link"),
    [
        ("/billing?topup=open", f"{BASE}/billing?topup=open"),
        ("billing", f"{BASE}/billing"),
        (f"{BASE}/x?y=1", f"{BASE}/x?y=1"),
        (None, f"{BASE}/billing?topup=open"),
        ("", f"{BASE}/billing?topup=open"),
        ("//evil.example", f"{BASE}/billing?topup=open"),
        ("https://evil.example/x", f"{BASE}/billing?topup=open"),
        ("http://portal.nousresearch.com/x", f"{BASE}/billing?topup=open"),
        ("\\\\evil.example", f"{BASE}/billing?topup=open"),
        ("javascript:alert(1)", f"{BASE}/billing?topup=open"),
        ("https://u:p@portal.nousresearch.com/", f"{BASE}/billing?topup=open"),
        ("/x\n/y", f"{BASE}/billing?topup=open"),
        ("https://[", f"{BASE}/billing?topup=open"),
    ],
)
def test_a_sent_link_becomes_absolute_or_the_standard_one(sent: str | None, link: str) -> None:
    assert portal_link(BASE, sent) == link


@given(st.text())
def test_no_sent_link_leads_to_another_origin(sent: str) -> None:
    assert origin_of(portal_link(BASE, sent)) == BASE


def test_the_plan_page_names_the_organization() -> None:
    assert (
        manage_subscription_url(f"{BASE}/x", "org/1 2") == f"{BASE}/manage-subscription?org_id=org%2F1%202"
    )
