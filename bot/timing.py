"""Timeouts that depend on each other, in seconds. tests/bot/test_timing.py checks their relations."""

from __future__ import annotations

# Slack waits three seconds for an acknowledgement.
SLACK_WAITS_SECONDS = 3.0
ACK_WITHIN_SECONDS = 0.8
"""How long a submission's work may take before the modal shows "Processing"."""
AFTER_ACK_SECONDS = 0.5
"""How long Slack may take to apply an acknowledgement, which would overwrite a view sent earlier."""
READ_BODY_SECONDS = 5.0
NOTICE_END_SECONDS = 0.2
"""For how long the end of a connection may go unnoticed after the request that came before it."""
HEAD_SECONDS = 15.0
"""How long the head of a request may take."""
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept: longer than proxies keep one, so that they close it first."""

# A call to another server.
PORTAL_TIMEOUT_SECONDS = 10.0
SLACK_TIMEOUT_SECONDS = 10
CALL_MARGIN_SECONDS = 0.5
"""How much longer a lease must last than the timeout of the call to send."""

# Leases and the engine.
TAKEN_OVER_WITHIN_SECONDS = 15.0
"""The promise: how long a dead process's work waits (docs/reliability.md)."""
LEASE_SECONDS = 14.0
RENEW_EVERY_SECONDS = 3.0
LOOK_FOR_WORK_SECONDS = 5.0
"""How often the engine looks for work that was not announced."""
HEARTBEAT_SECONDS = 30.0
"""How long the worker may not look for work before /readyz reports it as stuck."""

# The database. A process that is paused within a transaction must not keep rows locked for long.
STATEMENT_SECONDS = 8.0
LOCK_WAIT_SECONDS = 7
IDLE_TRANSACTION_SECONDS = 12
TRANSACTION_SECONDS = 25
PING_SECONDS = 2

# Stopping: HTTP, the open requests, and the work get this grace period each.
GRACE_SECONDS = 2
STOP_WITHIN_SECONDS = 9
"""When the command exits in any case. Deployments kill a process after ten seconds."""
KILLED_AFTER_SECONDS = 10
