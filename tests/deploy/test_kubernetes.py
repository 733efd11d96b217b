"""Several machines: the properties of the manifests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.deployment import PORT, SECRETS, containers, manifests, pod

KINDS = manifests()
DEPLOYMENT: dict[str, Any] = KINDS["Deployment"]["spec"]
LABELS: dict[str, str] = DEPLOYMENT["template"]["metadata"]["labels"]


@pytest.mark.parametrize("container", containers(), ids=lambda container: container["name"])
def test_a_container_is_confined(container: dict[str, Any]) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert container["resources"]["limits"].keys() == {"memory"}
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - the container's


def test_the_pod_is_not_root_and_the_namespace_takes_no_other() -> None:
    assert pod()["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod()["automountServiceAccountToken"] is False
    labels = KINDS["Namespace"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_secret_is_referred_to_and_never_written_down() -> None:
    assert "Secret" not in KINDS
    for container in containers():
        assert container["envFrom"] == [{"secretRef": {"name": "billing-bot"}}]
        assert not [each for each in container["env"] if each["name"] in SECRETS or "value" in each]


def test_no_pod_starts_on_a_ledger_of_its_own() -> None:
    for container in containers():
        (given,) = container["env"]
        assert given["name"] == "DATABASE_URL"
        assert "optional" not in given["valueFrom"]["secretKeyRef"]


def test_there_is_always_one_that_serves() -> None:
    assert DEPLOYMENT["replicas"] == 2
    assert DEPLOYMENT["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert KINDS["PodDisruptionBudget"]["spec"]["minAvailable"] < DEPLOYMENT["replicas"]


def test_a_start_may_wait_for_the_database_for_longer_than_the_program_does() -> None:
    probe = pod()["containers"][0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 60 + 30


def test_everything_speaks_of_the_same_pods() -> None:
    assert DEPLOYMENT["selector"]["matchLabels"] == LABELS
    assert KINDS["Service"]["spec"]["selector"] == LABELS
    assert KINDS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == LABELS
    assert KINDS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == LABELS
    (constraint,) = pod()["topologySpreadConstraints"]
    assert constraint["labelSelector"]["matchLabels"] == LABELS
    namespaces = {each["metadata"].get("namespace") for kind, each in KINDS.items() if kind != "Namespace"}
    assert namespaces == {KINDS["Namespace"]["metadata"]["name"]}


def test_the_ways_in_and_out_are_few() -> None:
    policy = KINDS["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [each["port"] for rule in policy["ingress"] for each in rule["ports"]] == ["http"]
    assert {each["port"] for rule in policy["egress"] for each in rule["ports"]} == {53, 443, 5432}
    assert all("from" in rule for rule in policy["ingress"])
    assert all("to" in rule for rule in policy["egress"])


def test_the_ingress_leads_by_the_service_to_the_programs_port() -> None:
    (host,) = KINDS["Ingress"]["spec"]["rules"]
    (path,) = host["http"]["paths"]
    service = path["backend"]["service"]
    assert service["name"] == KINDS["Service"]["metadata"]["name"]
    (port,) = KINDS["Service"]["spec"]["ports"]
    assert (port["name"], port["targetPort"]) == (service["port"]["name"], "http")
    assert {"name": "http", "containerPort": PORT} in pod()["containers"][0]["ports"]
