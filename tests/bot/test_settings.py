from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.settings import Settings, SettingsError, load_settings
from bot.storage.cipher import generate_key

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_SIGNING_SECRET": "shh",
    "BILLING_BOT_KEYS": generate_key(),
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def load(monkeypatch: pytest.MonkeyPatch, **changed: str) -> Settings:
    for name, value in (GOOD | changed).items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_three_settings_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)
    assert settings.slack_api_url == "https://slack.com/api/"
    assert settings.database_url == "sqlite:///billing-bot.db"
    assert (settings.host, settings.port) == ("127.0.0.1", 3000)
    assert (settings.poll_interval_seconds, settings.poll_cap_seconds) == (2, 300)
    assert (settings.log_level, settings.log_format) == ("INFO", "json")
    assert settings.portal_base_url is None


def test_each_missing_setting_is_one_readable_line() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert len(caught.value.faults) == 3
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
        "BILLING_BOT_KEYS",
    ]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SLACK_BOT_TOKEN", "xapp-secret", "xoxb-"),
        ("SLACK_SIGNING_SECRET", "   ", "Basic Information"),
        ("BILLING_BOT_KEYS", "not-a-key", "generate-key"),
        ("BILLING_BOT_KEYS", ",", "generate-key"),
        ("SLACK_API_URL", "slack.com", "https://"),
        ("HERMES_PORTAL_BASE_URL", "portal", "https://"),
        ("DATABASE_URL", "mysql://user:hunter2@db/x", "sqlite:///file"),
        ("DATABASE_URL", "nonsense", "database URL"),
        ("PORT", "70000", "65535"),
        ("PORT", "http", "integer"),
        ("POLL_INTERVAL_SECONDS", "0", "greater than 0"),
        ("POLL_CAP_SECONDS", "1", "POLL_INTERVAL_SECONDS"),
        ("LOG_LEVEL", "LOUD", "INFO"),
        ("LOG_FORMAT", "xml", "console"),
    ],
)
def test_a_wrong_setting_names_itself_and_the_mend_but_not_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, **{name: value})
    (fault,) = caught.value.faults
    assert fault.startswith(f"{name}:")
    assert words in fault
    assert "\n" not in fault
    if len(value.strip()) > 4 and name != "LOG_FORMAT":
        assert value not in fault


def test_the_first_of_the_two_portal_settings_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"HERMES_PORTAL_BASE_URL": "https://one.example", "NOUS_PORTAL_BASE_URL": "https://two.example"}
    assert load(monkeypatch, **both).portal_base_url == "https://one.example"
    monkeypatch.delenv("HERMES_PORTAL_BASE_URL")
    assert load_settings().portal_base_url == "https://two.example"


def test_several_keys_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = generate_key(), generate_key()
    assert load(monkeypatch, BILLING_BOT_KEYS=f"{new}, {old}").keys() == (new, old)


def test_a_file_beside_the_program_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("PORT=4000\nHOST=localhost\n")
    settings = load(monkeypatch, PORT="5000")
    assert (settings.host, settings.port) == ("localhost", 5000)


def test_printing_the_settings_prints_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, SLACK_BOT_TOKEN="xoxb-very-secret", SLACK_SIGNING_SECRET="hush-hush")
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "xoxb-very-secret" not in shown
        assert "hush-hush" not in shown
        assert GOOD["BILLING_BOT_KEYS"] not in shown
