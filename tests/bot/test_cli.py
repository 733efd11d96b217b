from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.fernet import Fernet
from filelock import FileLock

from bot.sandbox.slack import app_of
from bot.storage.cipher import generate_key
from handlers.manifest import BOT_SCOPES, make_manifest
from tests.support import program


@dataclass(frozen=True)
class Ended:
    """What a command said, and what it ended with."""

    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, *arguments: str, **environment: str) -> Ended:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with TemporaryDirectory() as said:
        stdout, stderr = Path(said, "stdout"), Path(said, "stderr")
        running = program.start(
            "bot", *arguments, folder=folder, environment=kept | environment, stdout=stdout, stderr=stderr
        )
        code = running.wait_for(60)
        return Ended(code, stdout.read_text(), stderr.read_text())


def test_without_settings_serve_says_each_fault_on_a_line_and_exits_with_2(tmp_path: Path) -> None:
    ended = run(tmp_path, "serve", SLACK_BOT_TOKEN="xoxp-hidden-value")
    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
        "BILLING_BOT_KEYS",
    ]
    assert "hidden-value" not in ended.stdout + ended.stderr


def test_generate_key_prints_a_key_that_works(tmp_path: Path) -> None:
    printed = run(tmp_path, "generate-key").stdout.strip()
    assert Fernet(printed).decrypt(Fernet(printed).encrypt(b"x")) == b"x"


def test_migrate_makes_the_schema(tmp_path: Path) -> None:
    ended = run(
        tmp_path,
        "migrate",
        SLACK_BOT_TOKEN="xoxb-1",
        SLACK_SIGNING_SECRET="s",
        BILLING_BOT_KEYS=generate_key(),
        DATABASE_URL="sqlite:///made.db",
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "made.db").stat().st_size > 0


def test_the_manifest_is_json_for_the_given_address(tmp_path: Path) -> None:
    manifest = json.loads(run(tmp_path, "manifest", "--url", "https://bot.acme.example/").stdout)
    assert manifest["features"]["slash_commands"][0]["url"] == "https://bot.acme.example/slack/events"


def test_for_socket_mode_the_manifest_names_no_address_for_requests(tmp_path: Path) -> None:
    manifest = json.loads(run(tmp_path, "manifest", "--socket-mode").stdout)
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert "/slack/events" not in json.dumps(manifest)
    assert "redirect_urls" not in manifest["oauth_config"]


def test_with_match_email_the_manifest_asks_for_addresses(tmp_path: Path) -> None:
    manifest = json.loads(run(tmp_path, "manifest", MATCH_EMAIL="true").stdout)
    assert "users:read.email" in manifest["oauth_config"]["scopes"]["bot"]
    ended = run(tmp_path, "manifest", MATCH_EMAIL="perhaps")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.strip() == "MATCH_EMAIL: neither true nor false"


@pytest.mark.parametrize("socket_mode", [True, False])
def test_slack_takes_the_manifest(*, socket_mode: bool) -> None:
    manifest = make_manifest("https://bot.acme.example", socket_mode=socket_mode)
    app = app_of(manifest, allow_loopback=False)
    assert app.scopes == frozenset(BOT_SCOPES)
    assert app.events >= {"app_uninstalled", "tokens_revoked", "user_change"}


def settings_of(folder: Path) -> dict[str, str]:
    return {
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_SIGNING_SECRET": "s",
        "BILLING_BOT_KEYS": generate_key(),
        "DATABASE_URL": f"sqlite:///{folder / 'made.db'}",
    }


def test_the_audit_log_is_verified_and_taken_out(tmp_path: Path) -> None:
    environment = settings_of(tmp_path)
    run(tmp_path, "migrate", **environment)
    run(tmp_path, "rotate-keys", **environment)
    verified = run(tmp_path, "audit", "verify", **environment)
    assert verified.returncode == 0
    assert verified.stdout.startswith("whole: 2 entries, 0 not sealed yet, head ")
    assert len(run(tmp_path, "audit", "export", **environment).stdout.splitlines()) == 2
    wrong = run(tmp_path, "audit", "verify", "--expect", "ab12", **environment)
    assert wrong.returncode == 3
    assert wrong.stdout.startswith("BROKEN: the expected head is not in the log")


def test_there_is_no_audit_log_without_a_database_and_looking_makes_none(tmp_path: Path) -> None:
    ended = run(tmp_path, "audit", "verify", **settings_of(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr == "DATABASE_URL: the database cannot be used (there is none yet)\n"
    assert not (tmp_path / "made.db").exists()


@pytest.mark.parametrize("option", ["--since", "--until"])
@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-0500", "0001-01-01T00:00:00+0500"])
def test_a_moment_that_no_clock_shows_is_one_line_and_exit_code_2(
    tmp_path: Path, option: str, moment: str
) -> None:
    ended = run(tmp_path, "audit", "export", option, moment, **settings_of(tmp_path))
    assert ended.returncode == 2
    assert ended.stderr == f"{option}: outside of the years 1 to 9999 in UTC\n"


@pytest.mark.parametrize("moment", ["9999-12-31", "0001-01-01", "2026-11-29T10:00:00+0500"])
def test_a_moment_at_the_edge_of_time_is_answered(tmp_path: Path, moment: str) -> None:
    environment = settings_of(tmp_path)
    run(tmp_path, "migrate", **environment)
    ended = run(tmp_path, "audit", "export", "--since", moment, **environment)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve", "--port", "70000"),
        ("worker", "--port", "-1"),
        ("demo", "--port", "65534"),
        ("sandbox", "--slack-port", "99999"),
    ],
)
def test_a_port_that_there_is_not_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = run(tmp_path, *arguments, **settings_of(tmp_path))
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert arguments[1] in ended.stderr


@pytest.mark.parametrize("charge", ["", "\udcff", "\N{RIGHT-TO-LEFT OVERRIDE}", "%", "c" * 5000])
def test_a_purchase_that_cannot_be_is_not_there(tmp_path: Path, charge: str) -> None:
    environment = settings_of(tmp_path)
    run(tmp_path, "migrate", **environment)
    ended = run(tmp_path, "trace", charge, **environment)
    assert ended.returncode == 1
    assert ended.stderr.startswith("There is no purchase")


@pytest.mark.parametrize("url", ["bot.example.com", "http://bot.example.com"])
def test_no_manifest_is_printed_for_an_address_that_slack_does_not_take(tmp_path: Path, url: str) -> None:
    ended = run(tmp_path, "manifest", "--url", url)
    assert ended.returncode == 2
    assert "https://" in ended.stderr


@pytest.mark.parametrize("command", [("migrate",), ("audit", "verify"), ("rotate-keys",), ("trace", "x")])
def test_a_database_that_is_away_is_a_readable_line_and_exit_code_1(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    environment = settings_of(tmp_path) | {"DATABASE_URL": "postgresql://127.0.0.1:9/x"}
    ended = run(tmp_path, *command, **environment)
    assert ended.returncode == 1
    assert ended.stderr.startswith("DATABASE_URL: the database cannot be ")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(("command", "code"), [("serve", 2), ("migrate", 2), ("check", 1)])
def test_a_database_url_with_an_unknown_parameter_is_named_at_once(
    tmp_path: Path, command: str, code: int
) -> None:
    url = "postgresql://ada:secret@127.0.0.1:9/x?sslmode=require&pgbouncer=true"
    ended = run(tmp_path, command, **(settings_of(tmp_path) | {"DATABASE_URL": url}))
    assert ended.returncode == code
    said = ended.stdout + ended.stderr
    assert "DATABASE_URL: pgbouncer: a parameter that is not known here" in said
    assert len(said.splitlines()) == 1
    assert "secret" not in said


@pytest.mark.parametrize("command", ["show", "forget"])
@pytest.mark.parametrize(
    ("team", "user", "said"),
    [
        ("acme", "U0ADA", "TEAM: not a Slack id that begins with T or E"),
        ("T0ACME", "@ada", "USER: not a Slack id that begins with U or W"),
    ],
)
def test_who_is_no_slack_id_is_one_line_and_exit_code_2(
    tmp_path: Path, command: str, team: str, user: str, said: str
) -> None:
    ended = run(tmp_path, "person", command, team, user, **settings_of(tmp_path))
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"{said}\n")


def test_a_copy_with_a_name_that_no_folder_takes_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    environment = settings_of(tmp_path)
    run(tmp_path, "migrate", **environment)
    ended = run(tmp_path, "backup", "c" * 300, **environment)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1), ended.stderr
    assert [path.name for path in tmp_path.glob("*") if "backup" in path.name] == []


@pytest.mark.parametrize("command", ["show", "forget"])
def test_of_a_person_whom_the_app_never_met_it_says_so(tmp_path: Path, command: str) -> None:
    environment = settings_of(tmp_path)
    run(tmp_path, "migrate", **environment)
    ended = run(tmp_path, "person", command, "T0ACME", "U0ADA", **environment)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "Nothing is stored about U0ADA of T0ACME.\n"


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "worker",
        "demo",
        "sandbox",
        "migrate",
        "generate-key",
        "manifest",
        "backup",
        "export",
        "person",
    ],
)
def test_every_command_explains_itself(tmp_path: Path, command: str) -> None:
    ended = run(tmp_path, command, "--help")
    assert ended.returncode == 0
    assert len(ended.stdout.splitlines()) > 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("person",), "Missing command"),
        (("audit",), "Missing command"),
        (("person", "show", "T0ACME"), "Missing argument 'user'"),
        (("trace",), "Missing argument 'charge'"),
        (("backup", "one.db", "two.db"), "unexpected extra argument(s) (two.db)"),
        (("export", "--since", "yesterday"), "'yesterday'"),
        (("serve", "--port", "many"), "--port"),
        (("restored", "--now"), "No such option: --now"),
        (("refund",), "No such command 'refund'"),
    ],
)
def test_what_a_command_does_not_take_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    ended = run(tmp_path, *arguments, **settings_of(tmp_path))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert ended.stderr.endswith(" --help\n")
    assert len(ended.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


NEEDS_A_DATABASE = [
    ("trace", "x"),
    ("restored",),
    ("rotate-keys",),
    ("backup", "copy.db"),
    ("audit", "export"),
    ("person", "show", "T0ACME", "U0ADA"),
    ("person", "forget", "T0ACME", "U0ADA"),
    ("export", "--organization", "x", "--since", "2026-11-01", "--until", "2026-12-01"),
]


@pytest.mark.parametrize("command", NEEDS_A_DATABASE, ids=" ".join)
def test_without_a_ledger_no_command_makes_one(tmp_path: Path, command: tuple[str, ...]) -> None:
    ended = run(tmp_path, *command, **settings_of(tmp_path))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "DATABASE_URL: the database cannot be used (there is none yet)\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", NEEDS_A_DATABASE, ids=" ".join)
def test_a_file_that_is_no_ledger_is_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "made.db").write_text("no ledger, but long enough for its first page" * 99)
    ended = run(tmp_path, *command, **settings_of(tmp_path))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "DATABASE_URL: the database cannot be used (the file cannot be used)\n"


def test_a_ledger_is_readable_by_its_owner_alone_from_the_first_moment(tmp_path: Path) -> None:
    assert run(tmp_path, "migrate", **settings_of(tmp_path)).returncode == 0
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("made.db*")} == {0o600}


def test_what_a_command_records_is_sealed_by_it(tmp_path: Path) -> None:
    environment = settings_of(tmp_path)
    run(tmp_path, "migrate", **environment)
    run(tmp_path, "restored", **environment)
    verified = run(tmp_path, "audit", "verify", **environment)
    assert verified.stdout.startswith("whole: 1 entries, 0 not sealed yet"), verified.stderr


def test_while_another_process_works_on_the_ledger_it_is_not_marked_as_restored(tmp_path: Path) -> None:
    environment = settings_of(tmp_path)
    run(tmp_path, "migrate", **environment)
    with FileLock(tmp_path / "made.db.lock"):
        ended = run(tmp_path, "restored", **environment)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"DATABASE_URL: another process works on {tmp_path}/made.db; stop it first\n"


def test_what_nobody_expected_is_one_line_whose_id_the_log_has_too(tmp_path: Path) -> None:
    environment = settings_of(tmp_path)
    run(tmp_path, "migrate", **environment)
    with sqlite3.connect(tmp_path / "made.db") as ledger:
        ledger.execute("INSERT INTO away VALUES ('T0ACME:U0ADA', 'no moment', NULL)")
    ledger.close()
    ended = run(tmp_path, "person", "show", "T0ACME", "U0ADA", **environment)
    assert (ended.returncode, ended.stdout) == (1, "")
    logged, said = ended.stderr.splitlines()
    incident = json.loads(logged)["incident"]
    assert said == f"Unexpected: ValueError; the log says more at incident {incident}"
