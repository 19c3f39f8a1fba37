"""``python -m sersicnet``: the command line, where scripts are not on the path."""

import sys

from sersicnet.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
