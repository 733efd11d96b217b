"""What the clock triggers: the same services, the same screens."""
