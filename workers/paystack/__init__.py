"""Paystack: cards, banks and mobile money in, bank accounts and phones out."""
