"""Scenarios of a charge: how it ends, a refusal of the payment service, or an unclear answer."""

from __future__ import annotations

from bot.sandbox.portal.faults import MAINTENANCE_PAGE, Fault, refusal_fault
from bot.sandbox.portal.scenario import SETTLES, Outcome, Scenario

SLOW_SECONDS = 25
_SERVER_ERROR = refusal_fault(500, "internal_error", "Something went wrong on our side.", portal_url=None)
_SERVER_ERROR_ONCE = Fault(status=500, body=_SERVER_ERROR.body, first_try_only=True)

OUTCOMES = (
    Scenario(
        name="settles",
        title="Settles in 3 s",
        hint="Buy anything: the message turns from pending to added after about three seconds.",
        keywords="success succeeds paid approved",
        outcome=SETTLES,
    ),
    Scenario(
        name="settles-slowly",
        title="Settles slowly",
        hint="The charge takes 25 seconds: long enough to close the window, or to kill the app.",
        keywords="slow delay pending kill crash",
        outcome=Outcome(after=SLOW_SECONDS),
    ),
    Scenario(
        name="pending-for-ever",
        title="Never settles",
        hint=(
            "The charge stays pending. In the demo it is a timeout after 30 seconds, otherwise after five "
            "minutes; a timeout is not a failure."
        ),
        keywords="timeout timed out stuck pending forever",
        outcome=Outcome(status="pending"),
    ),
    Scenario(
        name="declined",
        title="Card declined",
        hint="The bank says no after three seconds.",
        keywords="declined decline refused insufficient funds card_declined",
        outcome=Outcome(status="failed", reason="card_declined"),
    ),
    Scenario(
        name="expired-card",
        title="Card expired",
        hint="The card on file is out of date, which shows after three seconds.",
        keywords="declined decline payment_method_expired",
        outcome=Outcome(status="failed", reason="payment_method_expired"),
    ),
    Scenario(
        name="authentication-required",
        title="3D Secure needed",
        hint="The bank wants the cardholder to confirm in the portal.",
        keywords="declined decline 3ds 3-d secure sca authentication_required",
        outcome=Outcome(status="failed", reason="authentication_required"),
    ),
    Scenario(
        name="3ds-behind-payment-failed",
        title="3D Secure, called a failed payment",
        hint="Upgrade: the answer says payment_failed, and only its reason says what to do.",
        keywords="declined decline 3ds 3-d secure sca authentication_required",
        outcome=Outcome(status="failed", reason="authentication_required"),
        upgrade_status="payment_failed",
    ),
    Scenario(
        name="processing-error",
        title="Processing error",
        hint="The payment processor fails without saying why.",
        keywords="declined decline processing_error",
        outcome=Outcome(status="failed", reason="processing_error"),
    ),
)
REFUSALS = (
    Scenario(
        name="rate-limited",
        title="429, too many charges",
        hint="The charge is refused for two minutes; nothing is charged and nothing is retried.",
        keywords="rate limit rate_limited throttled",
        outcome=SETTLES,
        charge=refusal_fault(429, "rate_limited", "Too many charges. Try again in 2 minutes.", "120"),
    ),
    Scenario(
        name="temporarily-unavailable",
        title="503, gate closed",
        hint="The charge gate is closed for a minute; nothing is charged.",
        keywords="temporarily_unavailable maintenance paused",
        outcome=SETTLES,
        charge=refusal_fault(
            503, "temporarily_unavailable", "Charges are paused for a moment. Try again soon.", "60"
        ),
    ),
    Scenario(
        name="stripe-unavailable",
        title="503, processor down",
        hint="The payment processor is down: nobody made too many charges.",
        keywords="stripe_unavailable outage",
        outcome=SETTLES,
        charge=refusal_fault(
            503, "stripe_unavailable", "Our payment processor is not available right now.", "30"
        ),
    ),
)
UNCLEAR_ANSWERS = (
    Scenario(
        name="server-error-once",
        title="500, then works",
        hint="The first try answers 500 and charges nothing; asking again with its key settles.",
        outcome=SETTLES,
        charge=_SERVER_ERROR_ONCE,
    ),
    Scenario(
        name="server-error",
        title="500 on every try",
        hint="Every try answers 500 and nothing is ever charged; the outcome stays unknown.",
        outcome=SETTLES,
        charge=_SERVER_ERROR,
    ),
    Scenario(
        name="non-json",
        title="200 that is not JSON",
        hint="The card is charged, but every try is answered with a web page.",
        outcome=SETTLES,
        charge=Fault(after_work=True, status=200, body=MAINTENANCE_PAGE, content_type="text/html"),
    ),
    Scenario(
        name="no-charge-id",
        title="202 without a charge id",
        hint="The card is charged, but no try ever tells which charge to ask about.",
        outcome=SETTLES,
        charge=Fault(after_work=True, status=202, body="{}"),
    ),
    Scenario(
        name="drop-before-once",
        title="Connection lost before the charge",
        hint="The first try is cut off and charges nothing; asking again with its key settles.",
        outcome=SETTLES,
        charge=Fault(drop=True, first_try_only=True),
    ),
    Scenario(
        name="drop-after-once",
        title="Connection lost after the charge",
        hint="The card is charged and the answer lost; asking again with its key charges no more.",
        outcome=SETTLES,
        charge=Fault(drop=True, after_work=True, first_try_only=True),
    ),
    Scenario(
        name="drop-before",
        title="Connection lost on every try",
        hint="Every try is cut off and nothing is ever charged; the outcome stays unknown.",
        outcome=SETTLES,
        charge=Fault(drop=True),
    ),
    Scenario(
        name="drop-after",
        title="Answer lost on every try",
        hint="The card is charged once, and every answer is lost; the outcome stays unknown.",
        outcome=SETTLES,
        charge=Fault(drop=True, after_work=True),
    ),
    Scenario(
        name="slow-answer",
        title="Charged, answers too late",
        hint="The card is charged at once, but the first answer takes longer than anyone waits.",
        keywords="timeout timed out slow",
        outcome=SETTLES,
        charge=Fault(hangs=True, after_work=True, first_try_only=True),
    ),
)
