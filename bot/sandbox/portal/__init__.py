"""A portal on loopback that speaks the wire of docs/portal.md.

`PortalSandbox` is the server. `SCENARIOS` and `AMOUNT_SCENARIOS` list the behaviors that a test can
select.
"""

from bot.sandbox.portal.faults import FIREWALL, FIREWALL_DENIES, Fault
from bot.sandbox.portal.ledger import Charge, ChargePost, Upgrade
from bot.sandbox.portal.models import (
    AutoReload,
    Card,
    MonthlyCap,
    Organization,
    OtherMethod,
    Person,
)
from bot.sandbox.portal.scenario import Scenario
from bot.sandbox.portal.scenarios import AMOUNT_SCENARIOS, SCENARIOS
from bot.sandbox.portal.server import PortalSandbox
from bot.sandbox.portal.sign_in import DeviceCodeError
from bot.sandbox.portal.traffic import SeenRequest

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
    "Organization",
    "OtherMethod",
    "Person",
    "PortalSandbox",
    "Scenario",
    "SeenRequest",
    "Upgrade",
]
