"""A Slack workspace on loopback that follows Slack's rules."""

from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.directory import (
    GRID,
    Channel,
    Directory,
    Enterprise,
    Person,
    SlackApp,
    SlashCommand,
    Team,
)
from bot.sandbox.slack.installations import Installation
from bot.sandbox.slack.interactions import NotACommandError
from bot.sandbox.slack.manifest import ManifestError, app_of
from bot.sandbox.slack.oauth import AuthorizationError
from bot.sandbox.slack.sandbox import SlackSandbox, Violation
from bot.sandbox.slack.server import ApiCall

__all__ = [
    "GRID",
    "ApiCall",
    "AuthorizationError",
    "Channel",
    "Delivery",
    "Directory",
    "Enterprise",
    "Installation",
    "ManifestError",
    "NotACommandError",
    "Person",
    "SlackApp",
    "SlackSandbox",
    "SlashCommand",
    "Team",
    "Violation",
    "app_of",
]
