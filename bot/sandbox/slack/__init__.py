"""A Slack workspace on loopback that treats the app as Slack does."""

from bot.sandbox.slack.delivery import Delivery
from bot.sandbox.slack.interactions import NotACommandError
from bot.sandbox.slack.manifest import ManifestError, app_of
from bot.sandbox.slack.people import Cast, Channel, Person, SlackApp, SlashCommand, Team
from bot.sandbox.slack.sandbox import SlackSandbox, Violation
from bot.sandbox.slack.server import ApiCall

__all__ = [
    "ApiCall",
    "Cast",
    "Channel",
    "Delivery",
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
