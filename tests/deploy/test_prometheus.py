"""The alerts and the dashboard work in a real Prometheus, and the copies for Kubernetes are the same."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.support.asking import ask, connected, has_card, pay
from tests.support.house import ADA, LINUS
from tests.support.process import free_port
from tests.support.watching import read, watches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.house import House

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
RULES, RULE_TESTS = DEPLOY / "prometheus/alerts.yaml", DEPLOY / "prometheus/alerts.test.yaml"
DASHBOARD = DEPLOY / "grafana/billing-bot.json"
MONITORING = DEPLOY / "kubernetes/monitoring"
has_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (Debian's package prometheus has it)",
)
has_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed (Debian's package prometheus)"
)
EVERY = 0.2
"""How often the app is asked, in seconds."""

ONLY_AFTER_FAULTS = {
    "billing_work_retries_total",
    "billing_work_takeovers_total",
    "billing_work_leases_lost_total",
    "billing_slack_request_seconds_count",
}
"""Counters that a process without a fault has not counted; a panel without lines says that all is well."""


def test_each_alert_has_a_test_in_which_it_is_quiet_and_fires_and_ends() -> None:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    alerts = [each["alert"] for group in groups for each in group["rules"]]
    tests = yaml.safe_load(RULE_TESTS.read_text())["tests"]
    fires = {each["name"]: [bool(step["exp_alerts"]) for step in each["alert_rule_test"]] for each in tests}
    assert fires == {alert: [False, True, False] for alert in alerts}


@has_promtool
@pytest.mark.parametrize("command", [("check", RULES), ("test", RULE_TESTS)], ids=["check", "test"])
def test_promtool_takes_the_alerts(command: tuple[str, Path]) -> None:
    action, file = command
    ended = subprocess.run(["promtool", action, "rules", str(file)], capture_output=True, text=True)  # noqa: S603, S607, PLW1510
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_kubernetes_gets_the_same_alerts_and_the_same_dashboard() -> None:
    monitor, rule = yaml.safe_load_all((MONITORING / "prometheus.yaml").read_text())
    assert rule["spec"] == yaml.safe_load(RULES.read_text())
    (config,) = yaml.safe_load_all((MONITORING / "dashboard.yaml").read_text())
    assert json.loads(config["data"]["billing-bot.json"]) == json.loads(DASHBOARD.read_text())
    app = next(yaml.safe_load_all((DEPLOY / "kubernetes/app.yaml").read_text()))
    labels, ports = app["spec"]["template"]["metadata"]["labels"], app["spec"]["template"]["spec"]
    assert monitor["spec"]["selector"]["matchLabels"] == labels
    assert labels[monitor["spec"]["jobLabel"]] == "billing-bot"  # as the alerts ask for it
    named = {port["name"] for each in ports["containers"] for port in each["ports"]}
    assert {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]} <= named


@has_prometheus
async def test_no_panel_of_the_dashboard_is_empty_after_a_small_storm(house: House, tmp_path: Path) -> None:
    app = httpx.URL(house.slack.app_url).netloc.decode()
    async with prometheus(tmp_path, app) as url, httpx.AsyncClient() as http:
        await connected(house)
        await watches(house, ADA)
        await read(house)
        for amount in ("50", "60"):  # a rate needs a second time
            await house.slack.close(ADA, everything=True)
            await ask(house, amount)
            await has_card(house, ADA, amount)
            await pay(house, ADA)
            await house.told(f"${amount} added for you", LINUS)
            await asyncio.sleep(2 * EVERY)
        panels = json.loads(DASHBOARD.read_text())["panels"]
        queries = [each["expr"] for panel in panels for each in panel.get("targets", ())]
        assert len(queries) > 20
        empty = set(queries)

        async def all_are_drawn() -> bool:
            for query in list(empty):
                asked_for = query.replace("$__rate_interval", "1m")
                answer = await http.get(f"{url}/api/v1/query", params={"query": asked_for})
                if has_points(answer.json()):
                    empty.discard(query)
            return all(any(name in query for name in ONLY_AFTER_FAULTS) for query in empty)

        try:
            await house.until_async(all_are_drawn, seconds=15)
        except TimeoutError:
            pytest.fail(f"empty: {empty}")


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[str]:
    """Run a Prometheus that asks the app five times a second; yields its address."""
    port = free_port()
    jobs = [{"job_name": "billing-bot", "static_configs": [{"targets": [target]}]}]
    every = f"{EVERY * 1000:.0f}ms"
    pace = {"scrape_interval": every, "scrape_timeout": every}
    settings = {"global": pace, "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient() as http, asyncio.timeout(30):
            while not await _is_asking(http, port):
                await asyncio.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _is_asking(http: httpx.AsyncClient, port: int) -> bool:
    """Tell whether it has asked the app: it takes some seconds to find it."""
    try:
        answer = await http.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": "up"})
    except httpx.TransportError:
        return False
    return answer.status_code == 200 and has_points(answer.json())


def has_points(answer: dict[str, Any]) -> bool:
    """Tell whether a query found a number."""
    found = answer["data"]["result"]
    return any(not math.isnan(float(each["value"][1])) for each in found)
