"""``python -m sandbox.seed.estate FOLDER [TIMES]``."""

import sys
from pathlib import Path

from sandbox.seed.estate import write

write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
