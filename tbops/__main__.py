"""``python -m tbops`` is ``tbops``."""

import sys

from tbops.cli import main

sys.exit(main())
