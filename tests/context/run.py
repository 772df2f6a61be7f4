#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
In which context the engine runs and that it may use vector registers there:
kprobes on the engine, on lib/crypto's question and on the code behind it.

Needs x86 and a kernel with CONFIG_KPROBE_EVENTS.
"""

import os
import platform
import re
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../selftests"))

# pylint: disable=wrong-import-position
import tls_hs  # noqa: E402

TRACING = "/sys/kernel/tracing/"
LINE = re.compile(r"\s*(\S.*)-\d+\s+\[\d+\]\s+(\S+)\s+[\d.]+: hs_(\w+): (.*)")

# What a suite must have called at least one of, each.
AES = [("aes_encrypt_aesni",),
       ("ghash_blocks_pclmul", "polyval_blocks_pclmul_avx", "polyval_mul_pclmul",
        "polyval_mul_pclmul_avx")]
SHA256 = ("sha256_ni_transform", "sha256_transform_rorx", "sha256_transform_avx",
          "sha256_transform_ssse3")
SHA384 = ("sha512_transform_rorx", "sha512_transform_avx", "sha512_transform_ssse3")
CHACHA = [("chacha_block_xor_ssse3", "chacha_2block_xor_avx2", "chacha_4block_xor_ssse3",
           "chacha_4block_xor_avx2", "chacha_8block_xor_avx2", "chacha_2block_xor_avx512vl",
           "chacha_4block_xor_avx512vl", "chacha_8block_xor_avx512vl")]
SUITES = {0x1301: AES + [SHA256], 0x1302: AES + [SHA384], 0x1303: CHACHA + [SHA256]}
# Flags of a listener; the context of what a ClientHello costs, and of a Finished.
MODES = ((0, ("thread", "softirq")),
         (tls_hs.F_THREAD, ("thread", "thread")),
         (tls_hs.F_SOFTIRQ, ("softirq", "softirq")))
# What is called instead where vector registers cannot be used.
GENERIC = ("polyval_mul_generic", "sha256_blocks_generic", "sha512_blocks_generic")


def write(name, text, append=False):
    """Writes to a file of tracefs, which cannot seek to its end."""
    fd = os.open(TRACING + name, os.O_WRONLY | (os.O_APPEND if append else os.O_TRUNC))
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def add_probes():
    """Probes on all that is there; the names."""
    names = {"tls_hs_session_advance"}.union(*(s for suite in SUITES.values() for s in suite))
    names.update(GENERIC)
    with open("/proc/kallsyms", encoding="ascii") as file:
        there = {line.split()[2] for line in file} & names
    write("kprobe_events", "")
    write("kprobe_events", "r:hs/hs_usable irq_fpu_usable usable=$retval:u8\n", True)
    for name in there:
        # At the return: what is hit at the entry may run in the probe's own exception.
        write("kprobe_events", f"r:hs/hs_{name} {name}\n", True)
    write("events/hs/enable", "1")
    return there


def handshake(suite, flags):
    """One by Python's OpenSSL; the trace's lines of it as (task, flags, name, rest)."""
    ring = tls_hs.new_keyring(tls_hs.P256_IDENTITY)
    with tls_hs.listener(ring, flags=flags, suites=(suite,)) as lsk:
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE
        sock = socket.create_connection(lsk.getsockname(), 20)
        write("trace", "")
        write("tracing_on", "1")
        with ctx.wrap_socket(sock):
            conn, family = tls_hs.accept(lsk, 20)
            write("tracing_on", "0")
            if family != tls_hs.AF_TLS or tls_hs.status(conn)["suite"] != suite:
                raise AssertionError("not the handshake that was asked for")
            conn.close()
    with open(TRACING + "trace", encoding="ascii", errors="replace") as file:
        return [m.groups() for m in map(LINE.match, file) if m]


def context(task, flags):
    """The context of a line: "softirq", "thread" (that of a CPU), or "" for any other."""
    if flags[2] in "sS":
        return "softirq"
    return "thread" if task.startswith("tls_hs/") and flags[2] == "." else ""


def check(lines, suite, wanted, there):
    """
    What is wrong with a handshake's trace, of which the ClientHello and the Finished must
    have been dealt with in the two contexts wanted.
    """
    bad = []
    engine = [line for line in lines if line[2] == "tls_hs_session_advance"]
    if len(engine) < 2:
        bad.append(f"{len(engine)} calls of the engine")
    for (task, flags, _, _), where in zip(engine, wanted[:1] + wanted[1:] * len(engine)):
        if context(task, flags) != where:
            bad.append(f"the engine ran in {task} {flags}, not in: {where}")
    called = {}
    for task, flags, name, rest in lines:
        if context(task, flags) in wanted:
            called[name] = called.get(name, 0) + 1
            if name == "usable" and "usable=0" in rest:
                bad.append(f"vector registers were not usable in {task} {flags}")
    if not called.get("usable"):
        bad.append("lib/crypto never asked")
    for name in GENERIC:
        if called.get(name):
            bad.append(f"{name} was called {called[name]} times")
    for names in SUITES[suite]:
        if not any(called.get(name) for name in names):
            bad.append(f"none of {', '.join(n for n in names if n in there)} was called")
    print("# " + ", ".join(f"{name} {n}" for name, n in sorted(called.items())))
    return bad


def main():
    """Runs all, prints TAP."""
    why = tls_hs.supported()
    if platform.machine() != "x86_64" or not os.path.exists(TRACING + "kprobe_events"):
        why = "no kprobes on x86 here"
    if why:
        print(f"1..0 # SKIP {why}")
        return 4
    tls_hs.join_session()
    write("tracing_on", "0")
    write("buffer_size_kb", "4096")
    there = add_probes()
    failed = number = 0
    print(f"TAP version 13\n1..{len(MODES) * len(SUITES)}", flush=True)
    for flags, wanted in MODES:
        for suite in SUITES:
            number += 1
            try:
                bad = check(handshake(suite, flags), suite, wanted, there)
            except Exception as err:  # pylint: disable=broad-except
                bad = [f"{type(err).__name__}: {err}"]
            for line in sorted(set(bad)):
                print(f"# {line}")
            failed += bool(bad)
            print(f"{'not ok' if bad else 'ok'} {number} - {suite:#06x} in "
                  f"{' and '.join(wanted)}", flush=True)
    write("events/hs/enable", "0")
    write("kprobe_events", "")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
