#!/usr/bin/env python3
"""See `make_bundle.py --help`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from lab.bundle.cli import main

    sys.exit(main())
