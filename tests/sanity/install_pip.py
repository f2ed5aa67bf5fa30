# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install pip into an empty virtual environment, where ansible-test would run the script get-pip.py with these arguments."""

from __future__ import annotations

import importlib
import runpy
import subprocess
import sys

# In a process of its own: ensurepip sets variables that make pip ignore its configuration, and with that a site's mirror.
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
importlib.invalidate_caches()
# The others are get-pip's own.
sys.argv = ["pip", "install", *(argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel"))]
runpy.run_module("pip.__main__", run_name="__main__", alter_sys=True)
