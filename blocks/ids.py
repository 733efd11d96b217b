"""The ids that a screen and its listener share."""

from __future__ import annotations

ADD_FUNDS = "add_funds"
AUTO_RELOAD = "auto_reload"
MONTHLY_LIMIT = "monthly_limit"
MANAGE_ON_PORTAL = "manage_on_portal"
SHOW_OVERVIEW = "show_overview"
CONNECT = "connect"
OPEN_LINK = "open_link"
DISCONNECT = "disconnect"
CANCEL_CONNECT = "cancel_connect"
BACK_TO_AMOUNT = "back_to_amount"
CHECK_CARD = "check_card"
CHECK_AGAIN = "check_again"
ENABLE_BILLING = "enable_billing"
RESUME = "resume"

AMOUNT_VIEW = "amount"
AMOUNT_PRESET = "amount_preset"
AMOUNT_CUSTOM = "amount_custom"
CUSTOM = "custom"
CONFIRM_VIEW = "confirm_purchase"
INFO_VIEW = "info"
CARD_VIEW = "add_card"

CHARGE_EVENT = "billing_charge"
"""The event_type of a charge's message metadata."""

REPLY_EVENT = "billing_charge_reply"
"""The event_type of a thread reply's metadata."""
