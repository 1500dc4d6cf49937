"""`python -m workers.cli`: the `mulberry` command by its module."""

import sys

from workers.cli.main import main

sys.exit(main())
