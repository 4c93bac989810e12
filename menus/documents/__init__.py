"""Statements as people and programs read them: text, CSV (RFC 4180) and PDF."""
