"""Admission: idempotency, rate and quota in one atomic call, and what becomes of a reservation afterwards."""
