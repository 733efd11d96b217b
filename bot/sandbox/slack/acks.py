"""What an acknowledgement does: texts in answer to a command, and the fate of a modal."""

from typing import Any

from bot.sandbox.slack.block_kit import Verdict, judge_view
from bot.sandbox.slack.block_rules import complaint
from bot.sandbox.slack.delivery import Ack
from bot.sandbox.slack.inputs import input_ids
from bot.sandbox.slack.messages import RefusedError, Report, refuse
from bot.sandbox.slack.response_urls import ResponseUrls
from bot.sandbox.slack.views import Views

Json = dict[str, Any]


class Acks:
    """Carries out what the app answered.

    Every method raises `RefusedError` or `ViewRefusedError` for an answer Slack does not take.
    """

    def __init__(self, views: Views, response_urls: ResponseUrls, report: Report) -> None:
        self._views = views
        self._response_urls = response_urls
        self._report = report

    def after_command(self, response_url: str, ack: Ack) -> None:
        """Posts the text or blocks of the answer, if it has any."""
        parsed = ack.parsed
        body = parsed if isinstance(parsed, dict) else {"text": parsed}
        if body.get("text") or body.get("blocks") or body.get("attachments"):
            self._response_urls.answer_command(response_url, body)

    def after_submission(self, user: str, view_id: str, ack: Ack) -> dict[str, str]:
        """Closes, keeps, replaces or covers the submitted view.

        Returns:
            Complaints to show in the view, by block_id.
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
            self._views.settle(user, view_id)
        else:
            words = complaint(f"unknown response_action {action}", "/response_action")
            refuse(Verdict(error="invalid_arguments", messages=(words,)), "ack", self._report)
        return {}

    def _errors(self, view: Json, errors: object) -> dict[str, str]:
        known = input_ids(view["blocks"])
        if isinstance(errors, dict) and errors and errors.keys() <= known:
            return {str(block_id): str(text) for block_id, text in errors.items()}
        words = complaint(f"errors must name input blocks out of {sorted(known)}", "/errors")
        verdict = Verdict(error="invalid_arguments", messages=(words,))
        self._report("ack", verdict)
        raise RefusedError(verdict.error, verdict.messages)

    def _show(self, user: str, current: Json, view: object, *, push: bool) -> None:
        refuse(judge_view(view, ("modal",)), "ack", self._report)
        if not isinstance(view, dict):
            return
        if push:
            self._views.push_in_answer(user, current, view)
        else:
            self._views.replace(current, view)
