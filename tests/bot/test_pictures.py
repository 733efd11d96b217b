"""The pictures beside what is left: by whom they are sent, and that Slack gets the screen in any case."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from blocks.kit import Block, message
from blocks.usage import plan_block
from blocks.words import RING_PARTS
from bot.sandbox.serving import serve
from bot.slack.pictures import PARTS, Pictures
from bot.slack.response_url import ResponseUrls
from tests.support.house import ADA, House
from tests.support.samples import PLAN
from tests.support.steps import ask

if TYPE_CHECKING:
    from starlette.requests import Request

AT = "https://bot.example.com"


def shown(left: str) -> dict[str, object]:
    block: Block = plan_block(PLAN.__class__(name="Plus", monthly=Decimal(20), left=Decimal(left)))
    return message(block).json


def test_a_screen_names_no_picture_that_is_not_served() -> None:
    assert RING_PARTS == PARTS


def test_without_an_address_the_squares_stay() -> None:
    screen = shown("12")
    assert Pictures(None).on(screen) is screen


@pytest.mark.parametrize(
    ("left", "ring", "words"),
    [("0", 0, "0% left"), ("0.01", 1, "5% left"), ("12", 12, "60% left"), ("20", 20, "100% left")],
)
def test_a_picture_takes_the_squares_place_and_says_in_words_what_it_shows(
    left: str, ring: int, words: str
) -> None:
    (block,) = Pictures(f"{AT}/").on(shown(left))["blocks"]
    assert block["accessory"] == {
        "type": "image",
        "image_url": f"{AT}/ring/{ring}.png",
        "alt_text": words,
    }
    assert "square" not in block["text"]["text"]


async def test_the_pictures_are_served_to_anybody_and_kept(house: House) -> None:
    base = house.slack.app_url.removesuffix("/slack/events")
    async with httpx.AsyncClient(base_url=base) as http:
        for n in range(PARTS + 1):
            answer = await http.get(f"/ring/{n}.png")
            assert answer.headers["content-type"] == "image/png"
            assert "immutable" in answer.headers["cache-control"]
        assert (await http.get(f"/ring/{PARTS + 1}.png")).status_code == 404
        assert (await http.get("/ring/..%2F..%2F1.png")).status_code == 404


async def test_the_overview_and_home_have_pictures_where_slack_can_fetch_them(house: House) -> None:
    await house.restart(public_url=AT)
    await house.link()
    await ask(house, "/billing")
    assert f"{AT}/ring/12.png" in str(house.last_ephemeral()["blocks"])
    await house.slack.open_home(ADA)
    await house.until(lambda: f"{AT}/ring/12.png" in str(house.slack.home(ADA)))
    await house.slack.command(ADA, "/billing limit")
    await house.until(lambda: f"{AT}/ring/16.png" in str(house.slack.view(ADA)))


@pytest.mark.parametrize("method", ["views.publish", "views.update"])
async def test_a_view_refused_with_its_picture_is_sent_without(house: House, method: str) -> None:
    await house.restart(public_url=AT)
    await house.link()
    house.slack.faults.add(method, "error", error="invalid_arguments", times=1)
    if method == "views.publish":
        await house.slack.open_home(ADA)
        await house.until(lambda: "60% left" in house.home().text)
        assert "/ring/" not in str(house.slack.home(ADA))
    else:
        await house.slack.command(ADA, "/billing limit")
        await house.until(lambda: "left of $1,000" in house.modal().text)
        assert "/ring/" not in str(house.slack.view(ADA))


async def test_an_answer_refused_with_its_picture_is_sent_without_and_so_are_the_next() -> None:
    got: list[str] = []

    async def hook(request: Request) -> Response:
        got.append((await request.body()).decode())
        refused = "/ring/" in got[-1]
        return PlainTextResponse("invalid_blocks" if refused else "ok", 400 if refused else 200)

    app = Starlette(routes=[Route("/hook", hook, methods=["POST"])])
    async with serve(app) as url, aiohttp.ClientSession() as http:
        responses = ResponseUrls(http, url, Pictures(AT))
        for _ in range(2):
            assert await responses.post(f"{url}/hook", shown("12"), replace=False)
    assert ["/ring/" in each for each in got] == [True, False, False]
