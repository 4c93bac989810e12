"""Every hand that reaches out, and the ledger's executor. Only this code calls the network."""
