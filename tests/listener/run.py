#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Listeners: who fills them, what ends them, what is set on them and when, and what leaves
accept(). Prints TAP; to be run in a guest (tests/run-guest-tests listener).

listener/run.py [--thread] [--full] [PATTERN...]: the tests with a pattern in their name
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position,unused-import
import common  # noqa: E402
import bound  # noqa: E402,F401
import keys  # noqa: E402,F401
import ends  # noqa: E402,F401
import faults  # noqa: E402,F401
import flood  # noqa: E402,F401
import migrate  # noqa: E402,F401
import settings  # noqa: E402,F401
import users  # noqa: E402,F401


def main():
    """Runs them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--thread", action="store_true")
    parser.add_argument("--full", action="store_true", help="those that take long, too")
    parser.add_argument("patterns", nargs="*")
    args = parser.parse_args()
    why = common.tls_hs.supported()
    if why:
        print(f"1..0 # SKIP {why}")
        return 4
    return 1 if common.run(common.Env(args.thread), args.patterns, args.full) else 0


if __name__ == "__main__":
    sys.exit(main())
