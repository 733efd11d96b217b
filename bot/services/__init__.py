"""The rules: who may do what, in which order, and what follows."""
