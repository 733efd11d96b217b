"""What happens by itself: the same services, the same screens. The table is `handlers.jobs.kinds`."""
