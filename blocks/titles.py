"""The titles of modals. A modal keeps its title while it loads, when it is shown, and when it failed."""

from __future__ import annotations

ADD_FUNDS = "Add funds"
ADD_CARD = "Add a card first"
AUTO_RELOAD = "Auto-reload"
CHECKING = "Checking"
CONFIRM_UPGRADE = "Confirm upgrade"
CONFIRM_PURCHASE = "Confirm purchase"
CONNECT = "Connect"
MONTHLY_LIMIT = "Monthly limit"
PAUSE_SPENDING = "Pause all spending?"
POSSIBLE_DUPLICATE = "Possible duplicate"
PURCHASE_DETAILS = "Purchase details"
PROCESSING = "Processing"
