"""The billing bot: a Slack app for the prepaid balance at Nous Portal."""
