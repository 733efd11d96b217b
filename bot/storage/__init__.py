"""The SQL layer: it reads rows and returns values. The business rules are in `bot.services`."""
