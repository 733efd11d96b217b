"""What the documents promise and the code can prove."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from bot.cli import app
from bot.metrics import Metrics
from bot.person_commands import person_app
from bot.record_commands import audit_app
from bot.settings import Settings
from bot.storage.columns import metadata
from handlers.manifest import BOT_SCOPES, make_manifest
from handlers.register import COMMAND
from handlers.registry import SUBCOMMANDS, usage_hint, usage_rows
from tests.crash.test_points import MATRIX, points

if TYPE_CHECKING:
    from prometheus_client import Metric

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RESERVED = {
    *(
        "archive",
        "away",
        "active",
        "collapse",
        "dm",
        "expand",
        "feed",
        "help",
        "invite",
        "join",
        "leave",
        "me",
    ),
    *(
        "msg",
        "mute",
        "open",
        "remind",
        "remove",
        "rename",
        "search",
        "shortcuts",
        "shrug",
        "star",
        "status",
    ),
    *("topic", "who", "call", "apps", "feedback", "prefs", "dnd", "keys", "kick", "part", "todo"),
}


def table(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading of the README."""
    part = README.partition(f"{heading}\n")[2]
    lines = part[part.index("\n|") + 1 :].split("\n\n")[0].splitlines()
    cells = (re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in lines[2:])
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in cells]


def test_operating_lists_every_meter_with_its_labels() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    listed = dict(re.findall(r"^\| `(billing_\w+)` \| ([\w, ]*?) *\|", page, flags=re.MULTILINE))
    expected = {}
    for meter in Metrics().registry.collect():
        name = f"{meter.name}_total" if meter.type == "counter" else meter.name
        expected[name] = meter
    assert listed.keys() == expected.keys()
    for name, labels in listed.items():
        assert labels == ", ".join(labels_of(name)), name


def labels_of(name: str) -> tuple[str, ...]:
    """The labels a meter is made with."""
    metrics = vars(Metrics()).values()
    meter = next(each for each in metrics if getattr(each, "_name", None) == name.removesuffix("_total"))
    return tuple(meter._labelnames)


def test_what_is_said_of_the_crash_matrix_is_so() -> None:
    said = re.search(r"(\d+) points in all", (ROOT / "docs/reliability.md").read_text())
    assert said is not None
    assert int(said[1]) == sum(len(points(way)) for way in MATRIX)


def threats() -> list[list[str]]:
    """The rows of the threat tables: kind, threat, what happens, tried by."""
    page = (ROOT / "docs/security.md").read_text().partition("## What somebody could try")[2]
    rows = [line.strip("| \n").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0] != "kind" and len(row) == 4]


def test_every_threat_names_tests_that_are_there() -> None:
    assert len(threats()) > 40
    for kind, threat, answer, tried in threats():
        assert set(kind.split(", ")) <= set("STRIDE"), threat
        assert answer, threat
        named = re.findall(r"`([^`]+)`", tried)
        assert named, threat
        for test in named:
            path, _, function = test.partition("::")
            words = (ROOT / path).read_text()
            assert f"def {function}(" in words if function else "def test_" in words, test


def test_every_trust_boundary_is_looked_at_from_all_six_sides() -> None:
    page = (ROOT / "docs/security.md").read_text().partition("## What somebody could try")[2]
    boundaries = re.split(r"\n### ", page.partition("## What is left")[0])[1:]
    assert len(boundaries) == 11
    for boundary in boundaries[:6]:
        kinds = {
            kind
            for row in re.findall(r"^\| ([STRIDE, ]+) \|", boundary, re.MULTILINE)
            for kind in row.split(", ")
        }
        assert kinds == set("STRIDE"), boundary.splitlines()[0]


def test_security_says_why_each_scope_is_asked_for() -> None:
    page = (ROOT / "docs/security.md").read_text()
    assert (
        dict(re.findall(r"^\| `([\w:]+)` \| ([^|]+) \|$", page, re.MULTILINE)).items() >= BOT_SCOPES.items()
    )


def test_security_lists_every_table_that_keeps_something() -> None:
    page = (ROOT / "docs/security.md").read_text()
    for table_of in set(metadata.tables) - {"pulse", "audit_seals"}:
        assert f"| `{table_of}` |" in page, table_of


def test_the_readme_lists_the_subcommands_as_the_registry_has_them() -> None:
    assert table("## What you can type") == [[f"`{typed}`", does] for typed, does in usage_rows()]


def test_the_readme_lists_the_settings_with_their_meaning_and_default() -> None:
    rows = {row[0].strip("`"): row[1:] for row in table("### Settings")}
    expected = {}
    for name, field in Settings.model_fields.items():
        default = "" if field.default in {None, ()} else f"`{field.default!s}`"
        if isinstance(field.default, bool):
            default = default.lower()
        expected[name.upper()] = [field.description, "required" if field.is_required() else default]
    assert rows == expected


def test_the_readme_lists_the_commands() -> None:
    named = {row[0].strip("`").removeprefix("billing-bot ") for row in table("### Commands")}
    assert named == {
        *(command.name for command in app.registered_commands),
        *(f"audit {command.name}" for command in audit_app.registered_commands),
        *(f"person {command.name}" for command in person_app.registered_commands),
    }


def test_the_alerts_for_prometheus_are_those_of_the_page() -> None:
    rules = yaml.safe_load((ROOT / "docs/deploy/prometheus/alerts.yaml").read_text())["groups"][0]["rules"]
    page = (ROOT / "docs/operations.md").read_text().partition("## Alerts")[2].partition("\n## ")[0]
    conditions = re.findall(r"^\| ([^|]+) \| `([^`]+)` \|", page, re.MULTILINE)
    asked = {
        name.lower(): condition for name, condition in conditions if not condition.startswith("billing-bot")
    }
    assert {each["annotations"]["summary"].lower(): each["expr"] for each in rules} == asked
    for each in rules:
        assert asked_of(each["expr"]) <= known_series()


def test_every_panel_of_the_dashboard_asks_for_meters_that_there_are() -> None:
    dashboard = json.loads((ROOT / "docs/deploy/grafana/billing-bot.json").read_text())
    queries = [each["expr"] for panel in dashboard["panels"] for each in panel.get("targets", ())]
    for query in queries:
        assert asked_of(query)
        assert asked_of(query) <= known_series()
    left_out = {"billing_charge_polls_total", "billing_alert_delay_seconds", "billing_unknown_work_total"}
    bare = {re.sub("_(bucket|sum|count)$", "", name) for query in queries for name in asked_of(query)}
    meters = {re.sub("_(bucket|sum|count)$", "", name) for name in known_series()}
    assert meters - bare - {"up"} == left_out


def asked_of(query: str) -> set[str]:
    """Return the meters that a query of Prometheus names."""
    return set(re.findall(r"\b(billing_\w+|up)\b", query))


def known_series() -> set[str]:
    return {name for metric in Metrics().registry.collect() for name in _series(metric)} | {"up"}


def _series(metric: Metric) -> set[str]:
    """Return the names under which a meter is asked for."""
    ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    return {f"{metric.name}{end}" for end in ends.get(metric.type, ("",))}


def test_the_manifest_in_the_repository_is_the_one_for_socket_mode() -> None:
    assert json.loads((ROOT / "manifest.json").read_text()) == make_manifest(None, socket_mode=True)


@pytest.mark.parametrize(
    "page",
    sorted(path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))),
    ids=str,
)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text()):
        assert (ROOT / page.parent / target).exists(), target


def test_every_dependency_has_its_reason() -> None:
    decisions = (ROOT / "docs" / "decisions.md").read_text()
    project = PROJECT["project"]
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        name = re.split(r"[\[<>=!~ ]", requirement)[0]
        assert f"`{name}`" in decisions, name


def test_the_lock_file_pins_hashes_and_names_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    pinned = re.findall(r"^[a-z0-9][\w.-]*==", lock, re.MULTILINE)
    assert len(pinned) > 50
    assert lock.count("--hash=sha256:") >= len(pinned)


@pytest.mark.behavior(66)
def test_the_manifest_is_one_that_slack_takes() -> None:
    manifest = make_manifest("https://bot.example.com")
    (command,) = manifest["features"]["slash_commands"]
    assert command["command"] == COMMAND
    assert COMMAND.removeprefix("/") not in RESERVED
    assert command["should_escape"] is True
    assert len(command["description"]) <= 2000
    assert len(command["usage_hint"]) <= 1000
    assert manifest["features"]["app_home"]["messages_tab_enabled"] is True
    assert manifest["oauth_config"]["scopes"]["bot"] == list(BOT_SCOPES)
    assert len(manifest["display_information"]["name"]) <= 35
    assert len(manifest["display_information"]["description"]) <= 140


def test_the_usage_hint_names_every_subcommand() -> None:
    for row in SUBCOMMANDS:
        assert row.name in usage_hint()


def test_every_numbered_behavior_of_the_specification_is_shown_by_a_test() -> None:
    found = {
        int(number)
        for path in (ROOT / "tests").rglob("*.py")
        for number in re.findall(r"behavior\((\d+)\)", path.read_text())
    }
    assert found == set(range(1, 67))


def test_nothing_tracked_names_a_package_registrys_host() -> None:
    hosts = ["files.pyth" + "onhosted", "py" + "pi.org", "registry.np" + "mjs"]
    for path in ROOT.rglob("*"):
        if (
            path.suffix in {".py", ".md", ".toml", ".lock", ".js", ".html", ".css"}
            and ".venv" not in path.parts
        ):
            words = path.read_text()
            assert not any(host in words for host in hosts), path
