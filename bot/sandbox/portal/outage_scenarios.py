"""Scenarios in which calls fail: polls, the overview, the account call, token refresh, or all."""

from __future__ import annotations

from bot.sandbox.portal.faults import FIREWALL, FIREWALL_DENIES, MAINTENANCE_PAGE, Fault, refusal_fault
from bot.sandbox.portal.scenario import Scenario

OUTAGE_SCENARIOS = (
    Scenario(
        name="polls-unavailable",
        title="Polls answer 503",
        hint="Charges settle, but asking for them fails until another scenario is switched on.",
        poll=refusal_fault(503, "temporarily_unavailable", "Try again in a few seconds.", "3"),
    ),
    Scenario(
        name="polls-rate-limited",
        title="Polls answer 429",
        hint="Asking for a charge is told to wait three seconds each time.",
        keywords="rate limit rate_limited throttled",
        poll=refusal_fault(429, "rate_limited", "Too many requests.", "3"),
    ),
    Scenario(
        name="polls-dropped",
        title="Polls are cut off",
        hint="Every question about a charge loses its connection; following it must go on.",
        poll=Fault(drop=True),
    ),
    Scenario(
        name="firewall-polls",
        title="Firewall before the polls",
        hint="Asking for a charge meets the firewall's challenge; following it must go on.",
        poll=FIREWALL,
    ),
    Scenario(
        name="portal-hangs",
        title="Portal hangs",
        hint="Every billing call waits 20 seconds before anything happens.",
        keywords="timeout timed out slow",
        billing=Fault(hangs=True),
    ),
    Scenario(
        name="portal-down",
        title="Portal down",
        hint="Every billing call loses its connection before anything happens.",
        keywords="outage offline unreachable",
        billing=Fault(drop=True),
    ),
    Scenario(
        name="state-non-json",
        title="Overview is not JSON",
        hint="The overview answers with a web page: unavailable, which is not logged out.",
        state=Fault(status=200, body=MAINTENANCE_PAGE, content_type="text/html"),
    ),
    Scenario(
        name="account-unavailable",
        title="Usage unavailable",
        hint="The account call answers 503: the usage bars go, the overview stays.",
        account=refusal_fault(503, "temporarily_unavailable", "Try again in a few seconds.", "5"),
    ),
    Scenario(
        name="refresh-unavailable",
        title="Token refresh unavailable",
        hint="Refreshing a token answers 503: an outage, so nobody is logged out.",
        refresh=refusal_fault(503, "temporarily_unavailable", "Try again in a few seconds.", "5"),
    ),
    Scenario(
        name="firewall-refresh",
        title="Firewall before the token refresh",
        hint="Refreshing a token meets the firewall's 403: an outage, so the login stays.",
        refresh=FIREWALL_DENIES,
    ),
    Scenario(
        name="refresh-forbidden",
        title="Token refresh refused without an error code",
        hint="Refreshing a token answers 401 and no error code: the login is dead.",
        refresh=Fault(status=401, body='{"message":"Unauthorized"}'),
    ),
)
