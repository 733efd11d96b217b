"""Block Kit screens: pure functions from facts to messages and views."""
