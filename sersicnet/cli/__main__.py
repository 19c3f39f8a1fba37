"""Run the command line: ``python -m sersicnet.cli``."""

import sys

from sersicnet.cli.main import main

sys.exit(main())
