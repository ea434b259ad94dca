"""`python3 -m cl_localization`: the command line."""

import sys

from cl_localization.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
