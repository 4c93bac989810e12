"""Programs that check us and share nothing with us: each file stands alone."""
