"""Each aggregator's wire forms, and nothing of what they mean to us."""
