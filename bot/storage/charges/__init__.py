"""The ledger of charges, which is also the queue. Every change of state is a compare-and-set."""
