"""Makes `python -m pointsman` the same as the console script. Must never hold anything else."""

from __future__ import annotations

import sys

from pointsman.entry import main

sys.exit(main())
