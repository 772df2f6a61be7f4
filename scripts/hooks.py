# SPDX-License-Identifier: GPL-2.0
"""Series, hooks and folders: what the repository holds and where it goes in a kernel tree."""

import fnmatch
import os
import re
import subprocess
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Folder here -> folder in the kernel.  A folder inside of another is not a part of it.
FOLDERS = [
    ("kunit-tests/lib-crypto", "lib/crypto/tests"),
    ("kunit-tests", "net/tls/handshake/tests"),
    ("lib-crypto", ""),
    ("net-tls-hs", "net/tls/handshake"),
    ("net-handshake", "net/handshake"),
    ("selftests", "tools/testing/selftests/net"),
    ("Documentation", "Documentation"),
]
IGNORED = ("*.pyc", "*~", "*.orig", "*.rej", "*.o", "*.cmd", ".gitignore", ".gitkeep")


def run(*args, cwd=None, stdin=None, env=None, check=True):
    """Runs a command and returns its output."""
    result = subprocess.run(
        args, cwd=cwd, input=stdin, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    if check and result.returncode:
        message = (result.stderr + result.stdout).decode(errors="replace").strip()
        raise SystemExit(f"{' '.join(args)}: {message}")
    return result.stdout


def folder_files():
    """Yields (path here, path in the kernel) of the new files, sorted."""
    found = {}
    for here, there in FOLDERS:
        root = os.path.join(TOP, here)
        for folder, dirs, files in os.walk(root):
            others = [os.path.join(TOP, other) for other, _ in FOLDERS]
            dirs[:] = [d for d in dirs if d not in ("__pycache__", "target")
                       and os.path.join(folder, d) not in others]
            for name in files:
                if any(fnmatch.fnmatch(name, pattern) for pattern in IGNORED):
                    continue
                path = os.path.join(folder, name)
                if os.path.islink(path):
                    continue
                inside = os.path.relpath(path, root)
                found[os.path.join(there, inside)] = os.path.relpath(path, TOP)
    return sorted((path, where) for where, path in found.items())


def hook_order():
    """The hooks' names in the order in which they apply: hooks/order, then the others."""
    folder = os.path.join(TOP, "hooks")
    with open(os.path.join(folder, "order")) as f:
        order = [line.split("#")[0].strip() for line in f]
    order = [line for line in order if line]
    there = {name for name in os.listdir(folder) if name.endswith(".diff")}
    return [name for name in order if name in there] + sorted(there - set(order))


def diff_files(text):
    """The paths that a diff changes."""
    return re.findall(r"^diff --git a/\S+ b/(\S+)$", text, re.M)


def read(path, mode="r"):
    """The contents of a file."""
    with open(path, mode) as f:
        return f.read()


def write(path, data):
    """Writes a file unless it has these contents; says whether it did."""
    if isinstance(data, str):
        data = data.encode()
    if os.path.exists(path) and read(path, "rb") == data:
        return False
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "wb") as f:
        f.write(data)
    mode = 0o644
    if os.path.exists(path):
        mode = os.stat(path).st_mode & 0o777
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)
    return True


def copy(source, target):
    """Like write(), with the mode of a source file."""
    changed = write(target, read(source, "rb"))
    mode = os.stat(source).st_mode & 0o111
    os.chmod(target, 0o755 if mode else 0o644)
    return changed


class Scratch:
    """A small git repository with the touched files of a kernel tree."""

    def __init__(self, base, files):
        self.folder = tempfile.TemporaryDirectory(prefix="tls-hs.")
        self.path = self.folder.name
        self.env = dict(
            os.environ,
            HOME=self.path,
            LC_ALL="C",
            TZ="UTC",
        )
        for name in list(self.env):
            if name.startswith("GIT_"):
                del self.env[name]
        self.env.update(GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null")
        self.identity("Nobody", "nobody@example.org", "1700000000 +0000")
        self.git("init", "-q", "-b", "main", ".")
        for option in ("core.autocrlf=false", "core.abbrev=12", "diff.algorithm=myers",
                       "gc.auto=0", "diff.renames=true", "merge.renames=true",
                       "diff.suppressBlankEmpty=false"):
            self.git("config", *option.split("="))
        for path in files:
            if os.path.exists(os.path.join(base, path)):
                copy(os.path.join(base, path), os.path.join(self.path, path))
        self.commit("base")
        self.base = self.head()

    def identity(self, name, mail, date):
        """Who commits, and when."""
        for role in ("AUTHOR", "COMMITTER"):
            self.env[f"GIT_{role}_NAME"] = name
            self.env[f"GIT_{role}_EMAIL"] = mail
            self.env[f"GIT_{role}_DATE"] = date

    def git(self, *args, stdin=None, check=True):
        """Runs git."""
        return run("git", *args, cwd=self.path, stdin=stdin, env=self.env, check=check).decode(
            errors="surrogateescape"
        )

    def head(self):
        """The commit that is checked out."""
        return self.git("rev-parse", "HEAD").strip()

    def commit(self, message):
        """Commits all there is."""
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "--allow-empty", "--no-verify", "-F", "-",
                 stdin=message.encode())

    def apply(self, name, text):
        """Applies a diff."""
        if text.strip():
            try:
                self.git("apply", "--whitespace=nowarn", "-", stdin=text.encode())
            except SystemExit as problem:
                raise SystemExit(f"{name} does not apply: {problem}") from None
