"""The traffic inspector: the requests between Slack and the app, each with an explanation."""

import re
from collections import deque
from typing import Any

from bot.sandbox.slack.feed import Feed

Json = dict[str, Any]

KEPT = 300
VIEW_CLOSED = "view_closed"
"""The error of an update of a modal that the person has closed. Slack's own code is `not_found`."""

_SHOWN = 8
_SECRET_NAMES = frozenset(
    {"token", "authorization", "x-slack-signature", "bot_token", "access_token", "client_secret", "code"}
)
_RESPONSE_URL = re.compile(r"(/response/\w{4})\w+")
_TOKEN = re.compile(r"(xox[a-z]-\w{2}|xapp-\d-\w{2})[\w-]+")
_TICKET = re.compile(r"(ticket=\w{4})\w+")

_NOTES = {
    "command": "Slack waits 3 s for this acknowledgement; it took {ms} ms.",
    "block_actions": (
        "A click is acknowledged within 3 s ({ms} ms here); what it changes comes by another call."
    ),
    "view_submission": (
        "Only this answer can close the modal: empty closes one view, clear closes all ({ms} ms)."
    ),
    "view_closed": "Sent because the view asked for it with notify_on_close.",
    "event": "Events are the only requests that Slack repeats: at once, after 1 min, after 5 min.",
    "response_url": "A response_url works 5 times within 30 minutes.",
    "kill": "The process got SIGKILL, as in a crash, and was ready again after {ms} ms.",
}
_API_NOTES = {
    "apps.connections.open": "Needs the app-level token; the address it answers works once.",
    "auth.test": "Tells whose token this is; the app pins the team it answers for.",
    "chat.postMessage": "A user id as channel posts into the app's direct message with them.",
    "chat.update": "Needs channel and ts; an ephemeral message cannot be changed this way.",
    "chat.delete": "An app can delete its own messages only.",
    "chat.postEphemeral": "An ephemeral message changes only through its response_url.",
    "conversations.history": "Message metadata comes only with include_all_metadata.",
    "conversations.replies": "The parent message comes first, then its replies.",
    "conversations.open": "Answers the id of the app's direct message with a person.",
    "oauth.v2.access": "A code works once, within 10 minutes; the answer carries the workspace's token.",
    "users.info": "Needs the scope users:read.",
    "views.open": "A trigger_id opens one view within 3 s.",
    "views.push": "A stack holds at most 3 views.",
    "views.update": "With the hash, a view that changed meanwhile is not overwritten.",
    "views.publish": "App Home is published for one person at a time, at any moment.",
}
_ERROR_NOTES = {
    "hash_conflict": "The view changed since the app last saw it, so Slack kept the newer one.",
    "not_found": "No open view has this id.",
    VIEW_CLOSED: "The person had closed this modal, so there was nothing left to update. No harm is done.",
    "expired_trigger_id": "More than 3 s had passed since the click or command.",
    "exchanged_trigger_id": "This trigger_id had already opened a view.",
    "invalid_blocks": "The blocks break a limit of Block Kit; response_metadata says where.",
    "invalid_arguments": "An argument breaks a limit; response_metadata says where.",
    "used_url": "This response_url had been used 5 times.",
    "expired_url": "This response_url was older than 30 minutes.",
    "ratelimited": "About one message per second and channel; Retry-After says how long to wait.",
    "operation_timeout": "No acknowledgement within 3 s: the person sees an error.",
    "dispatch_failed": "The app could not be reached or did not answer 200.",
}


def redacted(value: object, name: str = "") -> Any:  # noqa: ANN401 keeps the JSON's own shape
    """Return a copy of a JSON value with every secret shortened."""
    if isinstance(value, dict):
        return {key: redacted(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(inner, name) for inner in value]
    if not isinstance(value, str):
        return value
    if name.lower() in _SECRET_NAMES and len(value) > _SHOWN:
        return f"{value[:_SHOWN]}…"
    for secret in (_RESPONSE_URL, _TOKEN, _TICKET):
        value = secret.sub(r"\1…", value)
    return value


def note_for(kind: str, name: str, ms: float, error: str | None) -> str:
    """Return one sentence that explains the entry."""
    if error in _ERROR_NOTES:
        return _ERROR_NOTES[error]
    template = _NOTES.get(kind) or _API_NOTES.get(name, "A call of Slack's Web API.")
    return template.format(ms=round(ms))


class Inspector:
    """Keep the last entries and send each new entry to the feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._entries: deque[Json] = deque(maxlen=KEPT)
        self._count = 0

    @property
    def entries(self) -> list[Json]:
        """Return the entries, oldest first."""
        return list(self._entries)

    def clear(self) -> None:
        """Remove every entry."""
        self._entries.clear()

    def record(self, entry: Json, *, error: str | None = None) -> None:
        """Add one request or call without its secrets.

        Args:
            entry: `at`, `direction`, `kind`, `name`, `ok`, `status`, `ms`, `request`,
                `response`, and `user` when a person caused it.
            error: The error code, if any.
        """
        self._count += 1
        kept: Json = redacted(entry)
        kept["id"] = self._count
        kept["ms"] = round(entry["ms"], 1)
        kept["note"] = note_for(entry["kind"], entry["name"], entry["ms"], error)
        self._entries.append(kept)
        self._feed.inspect(kept)
