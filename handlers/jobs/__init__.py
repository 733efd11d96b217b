"""Background jobs, with the same services and screens. The table is in `handlers.jobs.kinds`."""
