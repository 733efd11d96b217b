"""Purchases as CSV, for whoever keeps the books: `billing-bot export`."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from blocks.export_file import COLUMNS
from bot.storage.audit import AuditStore
from tests.bot.test_cli import Ended, run
from tests.support.asking import agree, ask, card, connected, has_card, pay, set_policy
from tests.support.house import ADA, GRACE, LINUS
from tests.support.steps import ask as typed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.house import House

TODAY = datetime.now(UTC).date()
NAMED = ("--organization", "org_acme")
MONTH = (
    "--since",
    (TODAY - timedelta(days=1)).isoformat(),
    "--until",
    (TODAY + timedelta(days=2)).isoformat(),
)


async def export(house: House, folder: Path, *arguments: str) -> Ended:
    settings = house.settings
    environment = {
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_SIGNING_SECRET": "s",
        "BILLING_BOT_KEYS": ",".join(key.get_secret_value() for key in settings.billing_bot_keys),
        "DATABASE_URL": settings.database_url,
    }
    return await asyncio.to_thread(run, folder, "export", *arguments, **environment)


def lines(ended: Ended) -> list[dict[str, str]]:
    assert (ended.returncode, ended.stderr) == (0, "")
    read = [*csv.reader(io.StringIO(ended.stdout, newline=""))]
    assert read[0] == list(COLUMNS)
    assert read[-1][0].startswith("# audit: head ")
    return [dict(zip(COLUMNS, line, strict=True)) for line in read[1:-1]]


async def test_the_books_tell_who_asked_agreed_and_paid(house: House, tmp_path: Path) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(50))
    await ask(house, reason='=HYPERLINK("https://evil.example","Receipt")')
    await has_card(house, ADA)
    await agree(house, ADA)
    await pay(house, GRACE)
    await house.until(lambda: "$50 added for you" in card(house, LINUS).text)
    (line,) = lines(await export(house, tmp_path, *NAMED, *MONTH))
    assert (line["state"], line["amount"], line["currency"]) == ("settled", "50", "USD")
    assert (line["requester_id"], line["first_approver"], line["payer"]) == (LINUS, ADA, GRACE)
    assert line["organization"] == "Acme Research"
    assert line["reason"].startswith("'=HYPERLINK")
    assert "Visa" in line["card"]
    moments = [line[name] for name in ("asked_at", "first_at", "confirmed_at", "settled_at")]
    assert moments == sorted(moments)
    assert all(each.endswith("Z") for each in moments)


async def test_a_purchase_for_oneself_has_a_payer_and_nothing_else(house: House, tmp_path: Path) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added")
    (line,) = lines(await export(house, tmp_path, *NAMED, *MONTH))
    assert line["payer"] == ADA
    assert (
        line["requester_id"] == line["first_approver"] == line["asked_at"] == line["policy_version"] == ""
    )


async def test_another_month_has_the_header_and_the_last_line(house: House, tmp_path: Path) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added")
    ended = await export(house, tmp_path, *NAMED, "--since", "2020-01-01", "--until", "2020-02-01")
    assert lines(ended) == []
    assert "entries none" in ended.stdout


async def test_an_export_is_itself_in_the_audit_log(house: House, tmp_path: Path) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added")
    await export(house, tmp_path, *NAMED, *MONTH)

    async def is_told() -> bool:
        sealed = AuditStore(house.app.runtime.database).sealed()
        return "export" in [seal.entry.action async for seal in sealed]

    await house.until_async(is_told)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--organization", "org_nobody", *MONTH),
            "--organization: the app knows none with the id org_nobody",
        ),
        ((*NAMED, "--since", "2026-12-01", "--until", "2026-11-01"), "--since: after --until"),
    ],
)
async def test_what_cannot_be_exported_is_one_line_and_exit_code_2(
    house: House, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    await house.link()
    ended = await export(house, tmp_path, *arguments)
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"{words}\n")


def files(house: House, user: str) -> list[dict[str, Any]]:
    return [file for each in house.dm(user) for file in each.get("files", ())]


async def exported(house: House, user: str = ADA, month: str = "") -> list[dict[str, str]]:
    """Take out a month by typing it; return the lines of the file."""
    await typed(house, f"/billing export {month}".strip(), user=user)
    await house.until(lambda: "Sent to your messages" in house.answer(user).text)
    content = house.slack.file(files(house, user)[-1]["id"]).decode()
    assert "\r\n" in content
    return lines(Ended(0, content, ""))


async def two_purchases(house: House) -> None:
    """Ada has bought for herself, and paid for what Linus asked."""
    await connected(house)
    await house.buy("25")
    await house.told("$25 added")
    await ask(house)
    await pay(house)
    await house.until(lambda: "$50 added for you" in card(house, LINUS).text)


async def test_whoever_may_charge_gets_everybodys_purchases_as_a_file(house: House) -> None:
    await two_purchases(house)
    found = await exported(house, GRACE)
    assert [line["amount"] for line in found] == ["25", "50"]
    assert found[1]["requester_id"] == LINUS
    assert found[1]["payer"].endswith(f"({ADA})")
    assert len(found[1]["requester"]) > 0
    (file,) = files(house, GRACE)
    assert file["name"] == f"purchases-{TODAY:%Y-%m}.csv"


async def test_others_who_may_charge_read_that_it_was_taken_out_once_a_day(house: House) -> None:
    await two_purchases(house)
    await exported(house, GRACE)
    await house.told("<@U0GRACE> took out the purchases of Acme Research", ADA)
    await exported(house, GRACE)
    await exported(house, LINUS)
    notices = [each for each in house.dm(ADA) if "took out the purchases" in each["text"]]
    assert len(notices) == 1
    assert not any("took out" in each["text"] for each in house.dm(GRACE) + house.dm(LINUS))


async def test_a_member_gets_their_own_alone(house: House) -> None:
    await two_purchases(house)
    assert await exported(house, LINUS) == []
    assert "of yours: only billing managers get everybody's" in house.answer(LINUS).text


async def test_a_month_may_be_named(house: House) -> None:
    await two_purchases(house)
    assert await exported(house, ADA, "2020-01") == []


@pytest.mark.parametrize("month", ["2026-13", "November", "2026-11-01", "1e5", "२०२६-११"])
async def test_what_is_no_month_is_said(house: House, month: str) -> None:
    await house.link()
    await typed(house, f"/billing export {month}")
    await house.until(lambda: "is no month. Type `/billing export 2026-11`" in house.answer().text)
    assert files(house, ADA) == []


async def test_without_the_scope_it_says_who_can_help(house: House) -> None:
    await house.link()
    house.slack.faults.add("files.getUploadURLExternal", "error", error="missing_scope")
    await typed(house, "/billing export")
    await house.until(lambda: "scope `files:write` is missing" in house.answer().text)


async def test_a_lost_answer_says_that_it_may_have_arrived(house: House) -> None:
    await house.link()
    house.slack.faults.add("files.completeUploadExternal", "drop_after")
    await typed(house, "/billing export")
    await house.until(lambda: "may or may not have arrived" in house.answer().text)
    assert len(files(house, ADA)) == 1


async def test_what_slack_refuses_says_that_nothing_was_sent(house: House) -> None:
    await house.link()
    house.slack.faults.add("files.getUploadURLExternal", "error", error="posting_to_channel_denied")
    await typed(house, "/billing export")
    await house.until(lambda: "Slack does not take the file just now" in house.answer().text)
