"""The frames that client and server exchange: two lengths, a JSON header, then the payload as bytes.

Request header: ``{"id", "lane", "format", "settings"}``, payload: the SQL with the data of an INSERT behind it.
Answer header: ``{"id", "rows", "elapsed"}`` with the result, or ``{"id", "error", "code"}`` with nothing.
"""

import json
import struct
from typing import Any

LENGTHS = struct.Struct("!II")

# Statements of one lane run one after another, in the order in which they were asked for; lanes run side by side.
READ = "read"
WRITE = "write"
LONG = "long"  # what may take seconds: nothing else waits behind it
LANES = (READ, WRITE, LONG)


def pack(header: dict[str, Any], payload: bytes = b"") -> bytes:
    head = json.dumps(header).encode()
    return LENGTHS.pack(len(head), len(payload)) + head + payload
