"""
Safaricom's Daraja as it is called: its client, its wire, its codes. Its words stay in here.
"""
