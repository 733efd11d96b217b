"""What is asked about a person before they act: their connection, what Slack says, the operator's rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.services.accounts import Accounts
    from bot.services.channels import Channels
    from bot.services.members import Members
    from bot.services.permission import Permission


@dataclass(frozen=True, kw_only=True, slots=True)
class People:
    """Those who answer."""

    accounts: Accounts
    members: Members
    channels: Channels
    permission: Permission
