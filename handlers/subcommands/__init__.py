"""One file for each subcommand, with its own listeners."""
