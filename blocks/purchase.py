"""The screens for buying: choose an amount, confirm it, wait for the outcome."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.charge import buy_again
from blocks.errors import rule_words
from blocks.inputs import TYPED_LENGTH, radios, text_input
from blocks.kit import (
    OPTION_TEXT,
    Block,
    Json,
    actions,
    button,
    context,
    escape,
    fields,
    fitting,
    modal,
    moment,
    portal_button,
    portal_line,
    section,
)
from blocks.words import consent, method_label, method_name, organization, whose, why_this_method
from bot.domain.charge import Charge, ChargeKind
from bot.domain.money import AmountError, AmountProblem, Bounds, parse_wire, show
from bot.domain.offer import AmountOffer, Ceiling
from bot.domain.rules import RuleError

if TYPE_CHECKING:
    from bot.domain.billing import BillingState
    from bot.domain.identity import Account

STORING = "Saving your confirmation…"

_CEILINGS = {
    Ceiling.PORTAL: "",
    Ceiling.MONTHLY_LIMIT: ": the monthly limit leaves no more",
    Ceiling.RULE: ": your app manager allows no more at once",
    Ceiling.DAY: ": your app manager allows you no more in 24 hours",
    Ceiling.TEAM: ": your organization lets nobody ask for more",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AmountForm:
    """The content of the modal that asks for an amount, kept in the modal between requests.

    The stored offer lets the modal answer quickly. The offer is loaded again before a charge is proposed.
    `read_at` (UTC) is when the balance was read.
    """

    offer: AmountOffer
    balance: Decimal | None
    read_at: datetime | None = None
    left: Decimal | None = None
    """What is left of the monthly limit, in US dollars."""

    usual: Decimal | None = None
    """The preset to choose at first: the one bought last, or else the middle one."""

    typed: str | None = None
    """What stood in the text input at first."""

    owner: str | None = None
    """The account's name as `blocks.words.whose` writes it (escaped)."""

    channel: str | None = None
    """The channel in which the purchase was asked for."""

    @classmethod
    def of(
        cls,
        state: BillingState,
        offer: AmountOffer,
        *,
        read_at: datetime | None = None,
        account: Account | None = None,
        last: Decimal | None = None,
        channel: str | None = None,
    ) -> AmountForm:
        """Make the form from the current billing state and offer; `last` is the amount bought last."""
        middle = offer.presets[len(offer.presets) // 2] if offer.presets else None
        return cls(
            offer=offer,
            balance=state.balance,
            read_at=read_at,
            left=state.monthly_cap.left if state.monthly_cap else None,
            owner=None if account is None else whose(account),
            usual=next((amount for amount in offer.presets if amount == last), middle),
            channel=channel,
        )

    def remember(self) -> str:
        """Serialize the form for a view's private metadata."""
        return json.dumps(
            {
                "presets": [str(amount) for amount in self.offer.presets],
                "bounds": [_text(self.offer.bounds.minimum), _text(self.offer.bounds.maximum)],
                "balance": _text(self.balance),
                "ceiling": self.offer.ceiling.value,
                "read_at": self.read_at and self.read_at.isoformat(),
                "left": _text(self.left),
                "owner": self.owner,
                "usual": _text(self.usual),
                "typed": self.typed,
                "channel": self.channel,
            }
        )

    @classmethod
    def recall(cls, remembered: str) -> AmountForm:
        """Read a serialized form; unreadable text gives an empty form."""
        try:
            found = json.loads(remembered)
            minimum, maximum = (parse_wire(bound) for bound in found["bounds"])
            presets = (parse_wire(amount) for amount in found["presets"])
            read_at = found.get("read_at")
            offer = AmountOffer(
                presets=tuple(amount for amount in presets if amount is not None),
                bounds=Bounds(minimum=minimum, maximum=maximum),
                ceiling=Ceiling(found.get("ceiling", Ceiling.PORTAL)),
            )
            return cls(
                offer=offer,
                balance=parse_wire(found["balance"]),
                read_at=datetime.fromisoformat(read_at) if read_at else None,
                left=parse_wire(found["left"]),
                owner=found.get("owner"),
                usual=parse_wire(found.get("usual")),
                typed=found.get("typed"),
                channel=found.get("channel"),
            )
        except (ValueError, KeyError, TypeError):
            return cls(offer=AmountOffer(presets=(), bounds=Bounds()), balance=None)

    def problem(self, error: AmountError | RuleError) -> str:
        """Say in one sentence what is wrong with an amount, and which limit it exceeds."""
        if isinstance(error, RuleError):
            return rule_words(error).removesuffix(".")
        if error.problem is not AmountProblem.TOO_LARGE or self.offer.bounds.maximum is None:
            return amount_problem(error)
        here = AmountError(error.problem, self.offer.bounds.maximum)
        return amount_problem(here) + _CEILINGS[self.offer.ceiling]


def amount_modal(
    form: AmountForm, *, chosen: str | None = None, typed: str | None = None, problem: str | None = None
) -> Json:
    """Make the modal that asks for an amount.

    `chosen` is a preset's value; without it, the form's usual one is chosen. `typed` is an amount as the
    person wrote it.
    """
    inputs, kept = amount_inputs(form, chosen=chosen, typed=typed)
    return modal(
        titles.ADD_FUNDS,
        _standing(form),
        section(f"*{problem}.*") if problem else None,
        *inputs,
        callback_id=ids.AMOUNT_VIEW,
        submit="Continue",
        close="Cancel",
        private_metadata=kept.remember(),
    )


def amount_inputs(
    form: AmountForm, *, chosen: str | None = None, typed: str | None = None
) -> tuple[list[Block | None], AmountForm]:
    """Make the choice of an amount and the line to type one; return the form to keep in the modal too."""
    options = {format(amount, "f"): _preset(form, amount) for amount in form.offer.presets}
    preset = next((_text(amount) for amount in form.offer.presets if show(amount) == typed), None)
    choice = radios(
        "Amount",
        list(options.items()),
        block_id=ids.AMOUNT_PRESET,
        action_id=ids.AMOUNT_PRESET,
        chosen=preset or chosen or _text(form.usual),
    )
    first = typed[:TYPED_LENGTH] if typed and preset is None else None
    line = text_input(
        "Or another amount" if options else "Amount",
        block_id=ids.AMOUNT_CUSTOM,
        action_id=ids.AMOUNT_CUSTOM,
        placeholder="e.g. 100",
        initial=first,
        hint=" ".join(
            filter(None, ["Used instead of the choice above." if options else None, _bounds_hint(form)])
        ),
        optional=bool(options),
    )
    kept = replace(form, usual=parse_wire(preset or chosen) or form.usual, typed=first)
    return [choice if options else None, line], kept


def _preset(form: AmountForm, amount: Decimal) -> str:
    """Name an amount, and the balance that it leads to."""
    after = "" if form.balance is None else f" → new balance {show(form.balance + amount)}"
    return fitting(show(amount) + after, show(amount), OPTION_TEXT)


def closed_modal(form: AmountForm, state: BillingState) -> Json:
    """Make the modal for when no amount can be charged: the reason, and where to change it."""
    least = "the smallest purchase is more than that"
    most = show(form.offer.bounds.maximum)
    words = {
        Ceiling.PORTAL: "The portal takes no purchase of any amount right now.",
        Ceiling.MONTHLY_LIMIT: f"The monthly limit leaves *{most}*, and {least}.",
        Ceiling.RULE: f"Your app manager allows *{most}* at once, and {least}.",
        Ceiling.TEAM: f"Your organization lets people ask for *{most}* at most, and {least}.",
        Ceiling.DAY: (f"Your app manager leaves you *{most}* in these 24 hours, and {least}."),
    }[form.offer.ceiling]
    return modal(
        titles.ADD_FUNDS,
        _standing(form),
        section(f"*Nothing can be added now.* {words}"),
        actions(portal_button(state.portal_url)),
        callback_id=ids.INFO_VIEW,
    )


def confirm_modal(charge: Charge, *, open_equal: Charge | None, state: BillingState | None = None) -> Json:
    """Make the modal in which the person confirms one charge.

    Its metadata holds only the charge's id and the id of the unfinished charge that it warns of. `state` is
    the billing state before the charge, if it is known.
    """
    amount = show(charge.amount)
    pay = f"Pay {amount} now"
    return modal(
        titles.POSSIBLE_DUPLICATE if open_equal else titles.CONFIRM_PURCHASE,
        section(buy_again(charge, open_equal)) if open_equal else None,
        section(f"Add *{amount}* to the balance of *{organization(charge.organization_name)}*."),
        fields([("Total", amount), method_field(charge), *(balance_after(charge, state) if state else [])]),
        context(f"You act as {escape(charge.account_email)}.") if charge.account_email else None,
        section(consent(charge.payment_method)),
        actions(button("Back", ids.BACK_TO_AMOUNT, value=charge.id)),
        portal_line(charge.portal_url),
        callback_id=ids.CONFIRM_VIEW,
        submit=fitting(f"Pay {amount} again", pay) if open_equal else pay,
        close="Cancel",
        private_metadata=f"{charge.id} {open_equal.id}" if open_equal else charge.id,
        notify_on_close=True,
    )


def balance_after(charge: Charge, state: BillingState) -> list[tuple[str, str]]:
    """Return the balance after the charge, and what the monthly limit leaves then."""
    after = []
    if state.balance is not None:
        after.append(("New balance", show(state.balance + charge.amount)))
    if state.monthly_cap is not None:
        left = max(Decimal(0), state.monthly_cap.left - charge.amount)
        after.append(("Monthly limit", f"{show(left)} left after this"))
    return after


def method_field(charge: Charge) -> tuple[str, str]:
    """Return the payment method's label, and its name with the reason why it is charged."""
    method = charge.payment_method
    if method is None:
        return "Payment method", "the one on file"
    why = why_this_method(method)
    return method_label(method), escape(method_name(method)) + (f"\n{why}" if why else "")


def processing_modal(charge: Charge, *, waited: int = 0) -> Json:
    """Make the modal that follows the confirmation and is later replaced by the outcome.

    `waited` is for how many seconds the person has seen it, once that is longer than usual.
    """
    doing = f"Adding *{show(charge.amount)}* to your balance…"
    if charge.kind is ChargeKind.UPGRADE:
        doing = f"Upgrading to *{escape(charge.tier_name or 'the new plan')}*…"
    return modal(
        titles.PROCESSING,
        section(doing),
        context(f"Taking longer than usual ({waited} s)…" if waited else "Usually takes a few seconds."),
        context("You can close this. We'll message you when it's done."),
        callback_id=ids.INFO_VIEW,
    )


def add_card_modal(
    state: BillingState, *, typed: str | None, still_missing: bool = False, channel: str | None = None
) -> Json:
    """Make the modal for an organization without a payment method.

    `still_missing`: the person asked to check again, and none was found. Its metadata is the amount and the
    channel, with a space between them.
    """
    return modal(
        titles.ADD_CARD,
        section("There is still no payment method on file.") if still_missing else None,
        section(
            "To add funds you need a card or another payment method. You add it in the portal; this app "
            "never sees it.\nAdd it there, then come back and check again."
        ),
        context("A one-time card payment in the portal saves no card. Save one there as a payment method."),
        actions(
            portal_button(state.portal_url, style="primary"),
            button("I've added it, check again", ids.CHECK_CARD),
            button("Back", ids.BACK_TO_AMOUNT),
        ),
        callback_id=ids.CARD_VIEW,
        private_metadata=f"{typed or ''} {channel or ''}".rstrip(),
    )


def amount_problem(error: AmountError) -> str:
    """Say what is wrong with an amount, in one sentence."""
    match error.problem:
        case AmountProblem.UNREADABLE:
            return "Enter a dollar amount, e.g. 100"
        case AmountProblem.TOO_PRECISE:
            return "Use at most two decimals, e.g. 12.50"
        case AmountProblem.NOT_POSITIVE:
            return "Enter an amount above $0"
        case AmountProblem.TOO_SMALL:
            return f"The smallest amount is {show(error.limit)}"
        case AmountProblem.TOO_LARGE:
            return f"The largest amount is {show(error.limit)}"


def _standing(form: AmountForm) -> Block | None:
    """Return the balance, its owner, the time it was read, and what is left of the monthly limit."""
    amounts = [
        None if form.balance is None else f"Your balance is *{show(form.balance)}*.",
        None if form.left is None else f"The monthly limit leaves *{show(form.left)}*.",
    ]
    facts = [
        " ".join(filter(None, amounts)),
        form.owner,
        None if form.read_at is None else moment("As of", form.read_at),
    ]
    words = "\n".join(filter(None, facts))
    return section(words, accessory=button("Refresh", ids.REFRESH_AMOUNT)) if words else None


def _bounds_hint(form: AmountForm) -> str | None:
    """Return the range of allowed amounts, and what sets its upper end."""
    bounds = form.offer.bounds
    if bounds.minimum is not None and bounds.maximum is not None:
        words = f"Between {show(bounds.minimum)} and {show(bounds.maximum)}"
    elif bounds.minimum is not None:
        return f"{show(bounds.minimum)} or more"
    elif bounds.maximum is not None:
        words = f"{show(bounds.maximum)} at most"
    else:
        return None
    return words + _CEILINGS[form.offer.ceiling]


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")
