"""`python -m bot.cli` is `patchbot`."""

import sys

from bot.cli.main import main

sys.exit(main())
