"""`tbops audit verify`: is the audit chain whole?"""

import sys

from config import settings as config
from ledger import audit
from ledger.connection import connect


def verify() -> int:
    with connect(config.load().ledger_dsn.get_secret_value(), name="tbops audit") as conn:
        found = audit.verify(conn)
    match found:
        case audit.Sound():
            print(found)
            return 0
        case audit.Broken():
            print(found, file=sys.stderr)
            return 1
