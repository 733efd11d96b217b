"""The shape of what Slack sends, as far as the handlers rely on it. Anything else in it is let through."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class _Loose(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Option(_Loose):
    value: str | None = None


class _Element(_Loose):
    value: str | None = None
    selected_option: _Option | None = None


class _State(_Loose):
    values: dict[str, dict[str, _Element]] = {}


class _Block(_Loose):
    block_id: str | None = None


class _View(_Loose):
    id: str
    hash: str | None = None
    type: str | None = None
    private_metadata: str | None = None
    state: _State | None = None
    blocks: list[_Block] = []


class _Action(_Element):
    action_id: str | None = None


class _Container(_Loose):
    is_ephemeral: bool | None = None


class _Payload(_Loose):
    text: str | None = None
    channel_id: str | None = None
    trigger_id: str | None = None
    response_url: str | None = None
    actions: list[_Action] | None = None
    container: _Container | None = None
    view: _View | None = None


class _Submission(_Payload):
    class _Submitted(_View):
        state: _State

    view: _Submitted


def is_well_made(body: dict[str, Any]) -> bool:
    """Tell whether a payload has the shape of Slack's own. One that has not is nobody's deed."""
    shape = _Submission if body.get("type") == "view_submission" else _Payload
    try:
        shape.model_validate(body)
    except ValidationError:
        return False
    return True
