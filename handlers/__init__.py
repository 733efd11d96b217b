"""The listeners for Slack's requests."""
