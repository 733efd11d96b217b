"""Socket Mode: the same app, with Slack's requests over a connection that the app opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from bot.app import Listener, open_app
from bot.startup import StartError
from tests.support.house import ADA, House, make_slack, open_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    slack = make_slack()
    slack.socket_mode = True
    token = SecretStr(slack.app_token)
    async with open_house(
        tmp_path,
        slack=slack,
        listener=Listener.SOCKET,
        slack_app_token=token,
        slack_signing_secret=None,
    ) as made:
        await made.until(lambda: slack.connections == 1)
        yield made


async def helped(house: House) -> None:
    """A command is answered."""
    house.slack.forget_ephemerals(ADA)
    await house.slack.command(ADA, "/billing help")
    await house.until(lambda: "What you can type" in house.last_ephemeral()["text"])


async def test_a_purchase_works_over_the_socket(house: House) -> None:
    await house.connect()
    await house.slack.open_home(ADA)
    await house.until(lambda: "$155.70 to use" in house.home().text)
    await house.slack.command(ADA, "/billing buy")
    await house.until(lambda: house.modal().submit)
    await house.slack.select(ADA, "amount_preset", "50")
    await house.slack.submit(ADA)
    await house.confirm_shown()
    await house.slack.submit(ADA)
    await house.told("$50 added to your balance")
    assert not [each for each in house.slack.deliveries if each.failure]


async def test_an_error_beside_a_field_comes_over_the_socket_too(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy")
    await house.until(lambda: house.modal().submit)
    await house.until(lambda: "amount_custom" in house.modal().fields)
    await house.slack.type(ADA, "amount_custom", "ten")
    answer = await house.slack.submit(ADA)
    assert "amount_custom" in answer.errors


async def test_when_slack_asks_for_another_connection_nothing_is_missed(house: House) -> None:
    await house.slack.refresh_sockets()
    await house.until(lambda: house.slack.connections == 1)
    await helped(house)


async def test_a_connection_that_was_cut_is_opened_again(house: House) -> None:
    await house.slack.drop_sockets()
    await house.until(lambda: house.slack.connections == 1, 20)
    await helped(house)


async def test_the_process_is_not_ready_while_there_is_no_connection(house: House) -> None:
    url = house.slack.app_url.replace("/slack/events", "")
    async with httpx.AsyncClient(base_url=url) as http:

        async def ready() -> bool:
            return (await http.get("/readyz")).status_code == 200

        await house.until_async(ready)
        house.slack.faults.add("apps.connections.open", "status", status=503, times=1000)
        await house.slack.drop_sockets()
        answer = await http.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["problems"] == ["slack: no connection for its requests"]


async def test_socket_mode_refuses_slack_requests_over_http(house: House) -> None:
    answer = await house.send_signed("command=%2Fbilling&text=help&team_id=T0ACME&user_id=U0ADA")
    assert answer.status == 404


async def test_the_app_closes_its_socket_when_it_stops(house: House) -> None:
    await house.stop()
    await house.until(lambda: house.slack.connections == 0)
    await house.start()
    await house.until(lambda: house.slack.connections == 1)
    await helped(house)


async def test_a_wrong_app_token_is_a_readable_line(house: House) -> None:
    await house.stop()
    wrong = house.settings.model_copy(update={"slack_app_token": SecretStr("xapp-wrong")})
    with pytest.raises(StartError, match=r"SLACK_APP_TOKEN: Slack does not accept it \(invalid_auth\)"):
        async with open_app(wrong, listener=Listener.SOCKET):
            pass
    await house.start()


async def test_without_an_app_token_socket_mode_does_not_start(house: House) -> None:
    await house.stop()
    without = house.settings.model_copy(update={"slack_app_token": None})
    with pytest.raises(StartError, match="SLACK_APP_TOKEN: missing"):
        async with open_app(without, listener=Listener.SOCKET):
            pass
    await house.start()
