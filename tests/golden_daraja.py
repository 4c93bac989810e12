"""The bodies that Safaricom's own documentation prints, as they stand there."""

STK_PAID = rb"""{
  "Body": { "stkCallback": {
      "MerchantRequestID": "29115-34620561-1",
      "CheckoutRequestID": "ws_CO_191220191020363925",
      "ResultCode": 0,
      "ResultDesc": "The service request is processed successfully.",
      "CallbackMetadata": { "Item": [
          { "Name": "Amount", "Value": 1.00 },
          { "Name": "MpesaReceiptNumber", "Value": "NLJ7RT61SV" },
          { "Name": "TransactionDate", "Value": 20191219102115 },
          { "Name": "PhoneNumber", "Value": 254708374149 } ] } } }
}"""
STK_WITH_BALANCE = STK_PAID.replace(
    b'{ "Name": "TransactionDate"', b'{ "Name": "Balance" }, { "Name": "TransactionDate"'
)
STK_CANCELLED = rb"""{
  "Body": { "stkCallback": {
      "MerchantRequestID": "f1e2-4b95-a71d-b30d3cdbb7a7942864",
      "CheckoutRequestID": "ws_CO_21072024125243250722943992",
      "ResultCode": 1032,
      "ResultDesc": "Request cancelled by user" } }
}"""

C2B = rb"""{
  "TransactionType": "Pay Bill",
  "TransID": "RKL51ZDR4F",
  "TransTime": "20231121121325",
  "TransAmount": "5.00",
  "BusinessShortCode": "600966",
  "BillRefNumber": "Sample Transaction",
  "InvoiceNumber": "",
  "OrgAccountBalance": "25.00",
  "ThirdPartyTransID": "",
  "MSISDN": "2547 ***** 126",
  "FirstName": "NICHOLAS",
  "MiddleName": "",
  "LastName": ""
}"""

B2C_PAID = rb"""{ "Result": {
    "ResultType": 0, "ResultCode": 0,
    "ResultDesc": "The service request is processed successfully.",
    "OriginatorConversationID": "53e3-4aa8-9fe0-8fb5e4092cdd3533373",
    "ConversationID": "AG_20240706_2010364430d9bbdaf872",
    "TransactionID": "SG632NMUAB",
    "ResultParameters": { "ResultParameter": [
      { "Key": "TransactionAmount", "Value": 10 },
      { "Key": "TransactionReceipt", "Value": "SG632NMUAB" },
      { "Key": "ReceiverPartyPublicName", "Value": "254705912645 - NICHOLAS JOHN SONGOK" },
      { "Key": "TransactionCompletedDateTime", "Value": "06.07.2024 22:48:52" },
      { "Key": "B2CUtilityAccountAvailableFunds", "Value": 8959269.60 },
      { "Key": "B2CWorkingAccountAvailableFunds", "Value": 1199371.00 },
      { "Key": "B2CRecipientIsRegisteredCustomer", "Value": "Y" },
      { "Key": "B2CChargesPaidAccountAvailableFunds", "Value": -1980.00 } ] },
    "ReferenceData": { "ReferenceItem": { "Key": "QueueTimeoutURL",
      "Value": "https://internalsandbox.safaricom.co.ke/mpesa/b2cresults/v1/submit" } } } }"""
B2C_FAILED = rb"""{ "Result": { "ResultType": 0, "ResultCode": 2001,
    "ResultDesc": "The initiator information is invalid.",
    "OriginatorConversationID": "53e3-4aa8-9fe0-8fb5e4092cdd3544366",
    "ConversationID": "AG_20240707_201062f6f6f5804f7a33", "TransactionID": "SG722NMVXQ",
    "ReferenceData": { "ReferenceItem": { "Key": "QueueTimeoutURL",
      "Value": "https://internalsandbox.safaricom.co.ke/mpesa/b2cresults/v1/submit" } } } }"""

STATUS = rb"""{ "Result": {
  "ConversationID": "AG_20180223_0000493344ae97d86f75",
  "OriginatorConversationID": "3213-416199-2",
  "ReferenceData": { "ReferenceItem": { "Key": "Occasion" } },
  "ResultCode": 0, "ResultDesc": "The service request is processed successfully.",
  "ResultParameters": { "ResultParameter": [
    { "Key": "DebitPartyName", "Value": "600310 - Safaricom333" },
    { "Key": "DebitPartyName", "Value": "254708374149 - John Doe" },
    { "Key": "OriginatorConversationID", "Value": "3211-416020-3" },
    { "Key": "InitiatedTime", "Value": "20180223054112" },
    { "Key": "DebitAccountType", "Value": "Utility Account" },
    { "Key": "DebitPartyCharges", "Value": "Fee For B2C Payment|KES|22.40" },
    { "Key": "TransactionReason" },
    { "Key": "ReasonType", "Value": "Business Payment to Customer via API" },
    { "Key": "TransactionStatus", "Value": "Completed" },
    { "Key": "FinalisedTime", "Value": "20180223054112" },
    { "Key": "Amount", "Value": "300" },
    { "Key": "ConversationID", "Value": "AG_20180223_000041b09c22e613d6c9" },
    { "Key": "ReceiptNo", "Value": "MBN31H462N" } ] },
  "ResultType": 0, "TransactionID": "MBN0000000" } }"""
STATUS_WITH_SPACES = STATUS.replace(b'"TransactionStatus"', b'"Transaction Status"').replace(
    b'"ReceiptNo"', b'"Receipt No"'
)

BALANCE = rb"""{ "Result": { "ResultType": "0", "ResultCode": "0",
  "ResultDesc": "The service request is processed successfully",
  "OriginatorConversationID": "16917-22577599-3",
  "ConversationID": "AG_20200206_00005e091a8ec6b9eac5", "TransactionID": "OA90000000",
  "ResultParameters": { "ResultParameter": [
    { "Key": "AccountBalance", "Value": "Working Account|KES|700000.00|700000.00|0.00|0.00&Float Account|KES|0.00|0.00|0.00|0.00&Utility Account|KES|228037.00|228037.00|0.00|0.00&Charges Paid Account|KES|-1540.00|-1540.00|0.00|0.00&Organization Settlement Account|KES|0.00|0.00|0.00|0.00" },
    { "Key": "BOCompletedTime", "Value": "20200109125710" } ] },
  "ReferenceData": { "ReferenceItem": { "Key": "QueueTimeoutURL",
    "Value": "https://internalsandbox.safaricom.co.ke/mpesa/abresults/v1/submit" } } } }"""  # noqa: E501

REVERSED = rb"""{ "Result": { "ResultType": 0, "ResultCode": 0,
  "ResultDesc": "The service request is processed successfully.",
  "OriginatorConversationID": "dad6-4c34-8787-c8cb963a496d1268232",
  "ConversationID": "AG_20211114_201018edbbf9f1582eaa", "TransactionID": "SKE52PAWR9",
  "ResultParameters": { "ResultParameter": [
    { "Key": "DebitAccountBalance",
      "Value": "Utility Account|KES|7722179.62|7722179.62|0.00|0.00" },
    { "Key": "Amount", "Value": 1.00 }, { "Key": "TransCompletedTime", "Value": 20211114132711 },
    { "Key": "OriginalTransactionID", "Value": "SKC82PACB8" }, { "Key": "Charge", "Value": 0.00 },
    { "Key": "CreditPartyPublicName", "Value": "254705912645 - NICHOLAS JOHN SONGOK" },
    { "Key": "DebitPartyPublicName", "Value": "600992 - Safaricom Daraja 992" } ] },
  "ReferenceData": { "ReferenceItem": { "Key": "QueueTimeoutURL",
    "Value": "https://internalsandbox.safaricom.co.ke/mpesa/reversalresults/v1/submit" } } } }"""
NOT_REVERSED = rb"""{ "Result": { "ResultType": 0, "ResultCode": "R000002",
  "ResultDesc": "The OriginalTransactionID is invalid.",
  "OriginatorConversationID": "dad6-4c34-8787-c8cb963a496d1268233",
  "ConversationID": "AG_20211114_201018edbbf9f1582eab", "TransactionID": "SKE0000000" } }"""
BARE_PARAMETER = rb"""{ "Result": { "ResultType": 0, "ResultCode": 2001,
  "ResultDesc": "The initiator information is invalid.",
  "OriginatorConversationID": "5118-111210482-1",
  "ConversationID": "AG_20200120_00007a1b2c3d", "TransactionID": "OAK0000000",
  "ResultParameters": { "ResultParameter":
    { "Key": "BOCompletedTime", "Value": 20200120164825 } },
  "ReferenceData": { "ReferenceItem": [
    { "Key": "BillReferenceNumber", "Value": "19008" },
    { "Key": "QueueTimeoutURL", "Value": "https://example.com" } ] } } }"""

STK_ACCEPTED = rb"""{
  "MerchantRequestID": "2654-4b64-97ff-b827b542881d3130",
  "CheckoutRequestID": "ws_CO_1007202409152617172396192",
  "ResponseCode": "0",
  "ResponseDescription": "Success. Request accepted for processing",
  "CustomerMessage": "Success. Request accepted for processing"
}"""
QUERY_PAID = rb"""{ "ResponseCode": "0",
  "ResponseDescription": "The service request has been accepted successsfully",
  "MerchantRequestID": "22205-34066-1", "CheckoutRequestID": "ws_CO_13012021093521236557",
  "ResultCode": "0", "ResultDesc": "The service request is processed successfully." }"""
B2C_ACCEPTED = rb"""{ "ConversationID": "AG_20240706_20106e9209f64bebd05b",
  "OriginatorConversationID": "600997_Test_32et3241ed8yu",
  "ResponseCode": "0", "ResponseDescription": "Accept the service request successfully." }"""
DUPLICATE = rb"""{ "requestId": "1c5b-4ba8-815c-ac45c57a3db01469899",
  "errorCode": "500.002.1001", "errorMessage": "Duplicate OriginatorConversationID." }"""
INVALID_FIELD = rb"""{ "requestId": "1c5b-4ba8-815c-ac45c57a3db01495926",
  "errorCode": "400.002.02", "errorMessage": "Bad Request - Invalid BusinessShortCode" }"""
TOKEN = rb"""{ "access_token": "c9SQxWWhmdVRlyh0zh8gZDTkubVF", "expires_in": 3599 }"""
TOKEN_AS_TEXT = TOKEN.replace(b"3599", b'"3599"')

CALLBACKS = {
    name: body
    for name, body in list(globals().items())
    if name.isupper() and isinstance(body, bytes) and (b'"Result"' in body or b'"Body"' in body)
}
