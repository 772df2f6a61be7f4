# SPDX-License-Identifier: GPL-2.0
"""
The clients of the matrix: how each is told what to do.

A client is called with the server's name and what it shall do, and returns the body of the
answer and an error: suite and groups (names with colons, the first one gets a share), version
"1.2", alpn (names with commas), twice (come back with a ticket), early (with 0-RTT data and a
ticket of the server at this port), update (a KeyUpdate in the middle of the request).
"""

import dataclasses
import glob
import os
import re
import shutil
import subprocess
import threading
import typing

import run as interop

SUITES, GROUPS, HYBRID = interop.SUITES, interop.GROUPS, interop.HYBRID
HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(interop.CACHE, "interop")
FIRST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
SECONDS = 300
SMALL = 1 << 15
# What comes from Debian, and what scripts/interop builds or installs; see the methods of Known.
DEBIAN = ("openssl", "curl", "gnutls", "wget", "nss", "botan", "erlang", "java", "node", "python",
          "mono", "in_c")
BUILT = ("go", "rust", "pip")


@dataclasses.dataclass
class Client:
    """A client and what it can."""
    name: str
    version: str
    call: typing.Callable
    suites: tuple = SUITES
    groups: tuple = GROUPS
    # What the server says when it is left to itself, but for PF_TLS.
    words: tuple = ()
    # What makes it need a HelloRetryRequest.
    retry: dict = None
    can: frozenset = frozenset()
    # TLS 1.2 only: falls back whatever it is told.
    old: bool = False
    # Bytes each way, of those that are slow.
    size: int = 1 << 20
    # What it gets, if not what it has sent.
    body: bytes = None
    # The unpacked Debian that it is of, if any.
    root: str = ""
    # Odd things of its own: a name, what to do, what the server has to say.
    odd: tuple = ()


def root_prefix(root, cwd=None):
    """What runs a program of an unpacked Debian."""
    return ["unshare", f"--root={os.path.join(CACHE, root)}", f"--wd={cwd or os.getcwd()}"]


def enter_roots(roots):
    """Makes what is unpacked usable in the guest, whose files are lost anyway."""
    for root in roots:
        path = os.path.join(CACHE, root)
        for what in ("/proc", "/dev", "/tmp"):
            os.makedirs(path + what, exist_ok=True)
            subprocess.run(["mount", "--rbind", what, path + what], check=True)
        shutil.copy("/etc/hosts", path + "/etc/hosts")
        with open(path + "/etc/resolv.conf", "w", encoding="ascii"):
            pass


def version_of(argv, pattern=r"\d+(\.\d+)+[a-z0-9.-]*"):
    """The version that a program says it is."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(pattern, done.stdout)
    return found[0] if found else None


def package_version(root, package):
    """The upstream version of a package of an unpacked Debian."""
    with open(os.path.join(CACHE, root, ".packages"), encoding="ascii") as file:
        versions = dict(line.split() for line in file)
    return re.sub(r"^\d+:|[-+].*", "", versions[package]) if package in versions else None


def patient(argv, request):
    """As interop.exchange(), with programs that end, or never do, when their input ends."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as proc:
        timer = threading.Timer(SECONDS, proc.kill)
        timer.start()
        err = []
        threading.Thread(target=lambda: err.append(proc.stderr.read()), daemon=True).start()

        def feed():
            try:
                proc.stdin.write(request)
                proc.stdin.flush()
            except OSError:
                pass

        threading.Thread(target=feed, daemon=True).start()
        out, want = b"", None
        while want is None or len(out) < want:
            data = os.read(proc.stdout.fileno(), 1 << 16)
            if not data:
                break
            out += data
            found = re.search(rb"HTTP/1.1 200 OK\r\n.*?Content-Length: (\d+).*?\r\n\r\n", out,
                              re.S)
            want = found.end() + int(found[1]) if found else None
        proc.kill()
        timer.cancel()
    if want is None:
        return None, (b"".join(err).decode(errors="replace").strip().splitlines() or
                      ["no answer"])[-1][:120]
    return out[found.end():want], ""


class Known:
    """All clients that are there, and why others are not."""

    def __init__(self, data, families=()):
        self.clients = []
        self.missing = []
        self.known = {}
        self.data = data
        self.port = interop.PORT
        self.plain = {}
        self.slow = {}
        self.root = ""
        roots = [root for root in ("bookworm", "trixie", "browsers")
                 if os.path.exists(os.path.join(CACHE, root, ".complete"))]
        enter_roots(roots)
        for source in glob.glob(os.path.join(HERE, "clients", "*.*")):
            shutil.copy(source, ".")
        with open("short", "wb") as out:
            out.write(FIRST)
        with open("small", "wb") as out:
            out.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                      b"Content-Length: %d\r\n\r\n" % SMALL + data[:SMALL])
        for root in ("bookworm", "trixie"):
            if root not in roots:
                self.missing.append((f"programs of Debian's {root}", "could not be fetched"))
                continue
            self.root = root
            # The request in the folder is that of the last one.
            self.slow[root] = interop.Clients(data[:SMALL], root_prefix(root))
            self.plain[root] = interop.Clients(data, root_prefix(root))
            for family in DEBIAN:
                if not families or family in families:
                    getattr(self, "_" + family)(root)
        self.root = ""
        for family in BUILT:
            if not families or family in families:
                getattr(self, "_" + family)()

    def set_port(self, port):
        """Where the clients shall connect to."""
        self.port = port
        for plain in (*self.plain.values(), *self.slow.values()):
            plain.port = port

    def add(self, name, version, call, **kwargs):
        """One more client."""
        if version is None:
            self.missing.append((name, "does not run"))
            return
        name = f"{name} {version}"
        client = Client(name, version, call, root=self.root, **kwargs)
        client.can = frozenset(client.can)
        self.clients.append(client)
        self.known[name] = call

    def program(self, argv, names=None, env=None, request="request"):
        """A client of ours: PROGRAM NAME PORT REQUEST OPTION=VALUE..."""
        def call(name, **options):
            if names and options.get("groups"):
                options["groups"] = ":".join(names[g] for g in options["groups"].split(":"))
            words = [f"{key}={value}" for key, value in options.items() if value]
            return interop.exchange(argv + [name, str(self.port), request] + words, b"", env,
                                    SECONDS)
        return call

    # Programs of Debian.

    def _openssl(self, root):
        plain = self.plain[root]

        def call(name, suite="", groups="", version="", alpn="", twice="", early="", more=()):
            groups = groups.replace(":", " ")
            more = list(more) + (["-alpn", alpn] if alpn else [])
            if twice:
                port = early or plain.port
                argv = plain.prefix + ["openssl", "s_client", "-connect", f"127.0.0.1:{port}",
                                       "-quiet", "-CAfile", "ca.pem", "-servername", name,
                                       "-sess_out", "ticket"]
                interop.exchange(argv + (["-ciphersuites", suite] if suite else []), FIRST)
                more += ["-sess_in", "ticket"] + (["-early_data", "short"] if early else [])
            return plain.openssl(name, suite, groups, version, more)

        version = version_of(plain.prefix + ["openssl", "version"])
        new = root != "bookworm"
        odd = [(f"max_fragment_length {n}", {"more": ("-maxfraglen", str(n))}, ())
               for n in (512, 1024, 2048, 4096)]
        odd.append(("no compatibility mode", {"more": ("-no_middlebox",)}, ()))
        if new:
            odd.append((f"share of x25519, {HYBRID} listed",
                        {"more": ("-groups", f"{HYBRID}:*X25519")}, ("x25519",)))
            odd.append((f"retry to {HYBRID}",
                        {"more": ("-groups", f"*secp384r1:{HYBRID}:X25519")}, ("retried", HYBRID)))
        self.add("OpenSSL", version, call, groups=GROUPS + ((HYBRID,) if new else ()),
                 words=(HYBRID if new else "x25519",),
                 retry={"groups": "secp384r1:x25519"},
                 can={"twice", "twice-retry", "early", "alpn", "1.2"}, odd=tuple(odd))

    def _curl(self, root):
        plain = self.plain[root]

        def call(name, suite="", groups="", version="", alpn="", twice=""):
            groups = groups.replace(":", " ")
            url = f"https://{name}:{plain.port}/"
            more = []
            if twice:
                more = ["-o", "short.out", "-H", "Connection: close", "--resolve",
                        f"{name}:{plain.port}:127.0.0.1", "--cacert", "ca.pem", url, "--next",
                        "-sS", "-i", "--cacert", "ca.pem", "--http1.1", "--data-binary", "@data",
                        "-H", "Expect:"]
                return interop.exchange(plain.prefix + ["curl", "-sS", "--http1.1"] + more +
                                        [url + "echo"], b"")
            _ = alpn
            return plain.curl(name, suite, groups, version)

        new = root != "bookworm"
        self.add("curl", version_of(plain.prefix + ["curl", "--version"]), call,
                 retry={"groups": "secp384r1:x25519"},
                 groups=GROUPS + ((HYBRID,) if new else ()),
                 words=(HYBRID if new else "x25519",),
                 can={"twice", "alpn", "1.2"})

    def _gnutls(self, root):
        # gnutls-cli writes with a system call for every few bytes.
        plain = self.slow[root]

        def call(name, suite="", groups="", version="", alpn="", twice="", more=()):
            more = list(more) + [f"--alpn={word}" for word in alpn.split(",") if word]
            if twice:
                more += ["--resume", "--waitresumption"]
            return plain.gnutls(name, suite, groups.replace(":", " "), version, more)

        self.add("GnuTLS", version_of(plain.prefix + ["gnutls-cli", "--version"]), call,
                 can={"twice", "alpn", "1.2"}, size=SMALL,
                 retry={"groups": "secp384r1:secp256r1", "more": ("--single-key-share",)},
                 odd=(("record_size_limit 4097", {"more": ("--recordsize=4096",)}, ()),))

    def _wget(self, root):
        plain = self.plain[root]

        def priority(suite="", groups="", version=""):
            prio = "NORMAL:-VERS-ALL:+VERS-TLS" + (version or "1.3")
            prio += ":-CIPHER-ALL:+" + interop.GNUTLS_SUITE[suite] if suite else ""
            if groups:
                prio += ":-GROUP-ALL" + "".join(":+" + interop.GNUTLS_GROUP[g]
                                                for g in groups.split(":"))
            return prio

        def wget(name, **options):
            argv = plain.prefix + ["wget", "-q", "-O", "-", "--save-headers", "--tries=1",
                                   "--ca-certificate=ca.pem", "--post-file=data"]
            if options:
                argv.append("--ciphers=" + priority(**options))
            return interop.exchange(argv + [f"https://{name}:{plain.port}/echo"], b"")

        def wget2(name, **options):
            argv = plain.prefix + ["wget2", "-q", "-O", "-", "--tries=1", "--ca-certificate=ca.pem",
                                   "--no-config", "--no-ocsp", "--no-hsts",
                                   "--no-tls-session-file"]
            if options:
                argv.append("--secure-protocol=" + priority(**options))
            done = subprocess.run(argv + [f"https://{name}:{plain.port}/bytes/{1 << 20}"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
                                  stderr=subprocess.PIPE, timeout=SECONDS)
            why = (done.stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
            return (None, why or "no answer") if done.returncode else (done.stdout, "")

        self.add("wget", version_of(plain.prefix + ["wget", "--version"]), wget, can={"1.2"})
        self.add("wget2", version_of(plain.prefix + ["wget2", "--version"]), wget2, can={"1.2"},
                 # Debian 12's sends no more than 16384 bytes.
                 body=bytes(i * 167 >> 3 & 255 for i in range(1 << 20)))

    def _nss(self, root):
        prefix = self.plain[root].prefix
        database = f"nss-{root}"
        os.mkdir(database)
        subprocess.run(prefix + ["certutil", "-N", "-d", f"sql:{database}", "--empty-password"],
                       check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for i, ca in enumerate(("ca-p256.pem", "ca-rsa.pem")):
            subprocess.run(prefix + ["certutil", "-A", "-d", f"sql:{database}", "-n", f"ca{i}",
                                     "-t", "C,,", "-i", ca], check=False)
        suites = dict(zip(SUITES, (":1301", ":1302", ":1303")))
        groups_of = {"x25519": "x25519", "secp256r1": "P256", "secp384r1": "P384",
                     HYBRID: "mlkem768x25519"}

        def call(name, suite="", groups="", version="", more=()):
            versions = "tls1.2:tls1.2" if version else "tls1.3:tls1.3"
            argv = prefix + ["tstclnt", "-4", "-h", name, "-p", str(self.port), "-d",
                             f"sql:{database}", "-V", versions]
            argv += ["-c", suites[suite]] if suite else []
            argv += ["-I", ",".join(groups_of[g] for g in groups.split(":"))] if groups else []
            return patient(argv + list(more), self.plain[root].request)

        version = package_version(root, "libnss3-tools")
        new = root != "bookworm"
        self.add("NSS", version, call,
                 groups=GROUPS + ((HYBRID,) if new else ()),
                 retry={"groups": "secp384r1:secp256r1"}, can={"1.2"},
                 odd=(("compatibility mode", {"more": ("-e",)}, ()),) + ((
                     ("GREASE, shuffled, ECH grease, delegated credentials", {"more": (
                         "--enable-rfc8701-grease", "--enable-ch-extension-permutation",
                         "--zlib-certificate-compression", "-i", "60", "-B")}, ()),)
                     if new else ()))

    def _botan(self, root):
        prefix = self.plain[root].prefix
        version = version_of(prefix + ["botan", "version"])
        old = (version or "").startswith("2.")

        def call(name, suite="", groups="", version="", alpn=""):
            lines = ["allow_tls12 = true", "allow_tls13 = true"]
            lines += ["ciphers = " + {SUITES[0]: "AES-128/GCM", SUITES[1]: "AES-256/GCM",
                                      SUITES[2]: "ChaCha20Poly1305"}[suite]] if suite else []
            if groups:
                lines += ["key_exchange_groups = " + " ".join(groups.split(":")),
                          "key_exchange_groups_to_offer = " + groups.split(":", maxsplit=1)[0]]
            with open("botan.policy", "w", encoding="ascii") as out:
                out.write("\n".join(lines) + "\n")
            argv = prefix + ["botan", "tls_client", name, f"--port={self.port}",
                             "--trusted-cas=ca.pem", "--skip-system-cert-store",
                             "--tls1.2" if old else f"--tls-version={version or '1.3'}"]
            argv += ["--policy=botan.policy"] if suite or groups else []
            argv += [f"--next-protocols={alpn}"] if alpn else []
            return patient(argv, self.plain[root].request)

        self.add("Botan", version, call, old=old, can={"alpn", "1.2"},
                 retry={"groups": "secp384r1:secp256r1"})

    def _erlang(self, root):
        prefix = self.plain[root].prefix
        # Schedulers that spin take the guest's time.
        flags = "+S 1:1 +SDcpu 1:1 +SDio 1 +A 1 +sbwt none +sbwtdcpu none +sbwtdio none"
        prefix = prefix + ["env", f"ERL_FLAGS={flags}"]
        version = version_of(prefix + ["erl", "-noshell", "-eval",
                                       'io:format("~s", [erlang:system_info(otp_release)]), halt().'],
                             r"\d+")
        # With session_tickets its first hello has no psk_key_exchange_modes, so that it may not be
        # sent tickets (RFC 9846, 4.3.9); an OpenSSL server, which sends them, it does not come
        # back to either.
        self.add("Erlang/OTP", version,
                 self.program(prefix + ["escript", "client.escript"]),
                 retry={"groups": "secp384r1:secp256r1"}, can={"update", "alpn", "1.2"})

    def _java(self, root):
        prefix = self.plain[root].prefix
        homes = glob.glob(os.path.join(CACHE, root, "usr/lib/jvm/java-*-openjdk-*"))
        if not homes:
            self.missing.append((f"Java of {root}", "no package"))
            return
        home = "/usr/lib/jvm/" + os.path.basename(homes[0])
        folder = os.path.join(CACHE, "java")
        if not os.path.exists(os.path.join(folder, "Client.class")):
            return
        shutil.copy(os.path.join(folder, "Client.class"), ".")
        version = version_of(prefix + [home + "/bin/java", "-XX:+UseSerialGC", "-version"])

        def java(*more, path="."):
            def call(name, groups="", **options):
                argv = prefix + [home + "/bin/java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
                                 "-cp", path]
                argv += ["-Djdk.tls.namedGroups=" + groups.replace(":", ",")] if groups else []
                return self.program(argv + ["Client"])(name, **options, **dict(more))
            return call

        self.add("Java", version, java(), retry={"groups": "secp384r1,secp256r1"},
                 can={"twice", "update", "alpn", "1.2"})
        jars = sorted(glob.glob(os.path.join(CACHE, root, "usr/share/java/bc*.jar")))
        jar = [path for path in jars if os.path.basename(path) in (
            "bctls.jar", "bcprov.jar", "bcutil.jar", "bcpkix.jar")]
        if len(jar) == 4:
            where = ":".join(["."] + ["/usr/share/java/" + os.path.basename(p) for p in jar])
            real = os.path.basename(os.path.realpath(jar[0]))
            self.add("Bouncy Castle", (re.search(r"\d[\d.]*\d", real) or ["?"])[0],
                     java(("provider", "org.bouncycastle.jsse.provider.BouncyCastleJsseProvider"),
                          path=where),
                     retry={"groups": "secp384r1,secp256r1"}, can={"alpn", "1.2"})

    def _node(self, root):
        prefix = self.plain[root].prefix
        self.add("Node", version_of(prefix + ["node", "--version"]),
                 self.program(prefix + ["node", "client.js"], interop.OPENSSL_GROUP),
                 retry={"groups": "secp384r1:secp256r1"}, can={"twice", "alpn", "1.2"})

    def _python(self, root):
        plain = self.plain[root]

        def call(name, suite="", groups="", version="", alpn="", twice=""):
            more = [f"alpn={alpn}"] * bool(alpn) + ["twice=1"] * bool(twice)
            return plain.python(name, suite, groups.replace(":", " "), version, more)

        self.add("Python ssl", version_of(plain.prefix + ["python3", "--version"]), call,
                 can={"twice", "alpn", "1.2"})

    def _mono(self, root):
        prefix = self.plain[root].prefix
        if not os.path.exists(os.path.join(CACHE, root, "usr/bin/mcs")):
            return
        subprocess.run(prefix + ["mcs", "-out:client.exe", "Client.cs"], check=False,
                       stdout=subprocess.DEVNULL)
        self.add("Mono", version_of(prefix + ["mono", "--version"]),
                 self.program(prefix + ["mono", "client.exe"]), old=True)

    def _in_c(self, root):
        prefix = self.plain[root].prefix
        odd = (("no share at all, retry", {"noshare": "1"}, ("retried",)),
               ("only psk_ke, so no resumption", {"psk_ke": "1", "twice": "1"}, ()))
        for name, library, extra in (("wolfssl", "wolfSSL", {"odd": odd}),
                                     ("mbedtls", "Mbed TLS", {})):
            path = os.path.join(CACHE, "bin", f"{name}-{root}")
            if not os.path.exists(path):
                continue
            shutil.copy(path, ".")
            with open(path + ".version", encoding="ascii") as file:
                version = file.read().strip()
            self.add(library, version, self.program(prefix + [f"./{name}-{root}"]),
                     retry={"groups": "secp384r1:secp256r1"},
                     can={"twice", "alpn", "1.2"} | ({"update"} if name == "wolfssl" else set()),
                     **extra)

    # What is built by scripts/interop.

    def _go(self):
        for path in sorted(glob.glob(os.path.join(CACHE, "bin", "go-*"))):
            version = os.path.basename(path)[3:]
            new = version != "1.19"
            self.add("Go", version, self.program([path]), suites=(),
                     groups=GROUPS + ((HYBRID,) if new else ()),
                     words=(HYBRID if new else "x25519",),
                     # Newer ones choose the order and the shares.
                     retry=None if new else {"groups": "secp384r1:secp256r1"},
                     can={"twice", "alpn", "1.2"})

    def _rust(self):
        path = os.path.join(CACHE, "bin", "rustls")
        if os.path.exists(path):
            with open(path + ".version", encoding="ascii") as file:
                version = file.read().strip()
            self.add("rustls", version, self.program([path]), groups=GROUPS + (HYBRID,),
                     words=(HYBRID,), retry={"groups": "secp384r1:x25519"},
                     # It remembers the group, so that there is no retry with a ticket.
                     can={"twice", "early", "update", "alpn", "1.2"},
                     odd=(("hello in records of 512 bytes", {"fragment": "512"}, ()),
                          (f"retry to {HYBRID}", {"groups": f"secp384r1:{HYBRID}"},
                           ("retried", HYBRID))))
        path = os.path.join(CACHE, "bin", "s2n")
        if os.path.exists(path):
            with open(path + ".version", encoding="ascii") as file:
                version = file.read().strip()
            call = self.program([path])

            def with_policy(policy):
                def talk(name, version="", **options):
                    return call(name, policy="20190214" if version else policy, **options)
                return talk

            for policy, words in (("default_tls13", ()), ("default_pq", (HYBRID,))):
                self.add("s2n-tls", f"{version} {policy}", with_policy(policy), suites=(),
                         groups=(), words=words, can={"twice", "alpn", "1.2"})

    def _pip(self):
        python = os.path.join(CACHE, "venv/bin/python")
        if not os.path.exists(python):
            return
        listed = subprocess.run([python, "-m", "pip", "list", "--format=freeze"], check=False,
                                stdout=subprocess.PIPE, text=True).stdout
        versions = dict(line.split("==") for line in listed.split() if "==" in line)
        versions = {name.lower().replace("_", "-"): value for name, value in versions.items()}
        if "tlslite-ng" in versions:
            self.add("tlslite-ng", versions["tlslite-ng"],
                     self.program([python, "tlslite_client.py"], request="small"), words=(HYBRID,),
                     size=SMALL,
                     retry={"groups": "secp384r1:secp256r1"},
                     can={"twice", "update", "alpn", "1.2"})
        if "curl-cffi" in versions:
            self._browsers_of_curl(python, versions["curl-cffi"])
        if "tls-client" in versions:
            for browser in ("chrome_133", "firefox_135", "safari_ios_18_0"):
                call = self.program([python, "utls_client.py"])
                self.add("uTLS", f"{versions['tls-client']} as {browser}",
                         lambda name, call=call, browser=browser, **options: call(
                             name, impersonate=browser, **options),
                         suites=(), groups=())

    def _browsers_of_curl(self, python, version):
        code = "from curl_cffi.requests import BrowserType as b; print(*[x.value for x in b])"
        browsers = subprocess.run([python, "-c", code], check=False, stdout=subprocess.PIPE,
                                  text=True).stdout.split()
        call = self.program([python, "curl_cffi_client.py"], interop.OPENSSL_GROUP)
        newest = max((b for b in browsers if re.fullmatch(r"chrome\d+", b)),
                     key=lambda b: int(b[6:]))
        for browser in browsers:
            last = {"groups": ()}
            if browser == newest:
                last = {"retry": {"groups": "secp384r1:secp256r1"}, "can": {"twice", "alpn", "1.2"}}
            elif browser == "tor145":
                # It sends two shares, so no server has to ask for another, and takes no tickets.
                last = {"can": {"alpn", "1.2"}}
            self.add("BoringSSL", f"{version} as {browser}",
                     lambda name, browser=browser, **options: call(
                         name, impersonate=browser, **options), suites=(), **last)
