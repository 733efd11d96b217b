"""Listeners: what a Slack request turns into."""
