"""The command as a module: `python -m livesync.cli`."""

import sys

from livesync.cli.main import main

sys.exit(main())
