"""Runs the app for `slack run`, which adds arguments of its own (`.slack/hooks.json`)."""

from __future__ import annotations

from bot.cli import app

if __name__ == "__main__":
    app(["serve", "--socket-mode"])
