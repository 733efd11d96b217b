"""Slack's side: its requests, its Web API and its errors, and how a message reaches a person once."""
