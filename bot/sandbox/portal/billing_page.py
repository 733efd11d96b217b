"""The sandbox's billing pages, on which a person changes the card, the switch and the plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import RedirectResponse

from bot.sandbox.portal.display import dollars, payment_method_name, shortened
from bot.sandbox.portal.markup import Html, lines, page, render
from bot.sandbox.portal.models import TIERS, Card, Subscription, tier_of
from bot.sandbox.portal.scenarios import SCENARIOS, amount_of
from bot.sandbox.portal.wire import form_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from bot.sandbox.portal.accounts import Accounts
    from bot.sandbox.portal.ledger import Charge
    from bot.sandbox.portal.models import MonthlyCap, Organization

_TABS = '<nav aria-label="Organizations"><ul class="tabs">{tabs}</ul></nav>'
_TAB = '<li><a href="{href}"{current}>{name}</a></li>'
_BILLING = """{tabs}
<section class="sheet">
<h1>{name}</h1>
<p class="figure">{balance}</p>
<p class="soft">Balance</p>
</section>
<section class="sheet" aria-label="Settings">
<ul class="rows">
{rows}
</ul>
</section>
{charges}
<section class="sheet controls" aria-labelledby="scenario-title">
<h2 id="scenario-title">What the sandbox does with {name}</h2>
<form class="stack" method="post" action="/billing">
<input type="hidden" name="org" value="{slug}">
<div><label class="above" for="scenario">Scenario</label>
<select id="scenario" name="scenario">{options}</select></div>
<p class="note">{hint}</p>
<button name="action" value="scenario">Switch</button>
</form>
</section>"""
_ROW = """<li><div class="what"><strong>{what}</strong><span>{value}</span></div>{button}</li>"""
_BUTTON = """<form method="post" action="{action}"><input type="hidden" name="org" value="{slug}">
<button class="small" name="action" value="{verb}">{label}</button></form>"""
_LATEST_CHARGES = """<section class="sheet" aria-labelledby="book-title">
<h2 id="book-title">Latest charges</h2>
<ul class="rows">
{rows}
</ul>
</section>"""
_CHARGE_ROW = """<li><div class="what"><strong>{status}</strong><span>{who}, {when}</span></div>
<span class="amount">{amount}</span></li>"""
_PLAN = """{tabs}
<section class="sheet">
<h1>Your plan: {plan}</h1>
<p class="soft">{sentence}</p>
</section>
<section class="sheet" aria-label="Plans">
<ul class="rows">
{rows}
</ul>
</section>
<p><a href="/billing?org={slug}">Billing of {name}</a></p>"""
_LATEST = 5


async def read_billing(accounts: Accounts, request: Request) -> Response:
    """Answer `GET /billing` and `GET /orgs/{slug}/billing` with the balance and the settings."""
    slug = request.path_params.get("slug") or request.query_params.get("org", "")
    organization = _organization_by_slug(accounts, slug)
    scenario = SCENARIOS[organization.scenario]
    content = render(
        _BILLING,
        tabs=_tabs(accounts, organization, "/billing", "org"),
        name=shortened(organization.name),
        slug=organization.slug,
        balance=dollars(organization.balance),
        rows=lines([_card_row(organization), _switch_row(organization), *_facts(organization)]),
        charges=_latest_charges(accounts, organization),
        options=_options(organization),
        hint=scenario.hint,
    )
    return page("Billing", content)


async def change_billing(accounts: Accounts, request: Request) -> Response:
    """Answer `POST /billing`, a button of the billing page."""
    form = await form_of(request)
    organization = _organization_by_slug(accounts, form.get("org", ""))
    action = form.get("action")
    if action == "add-card":
        organization.card = Card()
    elif action == "remove-card":
        organization.card = organization.other_method = None
    elif action in ("switch-on", "switch-off"):
        organization.cli_billing_enabled = action == "switch-on"
    elif action == "scenario" and form.get("scenario") in SCENARIOS:
        accounts.set_scenario(organization.slug, form["scenario"])
    return RedirectResponse(f"/billing?{urlencode({'org': organization.slug})}", 303)


async def read_plan(accounts: Accounts, request: Request) -> Response:
    """Answer `GET /manage-subscription?org_id=…` with the current plan and all plans."""
    organization = _organization_by_id(accounts, request.query_params.get("org_id", ""))
    subscription = organization.subscription
    tier = tier_of(subscription.tier) if subscription is not None else None
    content = render(
        _PLAN,
        tabs=_tabs(accounts, organization, "/manage-subscription", "org_id"),
        plan=tier.name if tier is not None else TIERS[0].name,
        sentence=_plan_sentence(organization),
        rows=lines(_plan_rows(organization)),
        slug=organization.slug,
        name=shortened(organization.name),
    )
    return page("Plan", content)


async def change_plan(accounts: Accounts, request: Request) -> Response:
    """Answer `POST /manage-subscription`. Change the plan at once, without a charge."""
    form = await form_of(request)
    organization = _organization_by_slug(accounts, form.get("org", ""))
    tier = tier_of(form.get("action"))
    if tier is not None and organization.context != "team":
        free = tier.price == 0
        organization.subscription = (
            None if free else Subscription(tier=tier.id, credits_remaining=tier.monthly_credits)
        )
    return RedirectResponse(f"/manage-subscription?{urlencode({'org_id': organization.id})}", 303)


def _organization_by_slug(accounts: Accounts, slug: str) -> Organization:
    organizations = accounts.organizations
    return organizations.get(slug) or next(iter(organizations.values()))


def _organization_by_id(accounts: Accounts, organization_id: str) -> Organization:
    every = list(accounts.organizations.values())
    return next((each for each in every if each.id == organization_id), every[0])


def _tabs(accounts: Accounts, shown: Organization, path: str, name: str) -> Html:
    tabs = [
        render(
            _TAB,
            href=f"{path}?{urlencode({name: each.slug if name == 'org' else each.id})}",
            current=Html(' aria-current="page"' if each is shown else ""),
            name=shortened(each.name),
        )
        for each in accounts.organizations.values()
    ]
    return render(_TABS, tabs=lines(tabs))


def _button(organization: Organization, verb: str, label: str, action: str = "/billing") -> Html:
    return render(_BUTTON, action=action, slug=organization.slug, verb=verb, label=label)


def _card_row(organization: Organization) -> Html:
    shown = payment_method_name(organization)
    if shown is None:
        button = _button(organization, "add-card", "Add a card")
        return render(_ROW, what="Payment method", value="None on file", button=button)
    button = _button(organization, "remove-card", "Remove")
    return render(_ROW, what="Payment method", value=shown, button=button)


def _switch_row(organization: Organization) -> Html:
    on = organization.cli_billing_enabled
    value = "On: apps may charge the card" if on else "Off: no app may charge the card"
    verb, label = ("switch-off", "Turn off") if on else ("switch-on", "Turn on")
    return render(_ROW, what="Remote Spending", value=value, button=_button(organization, verb, label))


def _facts(organization: Organization) -> list[Html]:
    auto_reload = organization.auto_reload
    reload_text = "Off"
    if auto_reload is not None and auto_reload.enabled:
        below, to = dollars(auto_reload.threshold), dollars(auto_reload.reload_to)
        reload_text = f"Below {below}, up to {to}"
    plan = Html(f'<a href="/manage-subscription?{urlencode({"org_id": organization.id})}">Manage</a>')
    return [
        render(_ROW, what="Monthly limit", value=_cap_text(organization.cap), button=Html("")),
        render(_ROW, what="Auto-reload", value=reload_text, button=Html("")),
        render(_ROW, what="Plan", value=_plan_name(organization), button=plan),
    ]


def _cap_text(cap: MonthlyCap | None) -> str:
    if cap is None:
        return "None"
    ceiling = " (default ceiling)" if cap.is_default_ceiling else ""
    return f"{dollars(cap.spent)} of {dollars(cap.limit)} this month{ceiling}"


def _latest_charges(accounts: Accounts, organization: Organization) -> Html:
    mine = [charge for charge in accounts.charges if charge.organization == organization.slug]
    if not mine:
        return Html("")
    latest = reversed(mine[-_LATEST:])
    return render(_LATEST_CHARGES, rows=lines(_charge_row(accounts, charge) for charge in latest))


def _charge_row(accounts: Accounts, charge: Charge) -> Html:
    person = accounts.people.get(charge.person)
    reason = f": {(charge.reason or '').replace('_', ' ')}" if charge.status == "failed" else ""
    return render(
        _CHARGE_ROW,
        status=charge.status.capitalize() + reason,
        who=person.name if person is not None else charge.person,
        when=f"{datetime.fromtimestamp(charge.created_at, UTC):%H:%M:%S} UTC",
        amount=dollars(charge.amount),
    )


def _options(organization: Organization) -> Html:
    options = []
    for row in SCENARIOS.values():
        amount = amount_of(row.name)
        label = row.title if amount is None else f"{row.title} (${amount:.2f})"
        selected = Html(" selected" if row.name == organization.scenario else "")
        options.append(
            render(
                '<option value="{name}"{selected}>{label}</option>',
                name=row.name,
                selected=selected,
                label=label,
            )
        )
    return lines(options)


def _plan_name(organization: Organization) -> str:
    subscription = organization.subscription
    tier = tier_of(subscription.tier) if subscription is not None else None
    name = (tier or TIERS[0]).name
    return f"{name}, for a team" if organization.context == "team" else name


def _plan_sentence(organization: Organization) -> str:
    subscription = organization.subscription
    if organization.context == "team":
        return "A team's plan is not changed here. Top up the balance instead."
    if subscription is None:
        return "No paid plan yet."
    left = f"{dollars(subscription.credits_remaining)} of it is left this month."
    if subscription.cancels:
        return f"{left} It ends with this billing period."
    pending = tier_of(subscription.pending_tier)
    if pending is not None:
        return f"{left} It changes to {pending.name} with the next billing period."
    return left


def _plan_rows(organization: Organization) -> list[Html]:
    if organization.context == "team":
        return [render(_ROW, what="Plans", value="Not offered to teams here", button=Html(""))]
    current = organization.subscription.tier if organization.subscription else TIERS[0].id
    rows = []
    for tier in TIERS:
        if not tier.is_enabled:
            continue
        button = Html('<span class="soft">Current</span>')
        if tier.id != current:
            button = _button(organization, tier.id, f"Choose {tier.name}", "/manage-subscription")
        value = f"{dollars(tier.price)} a month, {dollars(tier.monthly_credits)} to use"
        rows.append(render(_ROW, what=tier.name, value=value, button=button))
    return rows
