"""The proxy on the way to Slack, from the environment."""

from __future__ import annotations

import pytest

from bot.slack.proxy import proxy_for

PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_without_settings_the_way_is_direct() -> None:
    assert proxy_for("https://slack.com/api/") is None


def test_slack_is_reached_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    assert proxy_for("https://slack.com/api/") == PROXY


@pytest.mark.parametrize("bypass", ["slack.com", "localhost,.slack.com", "*"])
def test_no_proxy_counts_for_slack_too(monkeypatch: pytest.MonkeyPatch, bypass: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", bypass)
    assert proxy_for("https://hooks.slack.com/commands/1") is None
