"""What billing means: values and rules, without I/O, clock or randomness."""
