"""Two servers on loopback that follow the rules of Slack and of the portal."""
