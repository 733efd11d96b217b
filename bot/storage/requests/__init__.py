"""Requests for funds: their rows, how they change, and the questions asked about many."""
