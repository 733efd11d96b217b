"""The page of the device authorization grant, on which a person approves or denies the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.portal.display import shortened
from bot.sandbox.portal.markup import Html, lines, page, render
from bot.sandbox.portal.sign_in import BILLING_SCOPE, DeviceCodeError
from bot.sandbox.portal.wire import form_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from bot.sandbox.portal.accounts import Accounts
    from bot.sandbox.portal.models import Person
    from bot.sandbox.portal.sign_in import DeviceGrant

_ASK_FOR_CODE = """<section class="sheet">
<h1>Connect an app</h1>
<p class="soft">Type the code that Slack shows you.</p>
<form class="stack" method="get" action="/device">
<div><label class="above" for="user_code">Code</label>
<input class="typed-code" type="text" id="user_code" name="user_code" placeholder="XXXX-XXXX"
 autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="12" required></div>
<button class="primary">Continue</button>
</form>
</section>"""
_CONSENT = """<form class="sheet" method="post" action="/device">
<h1>Let {app} in?</h1>
<p class="code">{code}</p>
<p class="note">Go on only if Slack shows you the same code.</p>
<input type="hidden" name="user_code" value="{code}">
<h2>It will be able to</h2>
<ul class="can">
{abilities}
</ul>
<div class="who"><label class="above" for="person">You are signed in as</label>
<select id="person" name="person" required>
{people}
</select></div>
<div class="actions">
<button class="primary" name="decision" value="approve">Approve</button>
{without}
<button class="quiet" name="decision" value="deny">Deny</button>
</div>
</form>"""
_ABILITY = "<li><strong>{what}</strong> <span class='note'>{detail}</span></li>"
_READ_ABILITY = (
    "See who you are and what is left",
    "Your name, organization, balance and plan.",
)
_SPEND_ABILITY = (
    "Allow Remote Spending for your organization",
    "Add funds, set auto-reload, change the plan. It asks you first.",
)
_WITHOUT = """<button name="decision" value="approve-without-billing">
Approve without billing permission</button>"""
_TEAM = """<optgroup label="{name}">
{members}
</optgroup>"""
_CHOICE = '<option value="{key}"{selected}>{name}, {role}</option>'
_RESULT = """<section class="sheet" role="status">
<h1>{title}</h1>
<p>{sentence}</p>
<p class="soft">You can close this tab and go back to Slack.</p>
</section>"""
_INVALID_CODE = """<section class="sheet" role="alert">
<h1>{title}</h1>
<p>{sentence}</p>
<p><a href="/device">Type another code</a></p>
</section>"""
_ROLES = {
    "OWNER": "owner",
    "ADMIN": "admin",
    "FINANCE_ADMIN": "finance admin",
    "SECURITY_ADMIN": "security admin",
    "MEMBER": "member",
}
_INVALID_CODES = {
    "unknown": (
        404,
        "We don't know this code",
        "Check it against the one in Slack, letter by letter.",
    ),
    "expired": (410, "This code has expired", "Start again in Slack to get a new one."),
    "used": (
        409,
        "This code was already used",
        "Each code works once. Start again in Slack if you still need to connect.",
    ),
}
PERSON_COOKIE = "sandbox_person"
_APP_NAMES = {"hermes-cli": "Billing for Slack"}


async def read_device(accounts: Accounts, request: Request) -> Response:
    """Answer `GET /device` with the approval form, or with a field for the code."""
    user_code = request.query_params.get("user_code", "").strip()
    if not user_code:
        return page("Connect an app", render(_ASK_FOR_CODE))
    try:
        grant = accounts.sign_in.pending_grant(user_code)
    except DeviceCodeError as error:
        return _invalid_code(error)
    return page("Connect an app", _consent(accounts, grant, _signed_in(accounts, request)))


async def answer_device(accounts: Accounts, request: Request) -> Response:
    """Answer `POST /device`, a button of the approval form."""
    form = await form_of(request)
    user_code, person = form.get("user_code", ""), form.get("person", "")
    decision = form.get("decision", "")
    try:
        if decision == "deny":
            accounts.deny(user_code)
            return _result("Turned away", "The app was not connected. Nothing was changed.")
        grant = accounts.sign_in.pending_grant(user_code)
        if person not in accounts.people or not decision.startswith("approve"):
            return page("Connect an app", _consent(accounts, grant, _signed_in(accounts, request)), 400)
        billing = decision == "approve"
        accounts.approve(user_code, person, billing=billing)
    except DeviceCodeError as error:
        return _invalid_code(error)
    return _approved(accounts.people[person], grant, billing=billing)


def _approved(person: Person, grant: DeviceGrant, *, billing: bool) -> Response:
    if BILLING_SCOPE not in grant.scope:
        return _result("You're connected", f"Signed in as {person.name}.")
    if not billing:
        sentence = f"Signed in as {person.name}, without the billing permission."
    elif person.may_change_plan:
        sentence = f"Signed in as {person.name}, with the billing permission."
    else:
        sentence = (
            f"Signed in as {person.name}, without the billing permission: "
            "an owner, admin or finance admin of your organization has to give it."
        )
    return _result("You're connected", sentence)


def _signed_in(accounts: Accounts, request: Request) -> str:
    """Return the key of the person who acts in the sandbox Slack of this browser, or the first person's.

    The cookie comes from that page. A browser sends it to every port of the host.
    """
    person = request.cookies.get(PERSON_COOKIE, "")
    return person if person in accounts.people else next(iter(accounts.people))


def _consent(accounts: Accounts, grant: DeviceGrant, signed_in: str) -> Html:
    spends = BILLING_SCOPE in grant.scope
    abilities = [_READ_ABILITY, _SPEND_ABILITY] if spends else [_READ_ABILITY]
    return render(
        _CONSENT,
        app=_APP_NAMES.get(grant.client_id, grant.client_id),
        code=grant.user_code,
        abilities=lines(render(_ABILITY, what=what, detail=detail) for what, detail in abilities),
        people=_people(accounts, signed_in),
        without=Html(_WITHOUT if spends else ""),
    )


def _people(accounts: Accounts, signed_in: str) -> Html:
    parts: list[Html] = []
    teams: dict[str | None, str] = {
        slug: shortened(each.name) for slug, each in accounts.organizations.items()
    }
    for slug, name in {**teams, None: "No organization"}.items():
        members = [each for each in accounts.people.values() if each.organization == slug]
        choices = lines(_choice(each, chosen=each.key == signed_in) for each in members)
        parts.append(render(_TEAM, name=name, members=choices))
    return lines(parts)


def _choice(person: Person, *, chosen: bool) -> Html:
    role = _ROLES.get(person.role, person.role.replace("_", " ").lower())
    if person.can_change_plan is not None:
        role += ", may spend" if person.can_change_plan else ", may not spend"
    selected = Html(" selected" if chosen else "")
    return render(_CHOICE, key=person.key, name=person.name, role=role, selected=selected)


def _result(title: str, sentence: str) -> Response:
    return page(title, render(_RESULT, title=title, sentence=sentence))


def _invalid_code(error: DeviceCodeError) -> Response:
    status, title, sentence = _INVALID_CODES[error.reason]
    return page(title, render(_INVALID_CODE, title=title, sentence=sentence), status)
