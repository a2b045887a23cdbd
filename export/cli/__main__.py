"""The command as a module: `python -m export.cli`."""

import sys

from export.cli.main import main

sys.exit(main())
