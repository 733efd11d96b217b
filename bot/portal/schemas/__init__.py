"""The portal's JSON, read leniently (docs/portal.md, section 2.5) and converted to domain values.

A malformed optional value counts as absent. Without a value that screens need (the organization's id), the
whole answer is unusable. Text is cut to its maximum length here, so that it fits the database and Slack.
"""
