"""The ledger of charges, which is also the work queue. Every change of state is a compare-and-set."""
