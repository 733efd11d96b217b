"""A Slack workspace on loopback that treats the app as Slack does."""

from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.installations import Installation
from bot.sandbox.slack.interactions import NotACommandError
from bot.sandbox.slack.manifest import ManifestError, app_of
from bot.sandbox.slack.oauth import AuthorizationError
from bot.sandbox.slack.people import GRID, Cast, Channel, Enterprise, Person, SlackApp, SlashCommand, Team
from bot.sandbox.slack.sandbox import SlackSandbox, Violation
from bot.sandbox.slack.server import ApiCall

__all__ = [
    "GRID",
    "ApiCall",
    "AuthorizationError",
    "Cast",
    "Channel",
    "Delivery",
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
