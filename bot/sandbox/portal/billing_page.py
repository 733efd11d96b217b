"""Stand-ins for the portal's billing pages, where a card is added and a switch is turned."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import RedirectResponse

from bot.sandbox.portal.display import dollars, payment_method_name, shortened
from bot.sandbox.portal.markup import Html, lines, page, render
from bot.sandbox.portal.scenarios import SCENARIOS, amount_of
from bot.sandbox.portal.wire import form_of
from bot.sandbox.portal.world import TIERS, Card, Subscription, tier_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from bot.sandbox.portal.estate import Estate
    from bot.sandbox.portal.ledger import Charge
    from bot.sandbox.portal.world import MonthlyCap, Organisation

_TABS = '<nav aria-label="Organisations"><ul class="tabs">{tabs}</ul></nav>'
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
{book}
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
_BOOK = """<section class="sheet" aria-labelledby="book-title">
<h2 id="book-title">Latest charges</h2>
<ul class="rows">
{rows}
</ul>
</section>"""
_ENTRY = """<li><div class="what"><strong>{status}</strong><span>{who}, {when}</span></div>
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


async def read_billing(estate: Estate, request: Request) -> Response:
    """`GET /billing` and `GET /orgs/{slug}/billing`: the organization's balance and settings."""
    slug = request.path_params.get("slug") or request.query_params.get("org", "")
    organisation = _chosen(estate, slug)
    scenario = SCENARIOS[organisation.scenario]
    content = render(
        _BILLING,
        tabs=_tabs(estate, organisation, "/billing", "org"),
        name=shortened(organisation.name),
        slug=organisation.slug,
        balance=dollars(organisation.balance),
        rows=lines([_card_row(organisation), _switch_row(organisation), *_facts(organisation)]),
        book=_book(estate, organisation),
        options=_options(organisation),
        hint=scenario.hint,
    )
    return page("Billing", content)


async def touch_billing(estate: Estate, request: Request) -> Response:
    """`POST /billing`: a button of that page."""
    form = await form_of(request)
    organisation = _chosen(estate, form.get("org", ""))
    action = form.get("action")
    if action == "add-card":
        organisation.card = Card()
    elif action == "remove-card":
        organisation.card = organisation.other_method = None
    elif action in ("switch-on", "switch-off"):
        organisation.cli_billing_enabled = action == "switch-on"
    elif action == "scenario" and form.get("scenario") in SCENARIOS:
        estate.set_scenario(organisation.slug, form["scenario"])
    return RedirectResponse(f"/billing?{urlencode({'org': organisation.slug})}", 303)


async def read_plan(estate: Estate, request: Request) -> Response:
    """`GET /manage-subscription?org_id=…`: the plan and the plans there are."""
    organisation = _by_id(estate, request.query_params.get("org_id", ""))
    subscription = organisation.subscription
    tier = tier_of(subscription.tier) if subscription is not None else None
    content = render(
        _PLAN,
        tabs=_tabs(estate, organisation, "/manage-subscription", "org_id"),
        plan=tier.name if tier is not None else TIERS[0].name,
        sentence=_plan_sentence(organisation),
        rows=lines(_plan_rows(organisation)),
        slug=organisation.slug,
        name=shortened(organisation.name),
    )
    return page("Plan", content)


async def touch_plan(estate: Estate, request: Request) -> Response:
    """`POST /manage-subscription`: put the organisation on a plan at once, without a charge."""
    form = await form_of(request)
    organisation = _chosen(estate, form.get("org", ""))
    tier = tier_of(form.get("action"))
    if tier is not None and organisation.context != "team":
        free = tier.price == 0
        organisation.subscription = (
            None if free else Subscription(tier=tier.id, credits_remaining=tier.monthly_credits)
        )
    return RedirectResponse(f"/manage-subscription?{urlencode({'org_id': organisation.id})}", 303)


def _chosen(estate: Estate, slug: str) -> Organisation:
    organisations = estate.organisations
    return organisations.get(slug) or next(iter(organisations.values()))


def _by_id(estate: Estate, organisation_id: str) -> Organisation:
    every = list(estate.organisations.values())
    return next((each for each in every if each.id == organisation_id), every[0])


def _tabs(estate: Estate, shown: Organisation, path: str, name: str) -> Html:
    tabs = [
        render(
            _TAB,
            href=f"{path}?{urlencode({name: each.slug if name == 'org' else each.id})}",
            current=Html(' aria-current="page"' if each is shown else ""),
            name=shortened(each.name),
        )
        for each in estate.organisations.values()
    ]
    return render(_TABS, tabs=lines(tabs))


def _button(organisation: Organisation, verb: str, label: str, action: str = "/billing") -> Html:
    return render(_BUTTON, action=action, slug=organisation.slug, verb=verb, label=label)


def _card_row(organisation: Organisation) -> Html:
    shown = payment_method_name(organisation)
    if shown is None:
        button = _button(organisation, "add-card", "Add a card")
        return render(_ROW, what="Payment method", value="None on file", button=button)
    button = _button(organisation, "remove-card", "Remove")
    return render(_ROW, what="Payment method", value=shown, button=button)


def _switch_row(organisation: Organisation) -> Html:
    on = organisation.cli_billing_enabled
    value = "On: apps may charge the card" if on else "Off: no app may charge the card"
    verb, label = ("switch-off", "Turn off") if on else ("switch-on", "Turn on")
    return render(_ROW, what="Remote Spending", value=value, button=_button(organisation, verb, label))


def _facts(organisation: Organisation) -> list[Html]:
    auto_reload = organisation.auto_reload
    reload_text = "Off"
    if auto_reload is not None and auto_reload.enabled:
        below, to = dollars(auto_reload.threshold), dollars(auto_reload.reload_to)
        reload_text = f"Below {below}, up to {to}"
    plan = Html(f'<a href="/manage-subscription?{urlencode({"org_id": organisation.id})}">Manage</a>')
    return [
        render(_ROW, what="Monthly limit", value=_cap_text(organisation.cap), button=Html("")),
        render(_ROW, what="Auto-reload", value=reload_text, button=Html("")),
        render(_ROW, what="Plan", value=_plan_name(organisation), button=plan),
    ]


def _cap_text(cap: MonthlyCap | None) -> str:
    if cap is None:
        return "None"
    ceiling = " (default ceiling)" if cap.is_default_ceiling else ""
    return f"{dollars(cap.spent)} of {dollars(cap.limit)} this month{ceiling}"


def _book(estate: Estate, organisation: Organisation) -> Html:
    mine = [charge for charge in estate.charges if charge.organisation == organisation.slug]
    if not mine:
        return Html("")
    latest = reversed(mine[-_LATEST:])
    return render(_BOOK, rows=lines(_entry(estate, charge) for charge in latest))


def _entry(estate: Estate, charge: Charge) -> Html:
    person = estate.people.get(charge.person)
    why = f": {(charge.reason or '').replace('_', ' ')}" if charge.status == "failed" else ""
    return render(
        _ENTRY,
        status=charge.status.capitalize() + why,
        who=person.name if person is not None else charge.person,
        when=f"{datetime.fromtimestamp(charge.created_at, UTC):%H:%M:%S} UTC",
        amount=dollars(charge.amount),
    )


def _options(organisation: Organisation) -> Html:
    options = []
    for row in SCENARIOS.values():
        amount = amount_of(row.name)
        label = row.title if amount is None else f"{row.title} (${amount:.2f})"
        selected = Html(" selected" if row.name == organisation.scenario else "")
        options.append(
            render(
                '<option value="{name}"{selected}>{label}</option>',
                name=row.name,
                selected=selected,
                label=label,
            )
        )
    return lines(options)


def _plan_name(organisation: Organisation) -> str:
    subscription = organisation.subscription
    tier = tier_of(subscription.tier) if subscription is not None else None
    name = (tier or TIERS[0]).name
    return f"{name}, for a team" if organisation.context == "team" else name


def _plan_sentence(organisation: Organisation) -> str:
    subscription = organisation.subscription
    if organisation.context == "team":
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


def _plan_rows(organisation: Organisation) -> list[Html]:
    if organisation.context == "team":
        return [render(_ROW, what="Plans", value="Not offered to teams here", button=Html(""))]
    current = organisation.subscription.tier if organisation.subscription else TIERS[0].id
    rows = []
    for tier in TIERS:
        if not tier.is_enabled:
            continue
        button = Html('<span class="soft">Current</span>')
        if tier.id != current:
            button = _button(organisation, tier.id, f"Choose {tier.name}", "/manage-subscription")
        value = f"{dollars(tier.price)} a month, {dollars(tier.monthly_credits)} to use"
        rows.append(render(_ROW, what=tier.name, value=value, button=button))
    return rows
