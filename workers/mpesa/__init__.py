"""
M-Pesa: Safaricom's Daraja, as it is called and as it calls back. Its words stay in `wire`.
"""
