"""What is counted and timed, for `GET /metrics` (Prometheus). Names and meanings: docs/operations.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.domain.charge import Charge, ChargeKind, ChargeState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

OUTCOME_BUCKETS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 3_600, 86_400)
CALL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
ACK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3)


class Metrics:
    """The meters of one app, on a registry of their own: two apps in a process do not mix."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.charges = Counter(
            "billing_charges", "Charges that entered a state", ["kind", "state"], registry=registry
        )
        for kind in ChargeKind:
            for state in ChargeState:
                # From 0 on, or Prometheus would not see the first of each as an increase.
                self.charges.labels(kind.value, state.value)
        self.outcome_seconds = Histogram(
            "billing_charge_outcome_seconds",
            "From the person's yes to each outcome that was told",
            ["state"],
            buckets=OUTCOME_BUCKETS,
            registry=registry,
        )
        self.unfinished = Gauge(
            "billing_charges_unfinished",
            "Confirmed charges without an end, in the whole ledger",
            ["state"],
            registry=registry,
        )
        self.oldest_unfinished_seconds = Gauge(
            "billing_charges_oldest_unfinished_seconds",
            "Age of the oldest of them since its confirmation, 0 without any",
            ["state"],
            registry=registry,
        )
        self.polls = Counter(
            "billing_charge_polls", "Times the portal was asked how a charge stands", registry=registry
        )
        self.portal_seconds = Histogram(
            "billing_portal_request_seconds",
            "Requests to the portal by route and status, `none` when no whole answer came",
            ["route", "status"],
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self.slack_seconds = Histogram(
            "billing_slack_request_seconds",
            "Requests to Slack by method and result: `ok`, Slack's error code, or `none`",
            ["method", "result"],
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self.ack_seconds = Histogram(
            "billing_ack_seconds",
            "Time to acknowledge a request from Slack, by status; Slack waits 3 s",
            ["status"],
            buckets=ACK_BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "billing_work_in_flight", "Things being advanced by this process", ["kind"], registry=registry
        )
        self.takeovers = Counter(
            "billing_work_takeovers",
            "Things taken over from a dead or paused run",
            ["kind"],
            registry=registry,
        )
        self.leases_lost = Counter(
            "billing_work_leases_lost",
            "Runs that found their thing taken over",
            ["kind"],
            registry=registry,
        )
        self.retries = Counter(
            "billing_work_retries",
            "Runs that ended in an error and come again",
            ["kind"],
            registry=registry,
        )
        self.seal_failures = Counter(
            "billing_audit_seal_failures", "Times the audit log could not be sealed", registry=registry
        )
        self.engine_failures = Counter(
            "billing_engine_failures", "Looks for work that the database did not answer", registry=registry
        )

    def charge_entered(self, charge: Charge, *, now: Callable[[], datetime]) -> None:
        """Count the state that a charge has just entered, and how long the person waited for it."""
        self.charges.labels(charge.kind.value, charge.state.value).inc()
        if charge.confirmed_at is not None and charge.has_news:
            waited = now() - charge.confirmed_at
            self.outcome_seconds.labels(charge.state.value).observe(waited.total_seconds())

    def expect_work(self, kinds: Iterable[str]) -> None:
        """Show these kinds of work from 0 on."""
        for kind in kinds:
            for meter in (self.takeovers, self.leases_lost, self.retries):
                meter.labels(kind)
            self.in_flight.labels(kind)

    def render(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self.registry)
