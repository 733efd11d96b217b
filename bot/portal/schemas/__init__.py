"""The portal's JSON, read leniently (docs/portal.md, section 2.5), turned into the domain's values.

What is optional on the wire may also be malformed: it then counts as absent. What a screen cannot do
without (the organization's id) makes the whole answer unusable. Text is bounded here, once: whatever
passes fits the database and Slack's screens.
"""
