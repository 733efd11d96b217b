"""The times that depend on each other."""

from __future__ import annotations

from bot import timing


def test_a_submission_is_acknowledged_in_time_with_room_for_the_network() -> None:
    assert timing.ACK_WITHIN_SECONDS + timing.AFTER_ACK_SECONDS < timing.SLACK_WAITS_SECONDS / 2


def test_a_fresh_lease_outlives_a_call_to_the_portal_and_to_slack() -> None:
    longest = max(timing.PORTAL_TIMEOUT_SECONDS, timing.SLACK_TIMEOUT_SECONDS)
    assert longest + timing.CALL_MARGIN_SECONDS < timing.LEASE_SECONDS


def test_a_lease_survives_two_renewals_that_fail() -> None:
    assert 3 * timing.RENEW_EVERY_SECONDS < timing.LEASE_SECONDS


def test_a_dead_processs_work_is_taken_over_as_soon_as_promised() -> None:
    assert timing.LEASE_SECONDS < timing.TAKEN_OVER_WITHIN_SECONDS


def test_a_statement_ends_before_a_lease_does() -> None:
    assert timing.LOCK_WAIT_SECONDS < timing.STATEMENT_SECONDS < timing.LEASE_SECONDS


def test_a_paused_transaction_lets_go_of_its_rows_before_its_lease_ends() -> None:
    assert timing.PORTAL_TIMEOUT_SECONDS < timing.IDLE_TRANSACTION_SECONDS < timing.LEASE_SECONDS


def test_a_transaction_that_refreshes_a_token_fits_into_the_longest_one() -> None:
    refresh = timing.PORTAL_TIMEOUT_SECONDS + 2 * timing.LOCK_WAIT_SECONDS
    assert refresh < timing.TRANSACTION_SECONDS


def test_the_worker_is_not_called_stuck_while_the_database_answers_slowly() -> None:
    assert timing.LOOK_FOR_WORK_SECONDS + timing.STATEMENT_SECONDS < timing.HEARTBEAT_SECONDS


def test_every_step_of_the_stop_fits_before_the_process_is_killed() -> None:
    assert 3 * timing.GRACE_SECONDS < timing.STOP_WITHIN_SECONDS < timing.KILLED_AFTER_SECONDS


def test_an_idle_connection_outlives_a_proxys_patience() -> None:
    assert timing.KEEP_ALIVE_SECONDS > 60
