"""The effects of an acknowledgement: messages after a command, changes of the submitted modal."""

from typing import Any

from bot.sandbox.slack.block_rules import error_message
from bot.sandbox.slack.delivery import Ack
from bot.sandbox.slack.inputs import input_ids
from bot.sandbox.slack.messages import RefusedError, Report, refuse
from bot.sandbox.slack.response_urls import ResponseUrls
from bot.sandbox.slack.validation import ValidationFailure, validate_view
from bot.sandbox.slack.views import Views

Json = dict[str, Any]


class Acks:
    """Apply the app's acknowledgements.

    Every method raises `RefusedError` or `ViewRefusedError` for an answer that Slack does not accept.
    """

    def __init__(self, views: Views, response_urls: ResponseUrls, report: Report) -> None:
        self._views = views
        self._response_urls = response_urls
        self._report = report

    def after_command(self, response_url: str, ack: Ack) -> None:
        """Post the text or blocks of the acknowledgement, if it has any."""
        parsed = ack.parsed
        body = parsed if isinstance(parsed, dict) else {"text": parsed}
        if body.get("text") or body.get("blocks") or body.get("attachments"):
            self._response_urls.answer_command(response_url, body)

    def after_submission(self, user: str, view_id: str, ack: Ack) -> dict[str, str]:
        """Close, keep or replace the submitted view, or push a view in front of it.

        Returns:
            The errors to show in the view, by block_id.
        """
        parsed = ack.parsed
        answer = parsed if isinstance(parsed, dict) else {}
        action = answer.get("response_action")
        current = next((view for view in self._views.stack(user) if view["id"] == view_id), None)
        if current is None:
            return {}
        if action == "errors":
            return self._errors(current, answer.get("errors"))
        if action in ("update", "push"):
            self._show(user, current, answer.get("view"), push=action == "push")
        elif action == "clear":
            self._views.clear(user)
        elif action is None:
            self._views.close_submitted(user, view_id)
        else:
            words = error_message(f"unknown response_action {action}", "/response_action")
            refuse(ValidationFailure(error="invalid_arguments", messages=(words,)), "ack", self._report)
        return {}

    def _errors(self, view: Json, errors: object) -> dict[str, str]:
        known = input_ids(view["blocks"])
        if isinstance(errors, dict) and errors and errors.keys() <= known:
            return {str(block_id): str(text) for block_id, text in errors.items()}
        words = error_message(f"errors must name input blocks out of {sorted(known)}", "/errors")
        failure = ValidationFailure(error="invalid_arguments", messages=(words,))
        self._report("ack", failure)
        raise RefusedError(failure.error, failure.messages)

    def _show(self, user: str, current: Json, view: object, *, push: bool) -> None:
        refuse(validate_view(view, ("modal",)), "ack", self._report)
        if not isinstance(view, dict):
            return
        if push:
            self._views.push_from_response(user, current, view)
        else:
            self._views.replace(current, view)
