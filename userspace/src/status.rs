// SPDX-License-Identifier: GPL-2.0

//! `tlshs status` and `tlshs log`: what the kernel does, in words.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use serde_json::{json, Map, Value};

use crate::diag::{self, Connection, Kind, Listener, Socket};
use crate::keyring::Result;
use crate::uapi;

const STAT: &str = "/proc/net/tls_stat";

/// Counters in words; what is more than zero is shown in this order.
const COUNTERS: &[(&str, &str)] = &[
    ("TlsHsDone", "handshakes complete"),
    ("TlsHsResumed", "  of them resumed with a ticket"),
    (
        "TlsHsRetry",
        "HelloRetryRequests (the client's key share was of another group)",
    ),
    ("TlsHsFallback", "connections left to a TLS library"),
    (
        "TlsHsRefused",
        "connections refused, as nothing may fall back",
    ),
    ("TlsHsAlertTx", "alerts sent"),
    ("TlsHsAlertRx", "alerts received"),
    ("TlsHsTimeout", "handshakes that took too long"),
    ("TlsHsReset", "handshakes that the client gave up"),
    (
        "TlsHsOverload",
        "connections reset, as too many were in handshake (net.tls.max_handshakes)",
    ),
    ("TlsHsError", "connections lost for want of memory"),
    (
        "TlsHsNotValid",
        "ClientHellos answered with an expired certificate, or one of the future",
    ),
    ("TlsHsBytesRx", "bytes of handshakes received"),
    ("TlsHsBytesTx", "bytes of handshakes sent"),
];

/// Why connections fell back, or were refused.
const REASONS: &[(&str, &str)] = &[
    (
        "NotSupported",
        "it resumes without (EC)DHE, or without certificates",
    ),
    ("Version", "it does not offer TLS 1.3"),
    ("Suite", "it has no cipher suite in common"),
    (
        "Group",
        "it has no group in common (the kernel has X25519MLKEM768, x25519, P-256)",
    ),
    (
        "Sigalg",
        "no identity signs with what it accepts (an RSA-only client? load an RSA key, too)",
    ),
    (
        "NoIdentity",
        "the keyring has no usable identity: see \"tlshs keys list\"",
    ),
    ("HelloSize", "its ClientHello is longer than 16384 bytes"),
    ("Resources", "there was no memory"),
    ("Urgent", "it sent urgent data of TCP"),
    ("ClientCert", "the server wants certificates of clients"),
];

/// Alerts, by the names that counters have.
const ALERTS: &[(&str, &str)] = &[
    (
        "UnexpectedMessage",
        "no TLS, plain HTTP on the port for example",
    ),
    (
        "BadRecordMac",
        "a record was altered on the way, or keys differ",
    ),
    ("RecordOverflow", "a record was too long"),
    ("HandshakeFailure", "nothing in common, or no identity"),
    ("BadCertificate", "the client finds the certificate corrupt"),
    (
        "UnsupportedCertificate",
        "the client does not take this type of certificate",
    ),
    (
        "CertificateRevoked",
        "the client knows that the certificate has been revoked",
    ),
    (
        "CertificateExpired",
        "the client finds the certificate expired",
    ),
    (
        "CertificateUnknown",
        "the client refuses the certificate: another name, or self-signed",
    ),
    (
        "IllegalParameter",
        "a field has a value that it must not have",
    ),
    (
        "UnknownCa",
        "the client does not know the issuer: an intermediate is missing",
    ),
    ("AccessDenied", "access denied"),
    ("DecodeError", "a message was malformed"),
    ("DecryptError", "a Finished or a binder was wrong"),
    ("ProtocolVersion", "no TLS 1.3"),
    (
        "InsufficientSecurity",
        "the other end wants stronger parameters",
    ),
    ("InternalError", "no memory"),
    (
        "InappropriateFallback",
        "a client tried with less than it can",
    ),
    ("UserCanceled", "given up"),
    ("MissingExtension", "an extension is missing"),
    (
        "UnsupportedExtension",
        "an extension that was not asked for",
    ),
    (
        "UnrecognizedName",
        "no identity for the name (TLS_HS_F_SNI_STRICT)",
    ),
    (
        "GeneralError",
        "urgent data, or a ClientHello that is too long",
    ),
    (
        "NoApplicationProtocol",
        "no application protocol (ALPN) in common",
    ),
];

fn words<'a>(table: &'a [(&str, &str)], name: &str) -> Option<&'a str> {
    table.iter().find(|(n, _)| *n == name).map(|(_, w)| *w)
}

/// The counters of /proc/net/tls_stat that are about handshakes.
fn parse_counters(text: &str) -> BTreeMap<String, u64> {
    text.lines()
        .filter_map(|line| {
            let mut f = line.split_whitespace();
            let name = f.next()?.strip_prefix("TlsHs")?;
            Some((format!("TlsHs{name}"), f.next()?.parse().ok()?))
        })
        .collect()
}

fn counters_in_words(counters: &BTreeMap<String, u64>) -> String {
    let mut out = String::new();
    let value = |name: &str| counters.get(name).copied().unwrap_or(0);
    let detail = |out: &mut String, prefix: &str, table: &[(&str, &str)]| {
        for (name, n) in counters {
            let Some(what) = name
                .strip_prefix(prefix)
                .filter(|what| *n > 0 && !what.is_empty())
            else {
                continue;
            };
            let words = words(table, what).unwrap_or(what);
            out.push_str(&format!("{n:>14}  {what}: {words}\n"));
        }
    };
    for (name, words) in COUNTERS {
        let n = value(name);
        if n > 0 || *name == "TlsHsDone" {
            out.push_str(&format!("{n:>10}  {words}\n"));
        }
        match *name {
            // Both have the same reasons.
            "TlsHsRefused" => detail(&mut out, "TlsHsFb", REASONS),
            "TlsHsAlertTx" => detail(&mut out, "TlsHsTx", ALERTS),
            "TlsHsAlertRx" => detail(&mut out, "TlsHsRx", ALERTS),
            _ => {}
        }
    }
    out
}

fn cipher_name(cipher: u16) -> String {
    // TLS_CIPHER_* of include/uapi/linux/tls.h.
    match cipher {
        51 => uapi::suite_name(0x1301),
        52 => uapi::suite_name(0x1302),
        54 => uapi::suite_name(0x1303),
        other => format!("cipher {other}"),
    }
}

fn connection_words(s: &Socket, c: &Connection) -> String {
    let how = if c.flags & uapi::S_RESUMED != 0 {
        "resumed".into()
    } else {
        uapi::scheme_name(c.scheme)
    };
    let retried = if c.flags & uapi::S_RETRIED != 0 {
        ", retried"
    } else {
        ""
    };
    format!(
        "  {} from {}: {}, {}, {how}{retried}, handshake {}.{} ms, {} s old, idle {} s\n",
        s.local,
        s.remote,
        cipher_name(c.cipher),
        uapi::group_name(c.group),
        c.duration_us / 1000,
        c.duration_us % 1000 / 100,
        c.age_s,
        c.idle_ms / 1000
    )
}

fn listener_words(s: &Socket, l: &Listener) -> String {
    format!(
        "  {} of user {}: {} in handshake ({} silent, {} answered) of {}, {} to be accepted\n",
        s.local,
        s.uid,
        l.silent + l.waiting,
        l.silent,
        l.waiting,
        l.limit,
        l.ready
    )
}

fn socket_json(s: &Socket) -> Value {
    match &s.kind {
        Kind::Listener(l) => json!({
            "local": s.local.to_string(), "uid": s.uid, "ready": l.ready, "silent": l.silent,
            "waiting": l.waiting, "limit": l.limit,
        }),
        Kind::Connection(c) => json!({
            "local": s.local.to_string(), "remote": s.remote.to_string(), "uid": s.uid,
            "cipher": cipher_name(c.cipher), "group": uapi::group_name(c.group),
            "signature_scheme": uapi::scheme_name(c.scheme),
            "resumed": c.flags & uapi::S_RESUMED != 0,
            "retried": c.flags & uapi::S_RETRIED != 0,
            "handshake_us": c.duration_us, "age_s": c.age_s, "idle_ms": c.idle_ms,
        }),
    }
}

/// `status`.
pub fn status(as_json: bool) -> Result<()> {
    let text = fs::read_to_string(STAT).map_err(|e| {
        format!("{STAT}: {e}; is the module tls loaded (modprobe tls), and CONFIG_TLS set?")
    })?;
    let counters = parse_counters(&text);
    if counters.is_empty() {
        return Err("this kernel does no TLS handshakes (CONFIG_TLS_HANDSHAKE)".into());
    }
    let sockets = diag::sockets().map_err(|e| format!("sock_diag: {e}"))?;
    let (listeners, connections): (Vec<_>, Vec<_>) = sockets
        .iter()
        .partition(|s| matches!(s.kind, Kind::Listener(_)));
    if as_json {
        let all = json!({
            "counters": counters,
            "listeners": listeners.iter().map(|s| socket_json(s)).collect::<Vec<_>>(),
            "connections": connections.iter().map(|s| socket_json(s)).collect::<Vec<_>>(),
        });
        println!("{all:#}");
        return Ok(());
    }
    print!("{}", counters_in_words(&counters));
    println!("\nlisteners: {}", listeners.len());
    println_all(&listeners);
    println!("connections: {}", connections.len());
    println_all(&connections);
    Ok(())
}

fn println_all(sockets: &[&Socket]) {
    for s in sockets {
        print!(
            "{}",
            match &s.kind {
                Kind::Listener(l) => listener_words(s, l),
                Kind::Connection(c) => connection_words(s, c),
            }
        );
    }
}

/// An instance of the trace system of our own, gone when this goes.
struct Trace(PathBuf);

impl Trace {
    fn new() -> Result<Self> {
        let dir = PathBuf::from("/sys/kernel/tracing/instances")
            .join(format!("tlshs-{}", std::process::id()));
        let fail = |e| {
            format!(
                "{}: {e}; the log is for root, and needs tracefs (mount -t tracefs tracefs \
                 /sys/kernel/tracing) and CONFIG_FTRACE",
                dir.display()
            )
        };
        fs::create_dir(&dir).map_err(fail)?;
        let trace = Self(dir.clone());
        fs::write(dir.join("events/tls_handshake/enable"), "1").map_err(fail)?;
        Ok(trace)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("events/tls_handshake/enable"), "0");
        let _ = fs::remove_dir(&self.0);
    }
}

/// The fields of an event: its name, the words without "=", and the rest.
fn parse_event(line: &str) -> Option<(&str, Vec<&str>, Map<String, Value>)> {
    let at = line.find("tls_handshake_")?;
    let (name, rest) = line[at + "tls_handshake_".len()..].split_once(':')?;
    let mut words = Vec::new();
    let mut fields = Map::new();
    for word in rest.split_whitespace() {
        match word.split_once('=') {
            Some(("sk", _)) => {}
            Some((key, value)) => {
                fields.insert(key.into(), value.into());
            }
            None => words.push(word),
        }
    }
    Some((name, words, fields))
}

fn event_in_words(line: &str) -> Option<String> {
    let (name, words_, fields) = parse_event(line)?;
    let get = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or("");
    let number =
        |key: &str| u16::from_str_radix(get(key).trim_start_matches("0x"), 16).unwrap_or(0);
    let ms = get("ns").parse::<u64>().map_or_else(
        |_| String::new(),
        |ns| format!(" after {}.{} ms", ns / 1_000_000, ns % 1_000_000 / 100_000),
    );
    let what = match name {
        "start" => "a client begins".into(),
        "done" => format!(
            "handshake complete: {}, {}, {} {}",
            uapi::suite_name(number("suite")),
            uapi::group_name(number("group")),
            uapi::scheme_name(number("scheme")),
            get("flags")
        ),
        "fallback" => format!("left to a TLS library: {}", reason_words(get("reason"))),
        "refused" => format!("refused: {}", reason_words(get("reason"))),
        "alert" => format!(
            "alert {} {}: {}",
            get("alert"),
            words_.first().unwrap_or(&""),
            get("alert")
                .parse()
                .ok()
                .and_then(alert_words)
                .unwrap_or("unknown")
        ),
        "timeout" => "the handshake took too long".into(),
        "reset" => "the client has gone".into(),
        other => other.into(),
    };
    let site = match get("name") {
        "" => String::new(),
        name => format!(" for {name}"),
    };
    Some(format!(
        "{} from {}{site}: {}{ms}",
        get("src"),
        get("dest"),
        what.trim_end()
    ))
}

fn reason_words(reason: &str) -> &str {
    let camel: String = reason
        .split('_')
        .map(|w| w[..1.min(w.len())].to_ascii_uppercase() + &w[1.min(w.len())..])
        .collect();
    words(REASONS, &camel).unwrap_or(reason)
}

/// An AlertDescription (RFC 9846, section 6) in words.
fn alert_words(description: u8) -> Option<&'static str> {
    let name = match description {
        10 => "UnexpectedMessage",
        20 => "BadRecordMac",
        22 => "RecordOverflow",
        40 => "HandshakeFailure",
        42 => "BadCertificate",
        43 => "UnsupportedCertificate",
        44 => "CertificateRevoked",
        45 => "CertificateExpired",
        46 => "CertificateUnknown",
        47 => "IllegalParameter",
        48 => "UnknownCa",
        49 => "AccessDenied",
        50 => "DecodeError",
        51 => "DecryptError",
        70 => "ProtocolVersion",
        71 => "InsufficientSecurity",
        80 => "InternalError",
        86 => "InappropriateFallback",
        90 => "UserCanceled",
        109 => "MissingExtension",
        110 => "UnsupportedExtension",
        112 => "UnrecognizedName",
        117 => "GeneralError",
        120 => "NoApplicationProtocol",
        _ => return None,
    };
    words(ALERTS, name)
}

/// `log`: the events until `count` have come, for ever without.
pub fn log(count: Option<usize>, as_json: bool) -> Result<()> {
    let trace = Trace::new()?;
    let pipe = File::open(trace.0.join("trace_pipe")).map_err(|e| format!("trace_pipe: {e}"))?;
    eprintln!("tlshs: events are shown as they come");
    let mut left = count;
    for line in BufReader::new(pipe).lines() {
        if left == Some(0) {
            break;
        }
        let line = line.map_err(|e| format!("trace_pipe: {e}"))?;
        let text = if as_json {
            parse_event(&line).map(|(name, words, mut fields)| {
                fields.insert("event".into(), name.into());
                if let Some(word) = words.first() {
                    fields.insert("direction".into(), (*word).into());
                }
                Value::from(fields).to_string()
            })
        } else {
            event_in_words(&line)
        };
        if let Some(text) = text {
            println!("{text}");
            left = left.map(|n| n - 1);
            if left == Some(0) {
                break;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters() {
        let text = "TlsCurrTxSw  7\nTlsHsDone\t3\nTlsHsAlertTx 2\nTlsHsTxUnexpectedMessage 2\n\
                    TlsHsFallback 0\nTlsHsFbVersion 0\n";
        let counters = parse_counters(text);
        assert_eq!(counters.len(), 5);
        let words = counters_in_words(&counters);
        assert_eq!(
            words,
            "         3  handshakes complete\n         2  alerts sent\n             2  \
             UnexpectedMessage: no TLS, plain HTTP on the port for example\n"
        );
    }

    /// Connections that fell back and those that were refused have the same reasons.
    #[test]
    fn reasons() {
        for total in ["TlsHsFallback", "TlsHsRefused"] {
            let counters = parse_counters(&format!("{total} 1\nTlsHsFbGroup 1\n"));
            let words = counters_in_words(&counters);
            assert_eq!(words.matches("no group in common").count(), 1, "{words}");
        }
    }

    #[test]
    fn events() {
        let line = "  curl-7 [000] ..s1. 12.34: tls_handshake_alert: sk=0 src=192.0.2.1:443 \
                    dest=192.0.2.9:5000 name= sent alert=10 suite=0x0000 group=0x0000 ns=1234567";
        assert_eq!(
            event_in_words(line).unwrap(),
            "192.0.2.1:443 from 192.0.2.9:5000: alert 10 sent: no TLS, plain HTTP on the port for \
             example after 1.2 ms"
        );
        let line = "x-1 [0] 1: tls_handshake_fallback: sk=0 src=[::1]:443 dest=[::1]:9 \
                    name=a.example reason=no_identity ns=0";
        let words = event_in_words(line).unwrap();
        assert!(words.starts_with("[::1]:443 from [::1]:9 for a.example: left to a TLS library: "));
        assert!(words.contains("tlshs keys list"));
        let line =
            "x-1 [0] 1: tls_handshake_done: sk=0 src=[::1]:443 dest=[::1]:9 name= suite=0x1301 \
                    group=0x001d scheme=0x0403 flags= ns=900000";
        assert!(event_in_words(line)
            .unwrap()
            .contains("TLS_AES_128_GCM_SHA256, x25519"));
        assert!(event_in_words("something else").is_none());
    }

    /// Each alert that has a number has words.
    #[test]
    fn alerts() {
        let known = (0..=255).filter(|d| alert_words(*d).is_some()).count();
        assert_eq!(known, ALERTS.len());
    }
}
