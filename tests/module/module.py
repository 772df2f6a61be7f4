# SPDX-License-Identifier: GPL-2.0
"""The ULP as a module: is it there, and may it go?"""

import ctypes
import errno
import os
import platform
import time

DELETE_MODULE = {"x86_64": 176, "i686": 129}.get(platform.machine(), 106)
_libc = ctypes.CDLL(None, use_errno=True)


def loaded():
    """Whether the module is there."""
    with open("/proc/modules", encoding="ascii") as file:
        return any(line.startswith("tls ") for line in file)


def unload():
    """delete_module(2); 0 or the error."""
    if _libc.syscall(DELETE_MODULE, b"tls", os.O_NONBLOCK) == 0:
        return 0
    return ctypes.get_errno()


def unload_soon(seconds=20):
    """Whether the module goes; the last of its sockets may still be on their way."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if unload() == 0:
            return True
        time.sleep(0.001)
    return False


def want_busy(what):
    """The module must be in use."""
    err = unload()
    if err != errno.EAGAIN:
        raise AssertionError(f"unloading with {what}: "
                             + (os.strerror(err) if err else "it went"))


def want_gone(what):
    """The module must not be in use."""
    if not unload_soon():
        raise AssertionError(f"still in use after {what}")
