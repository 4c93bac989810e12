"""
Paybill: money that people pay to our number unasked, with an account number that says whose it is.

The account is a phone number, a wallet number, a till, or the reference of a deposit of ours: a
provider tells what a payer was prompted for in this way, too. What cannot be placed stands in
suspense. The provider's word comes unsigned: above what is risked it is asked first, and the money
stands in suspense until then.
"""

from core.paybill.asking import Known, asked, give_up, known, unconfirmed
from core.paybill.placing import Received, confirmed, receive, refuted, tell, validate
from core.paybill.rows import Payment, Refusal, State, UnknownPayment

__all__ = [
    "Known",
    "Payment",
    "Received",
    "Refusal",
    "State",
    "UnknownPayment",
    "asked",
    "confirmed",
    "give_up",
    "known",
    "receive",
    "refuted",
    "tell",
    "unconfirmed",
    "validate",
]
