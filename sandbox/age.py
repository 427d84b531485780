"""``python -m sandbox.age decrypt|encrypt``: from stdin to stdout, with the age identity in the file ``AGE_KEY_FILE``.

What stands in for the commands that people configure (sops, age, ansible-vault: facts/systems.md §7).
"""

import os
import sys
from pathlib import Path
from typing import Any

import pyrage

_age: Any = pyrage  # it is written in Rust and names no types
VARIABLE = "AGE_KEY_FILE"


def new_identity() -> str:
    return str(_age.x25519.Identity.generate())


def encrypt(text: bytes, identity: str) -> bytes:
    """Armoured, and other bytes each time."""
    return _age.encrypt(text, [_age.x25519.Identity.from_str(identity).to_public()], armored=True)


def decrypt(sealed: bytes, identity: str) -> bytes:
    """Raises ``pyrage.DecryptError`` for a wrong key or a file that is not age's."""
    return _age.decrypt(sealed, [_age.x25519.Identity.from_str(identity)])


def main(arguments: list[str]) -> int:
    if arguments not in (["decrypt"], ["encrypt"]):
        print("usage: python -m sandbox.age decrypt|encrypt", file=sys.stderr)
        return 2
    do = decrypt if arguments == ["decrypt"] else encrypt
    try:
        identity = Path(os.environ[VARIABLE]).read_text().strip()
        sys.stdout.buffer.write(do(sys.stdin.buffer.read(), identity))
    except KeyError:
        print(f"{VARIABLE} is not set: it names the file of the age identity", file=sys.stderr)
        return 1
    except OSError as exc:
        print(f"the file that {VARIABLE} names cannot be read: {exc.strerror}", file=sys.stderr)
        return 1
    except (_age.DecryptError, _age.IdentityError) as exc:
        print(f"{arguments[0]}: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
