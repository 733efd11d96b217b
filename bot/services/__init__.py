"""The business rules: who may do what, in which order, and what happens next."""
