"""Two servers on loopback that keep the rules of Slack and of the portal."""
