"""Everything said to, and understood from, a person on a phone."""
