"""The menu map: every screen and every flow, walked from the code and drawn."""
