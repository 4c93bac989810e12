"""Every rule about money. Knows Postgres and no transport."""
