"""SQL and nothing else: rows in, values out. Rules live in `bot.services`."""
