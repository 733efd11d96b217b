"""The metrics of `GET /metrics` (Prometheus). Names and meanings: docs/operations.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.domain.budget import Mode
from bot.domain.charge import Charge, ChargeKind, ChargeState
from bot.domain.deciding import Obstacle
from bot.domain.episode import EpisodeKind
from bot.domain.request import RequestState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from bot.domain.budget import BudgetUse
    from bot.domain.episode import Look
    from bot.domain.request import FundsRequest

OUTCOME_BUCKETS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 3_600, 86_400)
DECISION_BUCKETS = (60, 300, 900, 3_600, 4 * 3_600, 12 * 3_600, 86_400, 3 * 86_400, 14 * 86_400)
ALERT_BUCKETS = (60, 180, 360, 720, 1_800, 3_600, 7_200)
CALL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
ACK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3)


class Metrics:
    """The metrics of one app, in their own registry, so that two apps in a process do not mix."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.charges = Counter(
            "billing_charges", "Charges that entered each state", ["kind", "state"], registry=registry
        )
        for kind in ChargeKind:
            for state in ChargeState:
                # Start at 0, or Prometheus would not count the first of each as an increase.
                self.charges.labels(kind.value, state.value)
        self.outcome_seconds = Histogram(
            "billing_charge_outcome_seconds",
            "Seconds from the confirmation to an outcome that the person is notified of",
            ["state"],
            buckets=OUTCOME_BUCKETS,
            registry=registry,
        )
        self.unfinished = Gauge(
            "billing_charges_unfinished",
            "Confirmed charges without a final outcome, in the whole ledger",
            ["state"],
            registry=registry,
        )
        self.oldest_unfinished_seconds = Gauge(
            "billing_charges_oldest_unfinished_seconds",
            "Seconds since the oldest unfinished charge was confirmed; 0 if there is none",
            ["state"],
            registry=registry,
        )
        self.polls = Counter(
            "billing_charge_polls", "Requests to the portal for a charge's status", registry=registry
        )
        self.portal_seconds = Histogram(
            "billing_portal_request_seconds",
            "Seconds per portal request, by route and status; `none` if no complete answer came",
            ["route", "status"],
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self.slack_seconds = Histogram(
            "billing_slack_request_seconds",
            "Seconds per Slack request, by method and result: `ok`, Slack's error code, or `none`",
            ["method", "result"],
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self.ack_seconds = Histogram(
            "billing_ack_seconds",
            "Seconds to acknowledge a Slack request, by HTTP status; Slack waits 3 s",
            ["status"],
            buckets=ACK_BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "billing_work_in_flight",
            "Work items that this process is advancing",
            ["kind"],
            registry=registry,
        )
        self.takeovers = Counter(
            "billing_work_takeovers",
            "Work items taken over from a dead or paused run",
            ["kind"],
            registry=registry,
        )
        self.leases_lost = Counter(
            "billing_work_leases_lost",
            "Runs that lost their lease to another run",
            ["kind"],
            registry=registry,
        )
        self.retries = Counter(
            "billing_work_retries",
            "Runs that ended in an error and will be retried",
            ["kind"],
            registry=registry,
        )
        self.requests = Counter(
            "billing_requests", "Requests for funds that entered each state", ["state"], registry=registry
        )
        for request_state in RequestState:
            self.requests.labels(request_state.value)
        self.requests_open = Gauge(
            "billing_requests_open", "Requests for funds that go on", ["state"], registry=registry
        )
        self.oldest_request_seconds = Gauge(
            "billing_requests_oldest_open_seconds",
            "Seconds since the oldest request that goes on was filed; 0 if there is none",
            ["state"],
            registry=registry,
        )
        self.decision_seconds = Histogram(
            "billing_request_decision_seconds",
            "Seconds from a request's filing to its end",
            ["outcome"],
            buckets=DECISION_BUCKETS,
            registry=registry,
        )
        self.approvals_refused = Counter(
            "billing_approvals_refused",
            "Decisions about requests that did not count, by reason",
            ["why"],
            registry=registry,
        )
        for why in Obstacle:
            self.approvals_refused.labels(why.value)
        self.budgets_over = Counter(
            "billing_budget_over",
            "Amounts that went over a budget when they were looked at, by what the budget does",
            ["mode"],
            registry=registry,
        )
        for mode in Mode:
            self.budgets_over.labels(mode.value)
        self.watch_reads = Counter(
            "billing_watch_reads", "Readings of watched balances, by result", ["result"], registry=registry
        )
        self.watches = Gauge("billing_watches", "Watched balances", ["state"], registry=registry)
        self.watch_age_seconds = Gauge(
            "billing_watch_age_seconds",
            "Seconds since the watched balance that was read longest ago was read; 0 without one",
            registry=registry,
        )
        self.links_lost = Counter(
            "billing_links_lost",
            "Sessions at the portal that were found to have ended, by cause",
            ["cause"],
            registry=registry,
        )
        for cause in ("refused", "another_account"):
            self.links_lost.labels(cause)
        self.alerts = Counter(
            "billing_alerts", "Episodes that people are told of, by kind", ["kind"], registry=registry
        )
        for episode_kind in EpisodeKind:
            self.alerts.labels(episode_kind.value)
        self.alert_delay_seconds = Histogram(
            "billing_alert_delay_seconds",
            "Seconds between the reading that opened an episode and the one before: its longest delay",
            buckets=ALERT_BUCKETS,
            registry=registry,
        )
        self.seal_failures = Counter(
            "billing_audit_seal_failures", "Failed attempts to seal the audit log", registry=registry
        )
        self.unverified = Counter(
            "billing_charges_unverified",
            "Attempts to send a charge whose row is not what was confirmed",
            registry=registry,
        )
        self.unknown_work = Counter(
            "billing_unknown_work",
            "Announced kinds of work that this release does not know",
            registry=registry,
        )
        self.engine_failures = Counter(
            "billing_engine_failures",
            "Failed attempts to look for due work in the database",
            registry=registry,
        )

    def charge_entered(self, charge: Charge, *, now: Callable[[], datetime]) -> None:
        """Count a state that a charge has entered, and the time from the confirmation to an outcome."""
        self.charges.labels(charge.kind.value, charge.state.value).inc()
        if charge.confirmed_at is not None and charge.has_news:
            waited = now() - charge.confirmed_at
            self.outcome_seconds.labels(charge.state.value).observe(waited.total_seconds())

    def request_entered(self, request: FundsRequest) -> None:
        """Count a state that a request has entered, and the time until its end."""
        self.requests.labels(request.state.value).inc()
        if request.is_over and request.decided_at is not None:
            waited = request.decided_at - request.asked_at
            self.decision_seconds.labels(request.state.value).observe(waited.total_seconds())

    def approval_refused(self, why: Obstacle) -> None:
        """Count a decision that did not count."""
        self.approvals_refused.labels(why.value).inc()

    def over_budget(self, use: BudgetUse) -> None:
        """Count an amount that went over a budget."""
        self.budgets_over.labels(use.budget.mode.value).inc()

    def watch_read(self, result: str) -> None:
        """Count an attempt to read a watched balance."""
        self.watch_reads.labels(result).inc()

    def link_lost(self, cause: str) -> None:
        """Count a session that has ended: refused at its refresh, or of another account."""
        self.links_lost.labels(cause).inc()

    def alert_opened(self, kind: EpisodeKind, look: Look) -> None:
        """Count an episode, and how long it may have gone unseen."""
        self.alerts.labels(kind.value).inc()
        if look.before is not None:
            self.alert_delay_seconds.observe((look.now - look.before.now).total_seconds())

    def expect_work(self, kinds: Iterable[str]) -> None:
        """Show these kinds of work with the value 0 from the start."""
        for kind in kinds:
            for meter in (self.takeovers, self.leases_lost, self.retries):
                meter.labels(kind)
            self.in_flight.labels(kind)

    def render(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self.registry)
