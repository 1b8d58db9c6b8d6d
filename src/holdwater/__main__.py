"""``python -m holdwater``."""

import sys

from holdwater.cli.main import main

sys.exit(main())
