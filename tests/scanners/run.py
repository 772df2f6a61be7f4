#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
Scanners against demo/tls_server: testssl.sh, sslyze, sslscan and nmap's scripts.

scanners/run.py --serve DIR
scanners/run.py --sslyze PROGRAM --testssl PROGRAM [--results FILE] --logs DIR

The first one is for the guest, in which the servers are, the second for the
machine that it runs on, which is faster. DIR is the same one. Each scanner scans
a server that has TLS 1.3 by the kernel only, and one that hands the rest to
OpenSSL in user space. What a scanner has to complain of must be in EXPECTED, with
the reason; what it must have seen is in FACTS.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("TLS_HS_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tls-handshake")
BIN = os.path.join(CACHE, "user")
sys.path.insert(0, os.path.join(HERE, "../../selftests"))

import tls_hs  # noqa: E402  pylint: disable=wrong-import-position

NAME = "scan.test"
# Where scripts/guest forwards the guest's ports from.
HOST = "127.0.0.1"
# Not 4433, to which s_client goes when it is only asked for its options.
PORTS = {"kernel": 8443, "fallback": 8444}
SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")

CERTIFICATE = "the certificate is the test's: no revocation, no public log, no DNS records"
HTTP = "what the example server says over HTTP is no matter of TLS"
SCANNER = "the scanner's own lack"

# What is usual for TLS 1.2, which is by OpenSSL in user space.
OPENSSL_CNF = """\
openssl_conf = conf
[conf]
ssl_conf = ssl
[ssl]
system_default = good
[good]
CipherString = ECDHE+AESGCM:ECDHE+CHACHA20
Options = ServerPreference
"""

# Complaints by scanner and server, as patterns of (what, value).
EXPECTED = {
    "testssl.sh": [
        ("both", "cert_revocation", "*", CERTIFICATE),
        ("both", "DNS_CAArecord", "*", CERTIFICATE),
        ("both", "HSTS", "*", HTTP),
        ("both", "security_headers", "*", HTTP),
        ("kernel", "NPN", "not possible for TLS 1.3-only hosts", SCANNER),
        # It needs a ticket, but its client hangs up as soon as the handshake is done.
        ("both", "sessionresumption_ticket", "*", SCANNER),
    ],
    "sslyze": [],
    "sslscan": [],
    "nmap": [],
}

# What must have been seen, by scanner and server.
FACTS = {
    "testssl.sh": [
        ("both", "TLS1_3", "offered with final"),
        ("kernel", "TLS1_2", "not offered"),
        ("fallback", "TLS1_2", "offered"),
        ("both", "FS", "offered"),
        ("both", "cert_chain_of_trust", "passed*"),
        ("both", "cert_trust", "Ok via SAN*"),
        ("both", "heartbleed", "not vulnerable*"),
    ],
    "sslyze": [
        ("both", "tls_1_3_cipher_suites", " ".join(SUITES)),
        ("kernel", "tls_1_2_cipher_suites", ""),
        ("both", "elliptic_curves", "*X25519*secp256r1*"),
        ("both", "certificate", "trusted"),
        ("both", "tls_1_3_early_data", "False"),
        ("both", "tls_compression", "False"),
        ("kernel", "tls_1_2_resumption", "SERVER_IS_TLS_1_3_ONLY"),
    ],
    "sslscan": [
        ("both", "TLSv1.3 ciphers", " ".join(SUITES)),
        ("kernel", "versions", "TLSv1.3"),
        ("both", "heartbleed", "0"),
        ("both", "certificate", NAME),
        ("kernel", "groups", "secp256r1 (NIST P-256) x25519"),
    ],
    "nmap": [
        ("both", "TLSv1.3 ciphers", "TLS_AKE_WITH_AES_128_GCM_SHA256 "
         "TLS_AKE_WITH_AES_256_GCM_SHA384 TLS_AKE_WITH_CHACHA20_POLY1305_SHA256"),
        ("kernel", "versions", "TLSv1.3"),
        ("both", "least strength", "A"),
        ("both", "certificate", NAME),
    ],
}


def make_identity(name, *algorithm):
    """A CA if there is none yet, a certificate of it, and the identity for the kernel."""
    script = """
    set -e
    [ -e ca.pem ] || openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 \\
        -subj '/CN=Test CA' -days 400 -addext keyUsage=critical,keyCertSign,cRLSign \\
        -keyout ca.key -out ca.pem
    openssl req -nodes -subj "/CN=$1" -newkey "${@:3}" -keyout "$2.key" -out "$2.csr"
    printf '%s\\n' "subjectAltName=DNS:$1" basicConstraints=critical,CA:false \\
        keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth >ext
    openssl x509 -req -in "$2.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 90 \\
        -extfile ext -out "$2.pem"
    openssl x509 -in "$2.pem" -outform DER >"$2.id"
    openssl pkcs8 -topk8 -nocrypt -in "$2.key" -outform DER >>"$2.id"
    """
    subprocess.run(["bash", "-c", script, "-", NAME, name, *algorithm], check=True,
                   stderr=subprocess.DEVNULL)


class Scan:
    """One scanner against one server."""

    def __init__(self, scanner, server, args):
        self.scanner, self.server, self.args = scanner, server, args
        self.port = PORTS[server]
        self.out = os.path.join(args.logs, f"{scanner}-{server}")
        self.complaints, self.facts = [], {}
        self.version = ""

    def call(self, *argv, env=None):
        """Runs a scanner; its output goes to a file."""
        with open(self.out + ".log", "w", encoding="utf-8") as log:
            return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  timeout=1500, check=False,
                                  env={**os.environ, **(env or {})}).returncode

    def testssl(self):
        """testssl.sh"""
        report = self.out + ".json"
        said = subprocess.run([self.args.testssl, "--version"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, check=False).stdout
        self.version = re.search(r"version .*?(\d+\.[\d.]+)", said)[1]
        self.call(self.args.testssl, "--quiet", "--warnings", "off", "--color", "0", "--nodns",
                  "none", "--ip", HOST, "--add-ca", "ca.pem", "--openssl",
                  "/usr/bin/openssl", "--jsonfile", report, f"{NAME}:{self.port}")
        with open(report, encoding="utf-8") as file:
            for entry in json.load(file):
                what, value = entry["id"].split(" ")[0], entry["finding"].strip()
                self.facts[what] = value
                # A grade sums up what is judged one by one here; an engine is the scanner's.
                if (entry["severity"] not in ("OK", "INFO", "DEBUG")
                        and what not in ("overall_grade", "engine_problem")):
                    self.complaints.append((what, value))

    def sslyze(self):
        """sslyze"""
        report = self.out + ".json"
        self.call(self.args.sslyze, "--json_out", report, "--mozilla_config=disable",
                  "--certinfo_ca_file=ca.pem", "--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1",
                  "--tlsv1_2", "--tlsv1_3", "--certinfo", "--compression", "--early_data",
                  "--elliptic_curves", "--ems", "--fallback", "--heartbleed", "--openssl_ccs",
                  "--reneg", "--resum", "--robot", f"{NAME}:{self.port}{{{HOST}}}")
        with open(report, encoding="utf-8") as file:
            report = json.load(file)
        self.version = report["sslyze_version"]
        result = report["server_scan_results"][0]["scan_result"]
        got = {}
        for what, part in result.items():
            if part["status"] == "COMPLETED":
                got[what] = part["result"]
            elif part["status"] != "NOT_SCHEDULED":
                self.complaints.append((what, f"{part['status']} {part['error_reason']}"))
        for what, part in got.items():
            if what.endswith("_cipher_suites"):
                names = sorted(s["cipher_suite"]["name"] for s in part["accepted_cipher_suites"])
                self.facts[what] = " ".join(names)
                if names and what[:7] not in ("tls_1_2", "tls_1_3"):
                    self.complaints.append((what, "accepted"))
        self.facts["elliptic_curves"] = " ".join(
            sorted(c["name"] for c in got["elliptic_curves"]["supported_curves"]))
        for what, key, good in (
                ("tls_compression", "supports_compression", False),
                ("tls_1_3_early_data", "supports_early_data", False),
                ("openssl_ccs_injection", "is_vulnerable_to_ccs_injection", False),
                ("tls_fallback_scsv", "supports_fallback_scsv", True),
                ("heartbleed", "is_vulnerable_to_heartbleed", False),
                ("session_renegotiation", "is_vulnerable_to_client_renegotiation_dos", False),
                ("session_renegotiation", "supports_secure_renegotiation", True),
                ("tls_extended_master_secret", "supports_ems_extension", True)):
            value = got[what][key]
            self.facts[what] = str(value)
            if value is not good:
                self.complaints.append((what, f"{key}: {value}"))
        robot = got["robot"]["robot_result"]
        if not robot.startswith("NOT_VULNERABLE"):
            self.complaints.append(("robot", robot))
        self.facts["tls_1_2_resumption"] = got["session_resumption"]["tls_ticket_resumption_result"]
        trusted = True
        for chain in got["certificate_info"]["certificate_deployments"]:
            trusted &= any("ca.pem" in str(r["trust_store"]["path"]) and
                           r["verified_certificate_chain"] is not None
                           for r in chain["path_validation_results"])
            for key, good in (("received_chain_contains_anchor_certificate", False),
                              ("received_chain_has_valid_order", True),
                              ("verified_chain_has_sha1_signature", False)):
                if chain[key] not in (good, None):
                    self.complaints.append((key, str(chain[key])))
        self.facts["certificate"] = "trusted" if trusted else "not trusted"

    def sslscan(self):
        """sslscan"""
        self.call("sslscan", f"--xml={self.out}.xml", "--no-colour",
                  f"--sni-name={NAME}", f"{HOST}:{self.port}")
        root = ElementTree.parse(self.out + ".xml").getroot()
        self.version = root.get("version")
        root = root.find("ssltest")
        versions = [{"ssl": "SSLv", "tls": "TLSv"}[p.get("type")] + p.get("version")
                    for p in root.iter("protocol") if p.get("enabled") == "1"]
        self.facts["versions"] = " ".join(versions)
        self.complaints += [("version", v) for v in versions if v not in ("TLSv1.2", "TLSv1.3")]
        self.facts["TLSv1.3 ciphers"] = " ".join(sorted(
            c.get("cipher") for c in root.iter("cipher") if c.get("sslversion") == "TLSv1.3"))
        self.complaints += [("cipher", c.get("cipher")) for c in root.iter("cipher")
                            if c.get("strength") not in ("acceptable", "strong")]
        self.facts["groups"] = " ".join(g.get("name") for g in root.iter("group")
                                        if g.get("sslversion") == "TLSv1.3")
        self.complaints += [("group", g.get("name")) for g in root.iter("group")
                            if int(g.get("bits")) < 112]
        for item, key in (("heartbleed", "vulnerable"), ("compression", "supported")):
            for found in root.iter(item):
                self.facts[item] = found.get(key)
                if found.get(key) != "0":
                    self.complaints.append((item, f"{key}={found.get(key)}"))
        for found in root.iter("renegotiation"):
            if (found.get("supported"), found.get("secure")) == ("1", "0"):
                self.complaints.append(("renegotiation", "insecure"))
        certificate = root.find(".//certificate")
        self.facts["certificate"] = certificate.findtext("subject", "")
        if certificate.findtext("expired") != "false":
            self.complaints.append(("certificate", "expired"))

    def nmap(self):
        """nmap with its TLS scripts"""
        scripts = ("ssl-enum-ciphers,ssl-cert,ssl-heartbleed,ssl-ccs-injection,ssl-poodle,"
                   "ssl-dh-params,ssl-known-key,tls-ticketbleed,tls-alpn,sslv2,sslv2-drown")
        self.call("nmap", "-Pn", "-n", "-sT", "--unprivileged", "-p", str(self.port), "-oX",
                  self.out + ".xml", "--script-args", f"tls.servername={NAME}", "--script",
                  scripts, HOST)
        root = ElementTree.parse(self.out + ".xml").getroot()
        self.version = root.get("version")
        for script in root.iter("script"):
            if script.get("id") == "ssl-enum-ciphers":
                self.nmap_ciphers(script)
            elif script.get("id") == "ssl-cert":
                self.facts["certificate"] = script.findtext(
                    "./table[@key='subject']/elem[@key='commonName']", "")
            elif script.get("id") != "tls-alpn":
                self.complaints.append((script.get("id"), script.get("output").strip()[:100]))

    def nmap_ciphers(self, script):
        """ssl-enum-ciphers"""
        self.facts["least strength"] = script.findtext("./elem[@key='least strength']", "")
        versions = [t.get("key") for t in script.findall("./table")]
        self.facts["versions"] = " ".join(versions)
        self.complaints += [("version", v) for v in versions if v not in ("TLSv1.2", "TLSv1.3")]
        self.facts["TLSv1.3 ciphers"] = " ".join(sorted(
            e.text for e in script.findall("./table[@key='TLSv1.3']/table[@key='ciphers']"
                                           "/table/elem[@key='name']")))
        self.complaints += [("warning", e.text)
                            for e in script.findall("./table/table[@key='warnings']/elem")]

    def play(self):
        """Scans; the outcome as (good, text) for each thing that was looked at."""
        {"testssl.sh": self.testssl, "sslyze": self.sslyze, "sslscan": self.sslscan,
         "nmap": self.nmap}[self.scanner]()
        rows = []
        for what, value in self.complaints:
            reason = next((r for server, w, v, r in EXPECTED[self.scanner]
                           if server in ("both", self.server) and fnmatch.fnmatchcase(what, w)
                           and fnmatch.fnmatchcase(value, v)), None)
            rows.append((reason is not None, f"{what}: {value}", reason))
        for server, what, want in FACTS[self.scanner]:
            if server in ("both", self.server):
                value = self.facts.get(what, "not seen")
                rows.append((fnmatch.fnmatchcase(value, want), f"{what}: {value}",
                             None if fnmatch.fnmatchcase(value, want) else f"want {want}"))
        return rows


def serve(folder):
    """In the guest: the servers, until somebody wants them to stop."""
    os.chdir(folder)
    make_identity("p256", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    make_identity("rsa", "rsa:2048")
    tls_hs.join_session()
    ring = tls_hs.new_keyring()
    for name in ("p256", "rsa"):
        with open(f"{name}.id", "rb") as file:
            tls_hs.add_key("tls_identity", name, file.read(), ring)
    with open("openssl.cnf", "w", encoding="ascii") as file:
        file.write(OPENSSL_CNF)
    servers = []
    for server, port in PORTS.items():
        argv = [os.path.join(BIN, "tls_server"), "-t", "60000", "-p", str(port), "-k", str(ring)]
        if server == "fallback":
            argv += ["--", os.path.join(BIN, "tls12_proxy"), "p256.pem", "p256.key", "rsa.pem",
                     "rsa.key"]
        with open(f"{server}.log", "w", encoding="utf-8") as log:
            servers.append(subprocess.Popen(
                argv, stdout=log, env={**os.environ, "OPENSSL_CONF": "openssl.cnf"}))
    write_json("ready", os.uname().release)
    while not os.path.exists("stop"):
        time.sleep(0.2)
    alive = [server.poll() is None for server in servers]
    for server in servers:
        server.terminate()
    write_json("end", {"alive": all(alive), "counters": tls_hs.counters()})


def write_json(path, what):
    """Writes a file that is complete as soon as it is there."""
    with open(path + ".new", "w", encoding="ascii") as file:
        json.dump(what, file)
    os.rename(path + ".new", path)


def read_json(path, seconds):
    """What the guest has written, waiting for it."""
    for _ in range(5 * seconds):
        if os.path.exists(path):
            with open(path, encoding="ascii") as file:
                return json.load(file)
        time.sleep(0.2)
    raise SystemExit(f"the guest has not written {path}")


def main():
    """Runs all, prints TAP."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", metavar="DIR")
    parser.add_argument("--sslyze")
    parser.add_argument("--testssl")
    parser.add_argument("--results")
    parser.add_argument("--logs")
    parser.add_argument("scanners", nargs="*", metavar="SCANNER", default=list(EXPECTED))
    args = parser.parse_args()
    if args.serve:
        serve(args.serve)
        return 0
    args.logs = os.path.realpath(args.logs)
    args.results = args.results and os.path.realpath(args.results)
    os.chdir(args.logs)
    release = read_json("ready", 120)
    scans = [Scan(scanner, server, args) for scanner in args.scanners for server in PORTS]
    print("TAP version 13", flush=True)
    number = failed = 0
    table = []
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        waits = [pool.submit(scan.play) for scan in scans]
        for scan, wait in zip(scans, waits):
            try:
                rows = wait.result()
            except Exception as err:  # pylint: disable=broad-except
                rows = [(False, f"{type(err).__name__}: {err}", "see its log")]
            for good, text, reason in rows:
                number += 1
                failed += not good
                print(f"{'ok' if good else 'not ok'} {number} - {scan.scanner}, {scan.server}: "
                      f"{text}" + (f" # {reason}" if reason else ""), flush=True)
                table.append((scan, good, text, reason))
    write_json("stop", True)
    end = read_json("end", 60)
    number += 1
    failed += not end["alive"]
    print(f"{'ok' if end['alive'] else 'not ok'} {number} - the servers have survived it")
    print(f"1..{number}")
    for name in ("TlsHsDone", "TlsHsResumed", "TlsHsRetry", "TlsHsFallback", "TlsHsAlertTx"):
        print(f"# {name} {end['counters'][name]}")
    if args.results:
        write_results(args, {s.scanner: s.version for s in scans} | {"Linux": release}, table,
                      end["counters"])
    return 1 if failed else 0


def write_results(args, versions, table, counters):
    """What was found, for people."""
    with open(args.results, "w", encoding="utf-8") as out:
        out.write(f"""\
<!-- SPDX-License-Identifier: GPL-2.0 -->
# Scanners

Written by `make scanners`, with {", ".join(f"{k} {v}" for k, v in versions.items())}.

"kernel" is the example server with TLS 1.3 only, "fallback" the one that hands other clients to
OpenSSL in user space. A row has either something that the scanner complained of, with the reason
why it is not a matter of this code, or something that it must have seen.
In all there were {counters["TlsHsDone"]} handshakes by the kernel, \
{counters["TlsHsFallback"]} connections that fell back and {counters["TlsHsAlertTx"]} alerts.

| scanner | server | what it found | reason |
| --- | --- | --- | --- |
""")
        for scan, good, text, reason in table:
            text = text.replace("|", "\\|")
            out.write(f"| {scan.scanner} | {scan.server} | {text} | "
                      f"{'' if good else '**FAILED** '}{reason or ''} |\n")


if __name__ == "__main__":
    sys.exit(main())
