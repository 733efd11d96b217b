"""A portal on loopback that keeps the wire contract with rules of its own.

`PortalSandbox` is the whole of it; `SCENARIOS` and `AMOUNT_SCENARIOS` say what it can be made to do.
"""

from bot.sandbox.portal.faults import FIREWALL, FIREWALL_DENIES, Fault
from bot.sandbox.portal.ledger import Charge, ChargePost, Upgrade
from bot.sandbox.portal.scenarios import AMOUNT_SCENARIOS, SCENARIOS, Scenario
from bot.sandbox.portal.server import PortalSandbox
from bot.sandbox.portal.sign_in import DeviceCodeError
from bot.sandbox.portal.traffic import SeenRequest
from bot.sandbox.portal.world import (
    AutoReload,
    Card,
    MonthlyCap,
    Organisation,
    OtherMethod,
    Person,
)

__all__ = [
    "AMOUNT_SCENARIOS",
    "FIREWALL",
    "FIREWALL_DENIES",
    "SCENARIOS",
    "AutoReload",
    "Card",
    "Charge",
    "ChargePost",
    "DeviceCodeError",
    "Fault",
    "MonthlyCap",
    "Organisation",
    "OtherMethod",
    "Person",
    "PortalSandbox",
    "Scenario",
    "SeenRequest",
    "Upgrade",
]
