"""`tbops audit verify`: is the audit chain whole?"""

import sys

from config import settings as config
from ledger import audit
from ledger.connection import connect


def verify() -> int:
    with connect(config.load().ledger_dsn.get_secret_value(), name="tbops audit") as conn:
        found = audit.verify(conn)
    match found:
        case audit.Sound(lines=lines):
            print(f"The audit chain is whole: {lines} lines, each bound to the one before.")
            return 0
        case audit.Broken(line=line, why=why):
            print(f"The audit chain breaks at line {line}: {why}.", file=sys.stderr)
            return 1
