# SPDX-License-Identifier: GPL-2.0
"""
Browsers without a window, which load a page that says how they are connected. They open as many
connections as they like, so that counters tell nothing.
"""

import os
import re
import shutil
import subprocess
import time

import clients
import run as interop

SECONDS = 400


def load(run, name, title, argv, words, env):
    """Has a browser load a page, and looks at what the server says of its connections."""
    title = f"{name}: {title}"
    if run.only and run.only not in title:
        return
    run.server.resync()
    first = run.server.count
    run.number += 1
    start = time.monotonic()
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=SECONDS, check=False, env=env)
        why = (done.stderr.decode(errors="replace").strip().splitlines() or [""])[-1][:200]
    except subprocess.TimeoutExpired:
        why = "timeout"
    run.server.resync()
    lines = [line for number, line in sorted(run.server.lines.items()) if number > first]
    # One may come back with the ticket of another, which then has made no request.
    asked = [line for line in lines if re.search("requests=[1-9]", line)]
    line = max(lines, key=lambda line: sum(word in line for word in words), default="")
    good = bool(asked) and all(word in line for word in words)
    good = good and all(words[0] in line for line in asked)
    line = line if asked else f"no request: {why}"
    run.passed += good
    run.failed += not good
    print(f"{'ok' if good else 'not ok'} {run.number} - {title} # {time.monotonic() - start:.2f} s"
          + ("" if good else f" {line}"), flush=True)
    run.note(name, "1.2" if "TLS 1.2" in title else "p256.test" if "defaults" in title else
             "rsa2048.test" if "RSA" in title else "odd", title, good, line)


def chromium(run, prefix, env):
    """Chromium."""
    version = clients.version_of(prefix + ["/usr/lib/chromium/chromium", "--version"])
    if not version:
        run.clients.missing.append(("Chromium", "does not run"))
        return
    os.makedirs("home/.pki/nssdb")
    certutil = prefix + ["certutil", "-d", "sql:home/.pki/nssdb"]
    subprocess.run(certutil + ["-N", "--empty-password"], check=False)
    for ca in ("ca-p256.pem", "ca-rsa.pem"):
        subprocess.run(certutil + ["-A", "-n", ca, "-t", "C,,", "-i", ca], check=False)

    def argv(name, *more):
        shutil.rmtree("chromium", ignore_errors=True)
        return prefix + ["/usr/lib/chromium/chromium", "--headless", "--no-sandbox",
                         "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                         "--disable-background-networking", "--disable-extensions",
                         "--user-data-dir=" + os.path.abspath("chromium"), *more, "--dump-dom",
                         f"https://{name}:{interop.PORT}/"]

    name = f"Chromium {version}"
    load(run, name, "defaults", argv("p256.test"),
         ("PF_TLS", "TLSv1.3", interop.HYBRID, "ecdsa"), env)
    load(run, name, "RSA certificate", argv("rsa2048.test"), ("PF_TLS", "rsa_pss"), env)
    load(run, name, "TLS 1.2", argv("p256.test", "--ssl-version-max=tls1.2"),
         ("fallback", "TLSv1.2"), env)


def firefox(run, prefix, env):
    """Firefox."""
    version = clients.version_of(prefix + ["/usr/lib/firefox-esr/firefox-esr", "--version"])
    if not version:
        run.clients.missing.append(("Firefox", "does not run"))
        return

    def argv(name, **prefs):
        profile = os.path.abspath(f"firefox-{time.monotonic_ns()}")
        os.mkdir(profile)
        certutil = prefix + ["certutil", "-d", f"sql:{profile}"]
        subprocess.run(certutil + ["-N", "--empty-password"], check=False)
        for ca in ("ca-p256.pem", "ca-rsa.pem"):
            subprocess.run(certutil + ["-A", "-n", ca, "-t", "C,,", "-i", ca], check=False)
        with open(f"{profile}/user.js", "w", encoding="ascii") as out:
            for key, value in prefs.items():
                out.write(f'user_pref("security.tls.{key.replace("__", ".")}", {value});\n')
            out.write('user_pref("app.normandy.enabled", false);\n'
                      'user_pref("network.captive-portal-service.enabled", false);\n'
                      'user_pref("datareporting.policy.dataSubmissionEnabled", false);\n')
        return prefix + ["/usr/lib/firefox-esr/firefox-esr", "--headless", "--no-remote",
                         "--profile", profile, "--screenshot", os.path.abspath("page.png"),
                         f"https://{name}:{interop.PORT}/"]

    name = f"Firefox {version}"
    load(run, name, "defaults", argv("p256.test"),
         ("PF_TLS", "TLSv1.3", interop.HYBRID, "ecdsa"), env)
    load(run, name, "RSA certificate", argv("rsa2048.test"), ("PF_TLS", "rsa_pss"), env)
    load(run, name, "share of x25519 only",
         argv("p256.test", enable_kyber="false", client_hello__send_p256_keyshare="false"),
         ("PF_TLS", "group=x25519"), env)
    load(run, name, "TLS 1.2", argv("p256.test", version__max="3"), ("fallback", "TLSv1.2"), env)


def cases(run, families):
    """All of them."""
    if not os.path.exists(os.path.join(clients.CACHE, "browsers/.complete")):
        run.clients.missing.append(("browsers", "could not be fetched"))
        return
    prefix = clients.root_prefix("browsers")
    env = dict(os.environ, HOME=os.path.abspath("home"), MOZ_DISABLE_CONTENT_SANDBOX="1",
               MOZ_CRASHREPORTER_DISABLE="1")
    os.makedirs("home", exist_ok=True)
    for family in (chromium, firefox):
        if not families or family.__name__ in families:
            family(run, prefix, env)
