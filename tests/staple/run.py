#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
OCSP responses, certificate timestamps and long chains with the clients of
OpenSSL, GnuTLS and curl, which verify what they get.

Prints TAP; to be run in a guest (tests/run-guest-tests staple).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "selftests"))
import tls_hs  # noqa: E402

NAME = "leaf.test"
P256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def openssl(*args):
    """Runs openssl, which must succeed."""
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def read(name):
    """The content of a file."""
    with open(name, "rb") as file:
        return file.read()


def write(name, text):
    """Makes a file."""
    with open(name, "w", encoding="ascii") as file:
        file.write(text)


def certificate(name, issuer, serial, extensions):
    """NAME.pem, NAME.der and NAME.key, issued by another one or by itself."""
    write("ext", extensions)
    openssl("req", "-new", "-nodes", "-subj", f"/CN={name}", "-newkey", *P256, "-keyout",
            f"{name}.key", "-out", "req")
    signer = (["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key"] if issuer != name else
              ["-signkey", f"{name}.key"])
    openssl("x509", "-req", "-in", "req", *signer, "-set_serial", str(serial), "-extfile", "ext",
            "-days", "30", "-sha256", "-out", f"{name}.pem")
    openssl("x509", "-in", f"{name}.pem", "-outform", "DER", "-out", f"{name}.der")


def make_chain(comment):
    """root, two intermediate certificates with long comments, and the leaf. Its payload."""
    authority = "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,digitalSignature\n"
    comment = f"nsComment={'x' * comment}\n" if comment else ""
    certificate("root", "root", 1, authority)
    certificate("one", "root", 2, authority + comment)
    certificate("two", "one", 3, authority + comment)
    certificate(NAME, "two", 4, f"subjectAltName=DNS:{NAME}\nbasicConstraints=CA:false\n")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", f"{NAME}.key", "-outform", "DER", "-out", "key")
    write("index.txt", f"V\t{time.strftime('%y%m%d%H%M%SZ', time.gmtime(time.time() + 864000))}"
          f"\t\t04\tunknown\t/CN={NAME}\n")
    return read(f"{NAME}.der") + read("two.der") + read("one.der") + read("key")


def make_ocsp(days):
    """A response that says that the leaf is good, for so many days."""
    openssl("ocsp", "-issuer", "two.pem", "-cert", f"{NAME}.pem", "-no_nonce", "-reqout", "ask")
    openssl("ocsp", "-index", "index.txt", "-CA", "two.pem", "-rsigner", "two.pem", "-rkey",
            "two.key", "-reqin", "ask", "-respout", "ocsp", "-ndays", str(days))
    return read("ocsp")


def make_scts():
    """A list of one timestamp of a log that nobody knows, RFC 6962 section 3.2, in DER."""
    sct = (b"\0" + os.urandom(32) + (1_700_000_000_000).to_bytes(8, "big") + b"\0\0" +
           b"\4\3" + b"\0\x08" + bytes.fromhex("3006020101020101"))
    scts = (len(sct) + 2).to_bytes(2, "big") + len(sct).to_bytes(2, "big") + sct
    return b"\4\x81" + bytes([len(scts)]) + scts if len(scts) > 127 else \
        b"\4" + bytes([len(scts)]) + scts


def visit(lsk, command):
    """What a client prints that is served an empty answer."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    conn, family = tls_hs.accept(lsk)
    if family != tls_hs.AF_TLS:
        raise AssertionError("the client fell back")
    try:
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    except OSError:
        pass
    time.sleep(0.2)
    conn.close()
    try:
        out = process.communicate(timeout=20)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out


def want(found, out, what):
    """Expects something in what a client has printed."""
    if not found:
        raise AssertionError(f"{what}: {out[-600:]!r}")


def s_client(lsk, *args):
    """openssl s_client, which must like the certificate."""
    status, out = visit(lsk, ["openssl", "s_client", "-connect",
                              f"127.0.0.1:{lsk.getsockname()[1]}", "-servername", NAME, "-CAfile",
                              "root.pem", "-verify_return_error", "-verify_hostname", NAME, *args])
    want(status == 0 and "Verify return code: 0 (ok)" in out, out, "verification")
    return out


def gnutls_cli(lsk, *args):
    """gnutls-cli, which must like the certificate."""
    status, out = visit(lsk, ["gnutls-cli", "--x509cafile=root.pem", f"--sni-hostname={NAME}",
                              f"--verify-hostname={NAME}", "-p", str(lsk.getsockname()[1]), *args,
                              "127.0.0.1"])
    want("Handshake was completed" in out, out, f"handshake ({status})")
    return out


def curl(lsk, *args):
    """curl, which may fail."""
    port = lsk.getsockname()[1]
    return visit(lsk, ["curl", "-sS", "--cacert", "root.pem", "--resolve",
                       f"{NAME}:{port}:127.0.0.1", *args, f"https://{NAME}:{port}/"])


class Tests:
    """Each method is one."""

    def __init__(self, lsk, ring):
        self.lsk, self.ring = lsk, ring

    def update(self, payload):
        """Updates the identity, as one of the same name. KEYCTL_UPDATE takes a page at most."""
        tls_hs.add_key("tls_identity", NAME, payload, self.ring)

    def openssl_without(self):
        """Nothing is stapled at first."""
        out = s_client(self.lsk, "-status")
        want("OCSP response: no response sent" in out, out, "no response")

    def openssl_status(self):
        """-status shows the response, and each update of it."""
        for days in (3, 5):
            self.update(make_ocsp(days))
            out = s_client(self.lsk, "-status")
            want("OCSP Response Status: successful" in out and "Cert Status: good" in out, out,
                 "response")
            text = subprocess.run(["openssl", "ocsp", "-respin", "ocsp", "-noverify", "-text"],
                                  stdout=subprocess.PIPE, check=True, text=True).stdout
            until = re.search("Next Update: .*", text)[0]
            want(until in out, out, until)
        out = s_client(self.lsk)
        want("OCSP" not in out, out, "not asked for")

    def openssl_timestamps(self):
        """-ct shows the timestamps."""
        self.update(make_ocsp(1) + make_scts())
        write("logs", "enabled_logs =\n")
        out = s_client(self.lsk, "-ct", "-ctlogfile", "logs")
        # Neither the certificate nor the response has any.
        want("SCTs present (1)" in out and "SCT validation status: unknown log" in out, out,
             "timestamps")

    def gnutls_ocsp(self):
        """--save-ocsp gives what was stapled."""
        response = make_ocsp(2)
        self.update(response)
        out = gnutls_cli(self.lsk, "--ocsp", "--save-ocsp=saved")
        want(read("saved") == response, out, "saved response")
        want("OCSP status request" in out, out, "option")

    def curl_cert_status(self):
        """--cert-status verifies the response, and fails without one."""
        payload = self.payload()
        self.update(payload + make_ocsp(2))
        status, out = curl(self.lsk, "--cert-status")
        want(status == 0, out, "with a response")
        self.update(payload)
        status, out = curl(self.lsk, "--cert-status")
        want(status == 91, out, "without a response")

    @staticmethod
    def payload():
        """Certificates and private key."""
        return read(f"{NAME}.der") + read("two.der") + read("one.der") + read("key")

    def long_chain(self):
        """A chain of more than a record, with what is stapled to it."""
        payload = make_chain(9000)
        want(len(payload) > 16384 + 1000, str(len(payload)), "length")
        response = make_ocsp(1)
        self.update(payload + response)
        out = s_client(self.lsk, "-status", "-showcerts")
        want(out.count("BEGIN CERTIFICATE") == 4 and "Cert Status: good" in out, out, "openssl")
        if shutil.which("curl"):
            status, out = curl(self.lsk, "--cert-status")
            want(status == 0, out, "curl")
        if shutil.which("gnutls-cli"):
            gnutls_cli(self.lsk, "--save-ocsp=saved")
            want(read("saved") == response, out, "gnutls")


def main():
    """Runs all and prints TAP."""
    why = tls_hs.supported()
    if why:
        print(f"1..0 # SKIP {why}")
        return 4
    programs = {"gnutls_ocsp": "gnutls-cli", "curl_cert_status": "curl"}
    names = ["openssl_without", "openssl_status", "openssl_timestamps", "gnutls_ocsp",
             "curl_cert_status", "long_chain"]
    names = [n for n in names if shutil.which(programs.get(n, "openssl"))]
    print("TAP version 13")
    print(f"1..{len(names)}", flush=True)
    failed = 0
    tls_hs.join_session()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        ring = tls_hs.new_keyring()
        tls_hs.add_key("tls_identity", NAME, make_chain(0), ring)
        with tls_hs.listener(ring) as lsk:
            tests = Tests(lsk, ring)
            for i, name in enumerate(names, 1):
                try:
                    getattr(tests, name)()
                    print(f"ok {i} {name}", flush=True)
                except Exception as err:  # pylint: disable=broad-except
                    failed = 1
                    print(f"# {type(err).__name__}: {err}")
                    print(f"not ok {i} {name}", flush=True)
        os.chdir("/")
    return failed


if __name__ == "__main__":
    sys.exit(main())
