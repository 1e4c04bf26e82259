"""A message's life: intake, dispatch, receipts, upkeep. Shells call cores, never back."""
