# SPDX-License-Identifier: GPL-2.0
"""
Browsers, which load a page.
"""


def cases(run, known):
    """Chromium and Firefox without a window."""
    _ = run, known
