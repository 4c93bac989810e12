"""
M-Pesa: the jobs that prompt, pay, ask, and understand what Safaricom tells.
"""
