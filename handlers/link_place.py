"""Where the link of a device grant was shown: the message or the modal that its outcome replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from slack_sdk.errors import SlackApiError

from blocks.loading import message_modal
from bot.domain.errors import NotInstalledError
from handlers.call import post_response

if TYPE_CHECKING:
    from blocks.kit import Message
    from bot.domain.grant import DeviceGrant
    from bot.runtime import Runtime

log = structlog.get_logger(__name__)


async def replace_link(runtime: Runtime, grant: DeviceGrant, message: Message) -> bool:
    """Put a message in the place of the grant's link; False when that place is gone."""
    codes = grant.codes
    url: Any = codes.get("response_url")
    if url and await post_response(runtime, url, message, replace=True):
        return True
    try:
        slack = await runtime.workspaces.slack_of(grant.identity)
        if codes.get("ts"):
            await slack.chat_update(channel=codes["channel"], ts=codes["ts"], **message.json)
        elif codes.get("view_id"):
            await slack.views_update(view_id=codes["view_id"], view=message_modal("Connect", message))
        else:
            return False
    except NotInstalledError:
        return False
    except SlackApiError as error:
        log.info("device_grant.place_gone", error=error.response.get("error"))
        return False
    return True
