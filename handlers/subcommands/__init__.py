"""One module per subcommand, with its listeners."""
