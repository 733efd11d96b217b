"""The billing domain: values and rules, without I/O, clock or randomness."""
