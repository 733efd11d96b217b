from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from bot.environment import SettingsError, load_settings
from bot.settings import Settings
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
        ("SLACK_APP_TOKEN", "xoxb-secret", "xapp-"),
        ("MAX_CHARGE", "-5", "greater than 0"),
        ("MAX_CHARGE", "10.001", "decimal places"),
        ("MAX_CHARGE_PER_DAY", "lots", "dollars as 50"),
        ("ALLOWED_USERS", "@ada", "Slack ids"),
        ("ALLOWED_USERS", ",", "names nobody"),
        ("ALLOWED_CHANNELS", "#billing", "channel ids"),
        ("LOCK_USERS", "T0ACME:", "Slack ids"),
        ("PURGE_AFTER_DAYS", "1", "30"),
        ("PURGE_AFTER_DAYS", "99999999999", "36500"),
        ("READ_ONLY", "perhaps", "true nor false"),
        ("BILLING_BOT_KEYS", "not-a-key", "generate-key"),
        ("BILLING_BOT_KEYS", ",", "generate-key"),
        ("SLACK_API_URL", "slack.com", "https://"),
        ("HERMES_PORTAL_BASE_URL", "portal", "https://"),
        ("DATABASE_URL", "mysql://user:hunter2@db/x", "sqlite:///file"),
        ("DATABASE_URL", "nonsense", "database URL"),
        ("SLACK_API_URL", "https:///api/", "https://"),
        ("HERMES_PORTAL_BASE_URL", "https://portal .example", "no spaces"),
        ("NOUS_PORTAL_BASE_URL", "https://portal.example:http", "web address"),
        ("NOUS_PORTAL_BASE_URL", "https://portal.example/?org=1", "parameters"),
        ("HOST", "0.0.0.0 ; rm", "one word"),
        ("PORTAL_CLIENT_ID", "hermes cli", "one word"),
        ("ALLOWED_ORGANIZATIONS", "Acme Research", "ids"),
        ("DATABASE_URL", "postgresql://u:hunter2@db/x?pgbouncer=true", "pgbouncer: a parameter"),
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


SECRETS = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "BILLING_BOT_KEYS")


def given(name: str) -> str:
    return {**GOOD, "SLACK_APP_TOKEN": "xapp-1"}[name]


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\N{NO-BREAK SPACE}"])
def test_what_an_editor_leaves_at_the_end_of_a_secret_does_not_belong_to_it(
    monkeypatch: pytest.MonkeyPatch, name: str, end: str
) -> None:
    settings = load(monkeypatch, **{name: given(name) + end})
    value = getattr(settings, name.lower())
    secret = value[0] if isinstance(value, tuple) else value
    assert secret.get_secret_value() == given(name)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("broken", ['"{}"', "'{}'", "“{}”"])
def test_a_secret_with_quotes_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, broken: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, **{name: broken.format(given(name))})
    assert caught.value.faults == [
        f"{name}: has quotes, a space or a line break in it; copy it again without them"
    ]


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("inside", ["\n", " ", "\N{ZERO WIDTH SPACE}"])
def test_a_secret_with_a_break_inside_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, inside: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, **{name: given(name)[:2] + inside + given(name)[2:]})
    assert "copy it again" in caught.value.faults[0]


def test_a_clients_id_and_secret_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, SLACK_CLIENT_ID="1111.2222")
    assert caught.value.faults[0].startswith("SLACK_CLIENT_SECRET: goes together with SLACK_CLIENT_ID")


def test_one_workspace_or_many_never_both(monkeypatch: pytest.MonkeyPatch) -> None:
    client = {"SLACK_CLIENT_ID": "1111.2222", "SLACK_CLIENT_SECRET": "hush"}
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, **client)
    assert caught.value.faults == [
        "SLACK_BOT_TOKEN: never together with SLACK_CLIENT_ID: one workspace, or many by OAuth"
    ]
    monkeypatch.delenv("SLACK_BOT_TOKEN")
    assert load_settings().bot_token is None


def test_with_an_app_level_token_the_signing_secret_may_be_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("BILLING_BOT_KEYS", generate_key())
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1")
    assert load_settings().slack_signing_secret is None


def test_people_and_channels_are_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = load(
        monkeypatch, ALLOWED_USERS="U0ADA, T0ACME:U0GRACE", ALLOWED_CHANNELS="C0BILLING", MAX_CHARGE="99.50"
    ).rules()
    assert rules.users == ("U0ADA", "T0ACME:U0GRACE")
    assert rules.channels == ("C0BILLING",)
    assert rules.max_charge == Decimal("99.50")


def test_with_many_workspaces_a_person_is_named_with_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLACK_CLIENT_ID": "1", "SLACK_CLIENT_SECRET": "x"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, LOCK_USERS="U0ADA")
    assert "LOCK_USERS: with many workspaces, name each person's too: T0ACME:U0ADA" in caught.value.faults


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
