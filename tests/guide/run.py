#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Runs the commands of the guide, as they stand there, in the guest.

Programs (code blocks of C, Python and Rust) become files by the name in their first line. Commands
(code blocks of sh) are run one after the other by one shell. Comments ".. check: COMMAND"
must succeed after what is above them. Prints TAP.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GUIDE = os.path.join(TOP, "Documentation", "networking", "tls-handshake-guide.rst")

# A server needs a moment after it has been started.
HEAD = """
retry() { for _ in $(seq 50); do "$@" && return; sleep 0.2; done 2>/dev/null; "$@"; }
trap 'kill $(jobs -p) 2>/dev/null' EXIT
"""


def parts(text):
    """Code blocks with their language, and checks, in order."""
    pattern = re.compile(r"^( *)\.\. (?:code-block:: (\w+)\n((?:\1 +.*\n|\n)+)|check: (.*)\n)",
                         re.M)
    for match in pattern.finditer(text):
        if match[4]:
            yield "check", match[4]
        else:
            yield match[2], textwrap.dedent(match[3]).strip("\n") + "\n"


def script(text, folder):
    """The shell script that all of it is, and how many tests it has."""
    out, number = [HEAD], 0
    for kind, body in parts(text):
        if kind in ("c", "python", "rust"):
            name = re.search(r"\S+\.(c|py|rs)\b", body.splitlines()[0])[0]
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(body)
            os.chmod(path, 0o644)
            continue
        number += 1
        title = body.strip().splitlines()[0].strip(" \\'&")
        # In the same shell, so that variables and jobs stay; set -e would not see all.
        if kind == "sh":
            quoted = "'" + body.replace("'", "'\\''") + "'"
            out.append(f"eval {quoted} >>out 2>&1")
        else:
            negated = body.startswith("! ") and "||" not in body
            test = body[2:] if negated else body
            out.append(f"{{ {test}; }} >>out 2>&1")
            if negated:
                out.append("[ $? != 0 ]")
        out.append(f"if [ $? = 0 ]; then echo ok {number} - {shlex.quote(title)}; else "
                   f"echo not ok {number} - {shlex.quote(title)}; sed 's/^/# /' out | tail -n 15; fi; : >out")
    return "\n".join([f"echo 1..{number}", *out]), number


def main():
    """Runs it."""
    cache = os.environ.get("TLS_HS_CACHE") or os.path.expanduser("~/.cache/tls-handshake")
    with open(GUIDE, encoding="utf-8") as file:
        text = file.read()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copy(os.environ["TLSHS"], os.path.join(folder, "tlshs"))
        commands, number = script(text, folder)
        assert number > 20, "the guide has lost its commands"
        env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}:/usr/sbin:/sbin",
               # What "make headers_install" would have put in place.
               "C_INCLUDE_PATH": f"{cache}/user/include",
               "CPLUS_INCLUDE_PATH": f"{cache}/user/include"}
        out = subprocess.run(["bash", "-c", "echo TAP version 13\n" + commands], cwd=folder,
                             env=env, capture_output=True, text=True, check=False,
                             timeout=300).stdout
        print(out, end="")
        return 0 if out.count("\nok ") == number else 1


if __name__ == "__main__":
    sys.exit(main())
