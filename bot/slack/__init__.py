"""Slack's requests, its Web API and errors, and the delivery of each message exactly once."""
