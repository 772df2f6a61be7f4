#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Runs scripts of tlsfuzzer against demo/tls_server, in the guest.

tlsfuzzer/run.py --tlsfuzzer DIR --python PYTHON [--commit ID] [--results FILE]
                 [--logs DIR] [--jobs N] [--limit N] [--resume] [WORD...]

scripts.toml tells which scripts with which options, and which of their
conversations are expected to fail, with the message and the reason. Each run
of a script has a network namespace and a server of its own, so that
/proc/net/tls_stat tells what the kernel did in it. WORDs choose among the
scripts. PYTHON is one that has what tlsfuzzer needs.
"""

import argparse
import concurrent.futures
import fnmatch
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("TLS_HS_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tls-handshake")
BIN = os.path.join(CACHE, "user")
sys.path.insert(0, os.path.join(HERE, "../../selftests"))

import tls_hs  # noqa: E402  pylint: disable=wrong-import-position

PORT = 4433
# The first one is for clients that take both.
KEYS = {"a-p256": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "b-rsa": ("rsa:2048",)}
# What only OpenSSL has.
MORE_KEYS = {"ed25519": ("ed25519",), "ed448": ("ed448",),
             "rsa-pss": ("rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048")}


def fallback(*names):
    """The program that serves what falls back, with these keys."""
    return ["--", os.path.join(BIN, "tls12_proxy")] + [
        f"{name}.{kind}" for name in names for kind in ("pem", "key")]


# OpenSSL takes what the scripts' clients of TLS 1.2 offer, SHA-1 among it.
OPENSSL_CNF = """\
openssl_conf = conf
[conf]
ssl_conf = ssl
[ssl]
system_default = low
[low]
CipherString = DEFAULT@SECLEVEL=0
"""
# What is different about a server: whether TLS 1.2 and what the kernel lacks go to OpenSSL, and
# which identities there are.
SERVERS = {
    "fallback": (list(KEYS), fallback(*KEYS, *MORE_KEYS)),
    "fallback, RSA": (["b-rsa"], fallback("b-rsa")),
    "kernel": (list(KEYS), []),
    "echo": (list(KEYS), ["-e"]),
}


def make_keyrings():
    """Identities in the current directory; a keyring for each server."""
    tls_hs.join_session()
    with open("openssl.cnf", "w", encoding="ascii") as file:
        file.write(OPENSSL_CNF)
    for name, algorithm in {**KEYS, **MORE_KEYS}.items():
        subprocess.run(
            ["bash", "-c", '. "$1"; shift; identity "$@"', "-", os.path.join(HERE, "../lib.sh"),
             name, *algorithm], check=True)
    rings = {}
    for server, (names, _) in SERVERS.items():
        rings[server] = tls_hs.new_keyring()
        for name in names:
            with open(f"{name}.id", "rb") as file:
                tls_hs.add_key("tls_identity", name, file.read(), rings[server])
    return rings


def inner(spec):
    """One run, in a network namespace of its own; its outcome goes to a file."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # The clients are slow ones.
    with subprocess.Popen([os.path.join(BIN, "tls_server"), "-t", "60000", "-p", str(PORT), "-k",
                           str(spec["ring"])] + spec["server_args"],
                          stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "OPENSSL_CONF": "openssl.cnf"}) as server:
        if "listening" not in server.stdout.readline():
            raise RuntimeError("tls_server did not start")
        # The pipe must not fill.
        with subprocess.Popen(["cat"], stdin=server.stdout, stdout=subprocess.DEVNULL):
            with open(spec["log"], "w", encoding="utf-8") as log:
                try:
                    code = subprocess.run(spec["argv"], stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, timeout=spec["timeout"],
                                          check=False).returncode
                except subprocess.TimeoutExpired:
                    code = "timeout"
            alive = server.poll() is None
            server.terminate()
    with open(spec["outcome"], "w", encoding="ascii") as file:
        json.dump({"code": code, "alive": alive,
                   "counters": {k: v for k, v in tls_hs.counters().items() if v}}, file)


def last_error(output):
    """The exception that a traceback ends with."""
    found = re.findall(r"^\w*(?:Error|Exception|Abort|Alert)\b.*$", output, re.M)
    return found[-1] if found else "?"


class Test:
    """A script with options, from scripts.toml."""

    def __init__(self, table):
        self.script = table.pop("script")
        self.options = table.pop("options", [])
        self.server = table.pop("server", "fallback")
        self.expect = table.pop("expect", {})
        self.either = table.pop("either", {})
        self.skip = table.pop("skip", "")
        if table or self.server not in SERVERS:
            raise ValueError(f"{self.script}: {table or self.server}")
        self.good, self.why = False, ""
        self.passed = self.expected = self.unexpected = 0
        self.counters = {}

    @property
    def title(self):
        """What it is called in the results."""
        return " ".join([self.script] + [o.replace("\r\n", "\\r\\n") for o in self.options])

    def file(self, root):
        """The script's path."""
        return os.path.join(root, "scripts", f"test-{self.script}.py")

    def play(self, args, ring):
        """Runs it and looks at what came of it."""
        argv = [args.python, self.file(args.tlsfuzzer), "-p", str(PORT)] + self.options
        if args.limit is not None and "-n" not in self.options:
            argv += ["-n", str(args.limit)]
        base = os.path.join(args.logs, re.sub(r"\W+", "-", f"{self.title}-{self.server}")[:150])
        log, outcome = base + ".log", base + ".json"
        spec = {"ring": ring, "server_args": SERVERS[self.server][1], "argv": argv, "log": log,
                "outcome": outcome, "timeout": args.timeout}
        if not args.resume or not os.path.exists(outcome):
            subprocess.run(["unshare", "-n", "--", sys.executable, os.path.abspath(__file__),
                            "--inner", json.dumps(spec)], check=False)
        if not os.path.exists(outcome):
            self.why = "could not be run"
            return
        with open(outcome, encoding="ascii") as file:
            got = json.load(file)
        self.counters = got["counters"]
        with open(log, encoding="utf-8", errors="replace") as file:
            text = file.read()
        if got["code"] == "timeout":
            self.why = f"no end within {args.timeout} s"
        elif not got["alive"]:
            self.why = "the server has died"
        else:
            self.judge(got["code"], text)
            self.good = not self.why

    def judge(self, code, text):
        """Compares what a script has printed with what is expected of it."""
        # Each conversation is a line with its name, "Error while processing" and a traceback if
        # it has failed, and "OK" if not. Some are repeated.
        parts = re.split(r"^\"?(.*?)\"?(?: repeat \d+| )\.\.\.$", text, flags=re.M)
        wrong, failed, good = [], 0, 0
        for name, output in zip(parts[1::2], parts[2::2]):
            error = output.count("Error while processing")
            failed += error
            times = len(re.findall(r"^OK$", output, re.M))
            good += times
            want = self.wanted(self.expect, name)
            if error and want is None:
                want = self.wanted(self.either, name)
            if want is None:
                if error:
                    wrong.append(f"{name}: {last_error(output)}")
                else:
                    self.passed += times
            elif not error:
                wrong.append(f"{name}: not expected to pass")
            elif want[0] not in output:
                wrong.append(f"{name}: not as expected: {last_error(output)}")
            else:
                self.expected += 1
        counts = dict(re.findall(r"^(PASS|FAIL): (\d+)$", text, re.M))
        if counts != {"PASS": str(good), "FAIL": str(failed)}:
            last = text.strip().splitlines()[-1:] or ["no output"]
            self.why = f"exit status {code}: {last[0]}"
        elif not failed and code:
            self.why = f"exit status {code}"
        elif not self.passed + self.expected + len(wrong):
            self.why = "nothing was run"
        else:
            self.why = "; ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if wrong[5:] else "")
        self.unexpected = len(wrong)

    @staticmethod
    def wanted(table, name):
        """What is said of a conversation."""
        return next((w for p, w in table.items() if fnmatch.fnmatchcase(name, p)), None)

    def count(self, *names):
        """Sum of counters of /proc/net/tls_stat."""
        return sum(self.counters.get(name, 0) for name in names)


def load(args):
    """The tests that were asked for; complains of scripts that are not listed."""
    with open(os.path.join(HERE, "scripts.toml"), "rb") as file:
        config = tomllib.load(file)
    tests = [Test(t) for t in config["test"]]
    known = {t.script for t in tests}
    others = [pattern for group in config["other"] for pattern in group["scripts"]]
    unknown = []
    for path in sorted(glob.glob(os.path.join(args.tlsfuzzer, "scripts", "test-*.py"))):
        name = os.path.basename(path)[5:-3]
        if name not in known and not any(fnmatch.fnmatch(name, p) for p in others):
            unknown.append(name)
    if args.words:
        tests = [t for t in tests if any(w in t.title for w in args.words)]
        unknown = []
    return tests, config["other"], unknown


def write_results(args, tests, others):
    """A table for people."""
    def cell(text):
        return text.replace("|", "\\|")

    ran = [t for t in tests if not t.skip]
    with open(args.results, "w", encoding="utf-8") as out:
        out.write(f"""\
<!-- SPDX-License-Identifier: GPL-2.0 -->
# tlsfuzzer

Written by `make tlsfuzzer`, with commit {args.commit} of tlsfuzzer and Linux {os.uname().release}.
{sum(t.good for t in ran)} of {len(ran)} runs of scripts are as `scripts.toml` expects:
{sum(t.passed for t in ran)} conversations passed, {sum(t.expected for t in ran)} failed as \
expected, {sum(t.unexpected for t in ran)} were not as expected.

The columns at the right are of `/proc/net/tls_stat`: complete handshakes, those among them that
were resumptions, HelloRetryRequests, connections that fell back, alerts that were sent. What fell
back was served by OpenSSL in user space, where the server is one with fallback.

| script and options | server | passed | expected to fail | | done | resumed | retried | fell back | alerts |
| --- | --- | --: | --: | --- | --: | --: | --: | --: | --: |
""")
        for t in ran:
            result = "" if t.good else "**FAILED**"
            out.write(f"| {cell(t.title)} | {t.server} | {t.passed} | {t.expected} | "
                      f"{result} | {t.count('TlsHsDone')} | "
                      f"{t.count('TlsHsResumed')} | {t.count('TlsHsRetry')} | "
                      f"{t.count('TlsHsFallback')} | {t.count('TlsHsAlertTx')} |\n")
        out.write("\n## Expected to fail\n\n")
        for t in ran:
            reasons = {}
            for name, (_, reason) in {**t.expect, **t.either}.items():
                reasons.setdefault(reason, []).append(name)
            for reason, names in reasons.items():
                more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                out.write(f"- {t.script} ({t.server}): {'; '.join(names[:3])}{more}: {reason}\n")
        out.write("\n## Not run\n\n")
        for t in tests:
            if t.skip:
                out.write(f"- {t.title}: {t.skip}\n")
        for group in others:
            out.write(f"- {', '.join(group['scripts'])}: {group['reason']}\n")


def main():
    """Runs all, prints TAP."""
    if sys.argv[1:2] == ["--inner"]:
        inner(json.loads(sys.argv[2]))
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("--tlsfuzzer", required=True, help="a checkout of it")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--results")
    parser.add_argument("--logs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--limit", type=int, help="conversations of each script")
    parser.add_argument("--timeout", type=int, default=600)
    parser.add_argument("--resume", action="store_true",
                        help="take what is in the logs already for what it is")
    parser.add_argument("words", nargs="*", metavar="WORD")
    args = parser.parse_args()
    why = tls_hs.supported()
    if why:
        print(f"1..0 # SKIP {why}")
        return 4
    args.tlsfuzzer = os.path.realpath(args.tlsfuzzer)
    folder = tempfile.mkdtemp()
    args.logs = os.path.realpath(args.logs or folder)
    args.results = args.results and os.path.realpath(args.results)
    tests, others, unknown = load(args)
    os.chdir(folder)
    rings = make_keyrings()
    # Certificates that scripts ask for are those of tlsfuzzer.
    for t in tests:
        t.options = [o.replace("TLSFUZZER", args.tlsfuzzer) for o in t.options]
    print("TAP version 13")
    print(f"1..{len(tests) + len(unknown)}", flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        waits = [None if t.skip else pool.submit(t.play, args, rings[t.server])
                 for t in tests]
        for i, (t, wait) in enumerate(zip(tests, waits), 1):
            if t.skip:
                print(f"ok {i} - {t.title} # SKIP {t.skip}", flush=True)
                continue
            wait.result()
            failed += not t.good
            print(f"{'ok' if t.good else 'not ok'} {i} - {t.title} ({t.server}): "
                  f"{t.passed} passed, {t.expected} failed as expected; "
                  f"{t.count('TlsHsDone')} done, {t.count('TlsHsFallback')} fell back"
                  + (f" # {t.why}" if t.why else ""), flush=True)
    for i, name in enumerate(unknown, len(tests) + 1):
        print(f"not ok {i} - {name}: not in scripts.toml")
    if args.results:
        write_results(args, tests, others)
    print(f"# tlsfuzzer: {len(tests) - failed} runs as expected, {failed} not")
    return 1 if failed or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
