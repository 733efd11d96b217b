"""The ids that a screen and its listener share."""

from __future__ import annotations

ADD_FUNDS = "add_funds"
AUTO_RELOAD = "auto_reload"
MONTHLY_LIMIT = "monthly_limit"
LOCK = "lock"
MORE = "more"
PORTAL = "portal"
"""The entry of the menu MORE that leads to the portal; the others are commands."""

MANAGE_ON_PORTAL = "manage_on_portal"
SHOW_OVERVIEW = "show_overview"
BACK_TO_OVERVIEW = "back_to_overview"
"""Left out of modals, where closing is the way back."""

SHOW_PLAN = "show_plan"
KEEP_CONNECTION = "keep_connection"
REFRESH = "refresh"
REFRESH_USAGE = "refresh_usage"
REFRESH_AMOUNT = "refresh_amount"
CONNECT = "connect"
OPEN_LINK = "open_link"
OPEN_PLAN = "open_plan"
DISCONNECT = "disconnect"
CANCEL_CONNECT = "cancel_connect"
CUT_CONNECTION = "cut_connection"
LET_IN = "let_in"
SHOW_WAITING = "show_waiting"
BACK_TO_AMOUNT = "back_to_amount"
CHECK_CARD = "check_card"
CHECK_AGAIN = "check_again"
ENABLE_BILLING = "enable_billing"
"""For a waiting purchase; the button's value is its id."""

ENABLE_FOR_COMMAND = "enable_for_command"
"""For a command; the button's value is the command."""

RESUME = "resume"

MOST_PLANS = 20
"""How many plans the free plan's catalog lists; each button needs its own id."""

LINKS = frozenset({MANAGE_ON_PORTAL, OPEN_LINK, *(f"{OPEN_PLAN}_{number}" for number in range(MOST_PLANS))})
"""Buttons that only open a page; a click on one is only acknowledged."""

AMOUNT_VIEW = "amount"
AMOUNT_PRESET = "amount_preset"
AMOUNT_CUSTOM = "amount_custom"
CONFIRM_VIEW = "confirm_purchase"
INFO_VIEW = "info"
CARD_VIEW = "add_card"

PLAN_TIER = "plan_tier"
PLAN_VIEW = "plan"
PLAN_CONFIRM_VIEW = "plan_confirm"
PLAN_UPGRADE_VIEW = "plan_upgrade"
PLAN_BACK = "plan_back"
PLAN_CANCEL = "plan_cancel"
PLAN_KEEP = "plan_keep"
AUTO_RELOAD_VIEW = "auto_reload_form"
AUTO_RELOAD_CONFIRM_VIEW = "auto_reload_confirm"
AUTO_RELOAD_OFF = "auto_reload_off"
AUTO_RELOAD_BACK = "auto_reload_back"
RELOAD_BELOW = "reload_below"
RELOAD_TO = "reload_to"
HISTORY = "history"
HISTORY_PAGE = "history_page"
TRACE = "trace"
GO_ON = "go_on"
SHOW_HELP = "show_help"

ASK = "ask"
"""Opens the form to ask for funds; its value is empty, or the request to ask for again."""

ASK_ANYWAY = "ask_anyway"
"""The same, although asking may not help; its value is what was typed."""

ASK_VIEW = "ask_form"
REASON = "reason"
REVIEW = "review"
"""Its value is the request's id, as that of the following."""

DENY = "deny"
DENY_VIEW = "deny_form"
EDIT_REQUEST = "edit_request"
WITHDRAW_REQUEST = "withdraw_request"
REMIND = "remind"
SHOW_REQUEST = "show_request"
REQUESTS = "requests"
LEAVE_TO_OTHERS = "leave_to_others"
"""Its value is the charge's id."""

CHARGE_EVENT = "billing_charge"
"""The event_type of a charge's message metadata."""

REPLY_EVENT = "billing_charge_reply"
"""The event_type of a thread reply's metadata."""
