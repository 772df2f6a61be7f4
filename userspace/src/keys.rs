// SPDX-License-Identifier: GPL-2.0

//! `tlshs keys`: what is in the keyrings.

use std::env;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use der::DateTime;
use serde_json::{json, Value};
use zeroize::Zeroizing;

use crate::identity::{self, Cert, Finding, Findings, Identity, Level, Material};
use crate::keyring::{self, Description, Lock, Result, Ring};
use crate::{sys, users};

pub const IDENTITY: &str = "tls_identity";
pub const TICKET: &str = "tls_ticket";

/// keyctl() updates with one page at most.
const UPDATE_MAX: usize = 4096;

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

/// What to load, as given on the command line.
#[derive(Default)]
pub struct Source<'a> {
    pub files: Vec<PathBuf>,
    pub ocsp: Option<&'a Path>,
    pub sct: Option<&'a Path>,
}

impl Source<'_> {
    /// Reads and checks it.
    pub fn read(&self) -> (Option<Identity>, Findings) {
        let (identity, mut findings) = Material::read(&self.files).assemble(now());
        let mut read = |path: Option<&Path>| {
            path.and_then(|path| match identity::read_file(path) {
                Ok(bytes) => Some(bytes),
                Err(err) => {
                    findings.0.push(Finding {
                        level: Level::Error,
                        text: format!("{} cannot be read: {err}", path.display()),
                    });
                    None
                }
            })
        };
        let (ocsp, sct) = (read(self.ocsp), read(self.sct));
        let identity = identity.map(|mut identity| {
            let [ocsp, sct] = [&ocsp, &sct].map(|file| file.as_ref().map(|b| b.as_slice()));
            identity.staple(ocsp, sct, &mut findings);
            identity
        });
        let fine = findings.worst() < Some(Level::Error);
        (identity.filter(|_| fine), findings)
    }
}

fn print(findings: &Findings) {
    for finding in &findings.0 {
        eprintln!("tlshs: {finding}");
    }
}

/// What is done if there is a key with the description already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    Replace,
    Need,
}

/// `keys add` and `keys replace`.
pub fn add(ring: &str, name: Option<&str>, source: &Source<'_>, existing: Existing) -> Result<()> {
    sys::hide_memory();
    let (identity, findings) = source.read();
    print(&findings);
    let identity = identity.ok_or("nothing has been loaded")?;
    let leaf = &identity.chain[0];
    let name = name.unwrap_or(leaf.title());
    check_description(name)?;
    let _lock = Lock::take();
    let ring = if existing == Existing::Need {
        Ring::get(ring)?
    } else {
        Ring::get_or_make(ring)?
    };
    let there = ring.key(IDENTITY, name)?.is_some();
    match existing {
        Existing::Refuse if there => {
            return Err(format!(
                "\"{name}\" is there already: \"keys replace\" replaces it, --name gives another \
                 description"
            ));
        }
        Existing::Need if !there => {
            return Err(format!(
                "there is no \"{name}\" to be replaced: \"keys add\" adds it"
            ));
        }
        _ => {}
    }
    let replaced = ring.put(IDENTITY, name, &identity.payload)?;
    println!(
        "{} \"{name}\" ({}, {}; {}, until {})",
        if replaced { "replaced" } else { "added" },
        leaf.key,
        count(identity.chain.len(), "certificate"),
        if leaf.names.is_empty() {
            "no names".into()
        } else {
            leaf.names.join(", ")
        },
        leaf.until
    );
    Ok(())
}

/// Whether a key can have this description, and people can find it again.
fn check_description(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > 255 || name.chars().any(char::is_control) {
        return Err(format!(
            "\"{}\" is no description of a key: give 1 to 255 bytes on one line (--name)",
            name.escape_debug().take(80).collect::<String>()
        ));
    }
    Ok(())
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// `keys check`: an error if there is one, or a warning.
pub fn check(source: &Source<'_>) -> Result<()> {
    sys::hide_memory();
    let (identity, findings) = source.read();
    print(&findings);
    let Some(identity) = identity else {
        return Err("these files cannot be loaded".into());
    };
    let leaf = &identity.chain[0];
    println!("names:   {}", leaf.names.join(" "));
    println!("key:     {}", leaf.key);
    println!("valid:   {} to {}", leaf.from, leaf.until);
    println!("issuer:  {}", leaf.issuer);
    println!(
        "payload: {}, {} bytes",
        count(identity.chain.len(), "certificate"),
        identity.payload.len()
    );
    if findings.worst() == Some(Level::Warning) {
        return Err("these files can be loaded, but see the warnings".into());
    }
    Ok(())
}

/// Where the files of an identity are in a directory: its name and the files.
pub fn pairs(dir: &Path) -> Result<Vec<(String, Vec<PathBuf>)>> {
    let mut out = Vec::new();
    let entries = fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    for path in entries.filter_map(|e| e.ok()).map(|e| e.path()) {
        let Some(stem) = path.file_stem().map(|s| s.to_string_lossy().into_owned()) else {
            continue;
        };
        // certbot: live/NAME/fullchain.pem and privkey.pem.
        let (chain, key) = (path.join("fullchain.pem"), path.join("privkey.pem"));
        if path.is_dir() && chain.exists() && key.exists() {
            let name = path
                .file_name()
                .map_or(stem, |n| n.to_string_lossy().into());
            out.push((name, vec![chain, key]));
            continue;
        }
        // NAME.crt and NAME.key, as lego has them, for example.
        let Some(ext) = path.extension().and_then(|e| e.to_str()) else {
            continue;
        };
        let key = path.with_extension("key");
        if matches!(ext, "crt" | "cert" | "pem" | "cer") && key.exists() {
            let more = path.with_extension(format!("issuer.{ext}"));
            let files = [path, more, key];
            out.push((stem, files.into_iter().filter(|p| p.exists()).collect()));
        }
    }
    out.sort();
    out.dedup_by(|a, b| a.0 == b.0);
    Ok(out)
}

/// `keys load`: all identities of a directory, as at boot.
pub fn load(ring: &str, dir: Option<&Path>) -> Result<()> {
    let from_systemd = env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let dir = dir
        .map(Path::to_path_buf)
        .or(from_systemd)
        .ok_or("name a directory, or let systemd load credentials (LoadCredential=)")?;
    let pairs = pairs(&dir)?;
    if pairs.is_empty() {
        return Err(format!(
            "{} holds no identity: NAME.crt (or .pem) with NAME.key, or NAME/fullchain.pem with \
             NAME/privkey.pem",
            dir.display()
        ));
    }
    let mut failed = 0;
    for (name, files) in &pairs {
        let source = Source {
            files: files.clone(),
            ..Source::default()
        };
        if let Err(err) = add(ring, Some(name), &source, Existing::Replace) {
            eprintln!("tlshs: {name}: {err}");
            failed += 1;
        }
    }
    if failed > 0 {
        return Err(format!("{failed} of {} could not be loaded", pairs.len()));
    }
    Ok(())
}

/// The files of a renewed certificate, from the environment that a client of ACME makes.
pub fn renewed(var: impl Fn(&str) -> Option<String>) -> Result<(Option<String>, Vec<PathBuf>)> {
    // certbot --deploy-hook
    if let Some(dir) = var("RENEWED_LINEAGE") {
        let dir = PathBuf::from(dir);
        let name = dir.file_name().map(|n| n.to_string_lossy().into_owned());
        return Ok((
            name,
            vec![dir.join("fullchain.pem"), dir.join("privkey.pem")],
        ));
    }
    // acme.sh --reloadcmd, lego --renew-hook; the second of lego's forms is of its version 5
    for (name, chain, key) in [
        ("Le_Domain", "CERT_FULLCHAIN_PATH", "CERT_KEY_PATH"),
        ("LEGO_CERT_DOMAIN", "LEGO_CERT_PATH", "LEGO_CERT_KEY_PATH"),
        (
            "LEGO_HOOK_CERT_NAME",
            "LEGO_HOOK_CERT_PATH",
            "LEGO_HOOK_CERT_KEY_PATH",
        ),
    ] {
        if let (Some(chain), Some(key)) = (var(chain), var(key)) {
            return Ok((var(name), vec![chain.into(), key.into()]));
        }
    }
    Err(
        "neither RENEWED_LINEAGE (certbot), CERT_FULLCHAIN_PATH (acme.sh) nor LEGO_CERT_PATH \
         (lego) is set: this command is run by a client of ACME"
            .into(),
    )
}

/// `deploy-hook`.
pub fn deploy_hook(ring: &str) -> Result<()> {
    let (name, files) = renewed(|v| env::var(v).ok().filter(|v| !v.is_empty()))?;
    let source = Source {
        files,
        ..Source::default()
    };
    add(ring, name.as_deref(), &source, Existing::Replace)
}

/// `keys staple`.
pub fn staple(ring: &str, name: &str, ocsp: &Path) -> Result<()> {
    let response = identity::read_file(ocsp).map_err(|e| format!("{}: {e}", ocsp.display()))?;
    if response.len() > UPDATE_MAX {
        return Err(format!(
            "an OCSP response of {} bytes is too long to be stapled by itself: \"keys replace \
             --ocsp\" takes it with the files of the identity",
            response.len()
        ));
    }
    let _lock = Lock::take();
    let ring = Ring::get(ring)?;
    let key = ring
        .key(IDENTITY, name)?
        .ok_or_else(|| format!("there is no identity \"{name}\"; see \"tlshs keys list\""))?;
    sys::keyctl_update(key.serial, &response)
        .map_err(|e| keyring::explain(&e, &format!("the OCSP response for \"{name}\"")))?;
    println!("stapled {} bytes to \"{name}\"", response.len());
    Ok(())
}

/// `keys remove`.
pub fn remove(ring: &str, name: &str) -> Result<()> {
    let _lock = Lock::take();
    let ring = Ring::get(ring)?;
    let keys = ring.keys()?;
    let key = keys
        .iter()
        .find(|k| k.name == name && (k.kind == IDENTITY || k.kind == TICKET))
        .ok_or_else(|| format!("there is no key \"{name}\"; see \"tlshs keys list\""))?;
    ring.remove(key)?;
    println!("removed {} \"{name}\"", key.kind);
    Ok(())
}

/// `keys share`.
pub fn share(ring: &str, group: Option<&str>) -> Result<()> {
    let _lock = Lock::take();
    let ring = Ring::get(ring)?;
    match group {
        Some(group) => ring.share(users::group(group)?),
        None => ring.unshare(),
    }
}

/// A description for a new ticket key: later ones sort last.
fn ticket_name(at: u64) -> Result<String> {
    DateTime::from_unix_duration(std::time::Duration::from_secs(at))
        .map(|t| t.to_string())
        .map_err(|e| e.to_string())
}

/// `keys ticket-key new`: from a file that other hosts share, or random.
pub fn ticket_key(ring: &str, from: Option<&Path>, write: Option<&Path>) -> Result<()> {
    sys::hide_memory();
    let mut key = Zeroizing::new(vec![0; 80]);
    if let Some(path) = from {
        key = identity::read_file(path).map_err(|e| format!("{}: {e}", path.display()))?;
        if key.len() != 80 && key.len() != 48 {
            return Err(format!(
                "{} has {} bytes: a ticket key has 80 or 48 random ones (openssl rand 80)",
                path.display(),
                key.len()
            ));
        }
    } else {
        sys::random(&mut key).map_err(|e| format!("no random numbers: {e}"))?;
    }
    if let Some(path) = write {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options
            .open(path)
            .map_err(|e| format!("{}: {e}", path.display()))?;
        std::io::Write::write_all(&mut file, &key)
            .map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let _lock = Lock::take();
    let ring = Ring::get_or_make(ring)?;
    new_ticket_key(&ring, &key)
}

fn new_ticket_key(ring: &Ring, key: &[u8]) -> Result<()> {
    // Within one second it is the same description, and the key before would be gone.
    let keys = ring.keys()?;
    let mut at = now();
    let name = loop {
        let name = ticket_name(at)?;
        if !keys.iter().any(|k| k.kind == TICKET && k.name == name) {
            break name;
        }
        at += 1;
    };
    ring.put(TICKET, &name, key)?;
    println!("added ticket key \"{name}\"");
    Ok(())
}

/// `keys ticket-key rotate`: a new one, and old ones as long as their tickets count.
pub fn rotate(ring: &str, keep: usize) -> Result<()> {
    sys::hide_memory();
    let mut key = Zeroizing::new(vec![0; 80]);
    sys::random(&mut key).map_err(|e| format!("no random numbers: {e}"))?;
    let _lock = Lock::take();
    let ring = Ring::get_or_make(ring)?;
    new_ticket_key(&ring, &key)?;
    let mut old: Vec<_> = ring
        .keys()?
        .into_iter()
        .filter(|k| k.kind == TICKET)
        .collect();
    old.pop();
    // A ticket is accepted no longer than that.
    let lifetime = fs::read_to_string("/proc/sys/net/tls/ticket_lifetime")
        .ok()
        .and_then(|s| s.trim().parse::<u32>().ok())
        .filter(|s| *s > 0);
    let gone = old.len().saturating_sub(keep);
    for key in &old[..gone] {
        ring.remove(key)?;
        println!("removed ticket key \"{}\"", key.name);
    }
    // The last one is the one that was in use until now; the others have their time already.
    if let (Some(key), Some(lifetime)) = (old[gone..].last(), lifetime) {
        keyring::set_timeout(key.serial, lifetime)?;
        println!("ticket key \"{}\" ends in {lifetime} s", key.name);
    }
    Ok(())
}

fn list_identity(key: &Description) -> (Value, String) {
    let read = sys::keyctl_read(key.serial);
    let chain: Vec<Cert> = read
        .as_deref()
        .map(identity::certificates)
        .unwrap_or_default();
    let Some(leaf) = chain.first() else {
        let why = read.err().map_or_else(
            || "its certificate cannot be parsed".into(),
            |e| keyring::explain(&e, "not readable"),
        );
        return (json!({ "problem": why }), format!("    {why}\n"));
    };
    let now = now();
    let left = i64::try_from(leaf.not_after).unwrap_or(i64::MAX) - now as i64;
    let (state, left) = if now < leaf.not_before {
        ("not valid yet", format!("from {}", leaf.from))
    } else if left < 0 {
        ("EXPIRED", format!("{} days ago", -left / 86400))
    } else {
        ("valid", format!("{} days left", left / 86400))
    };
    let text = format!(
        "    names:  {}\n    key:    {}, serial {}\n    until:  {} ({state}, {left})\n    issuer: \
         {}{}\n",
        leaf.names.join(" "),
        leaf.key,
        leaf.serial,
        leaf.until,
        leaf.issuer,
        if chain.len() > 1 {
            format!(", with {}", count(chain.len() - 1, "intermediate"))
        } else {
            String::new()
        }
    );
    let value = json!({
        "names": leaf.names,
        "algorithm": leaf.key.to_string(),
        "certificate_serial": leaf.serial,
        "not_before": leaf.from,
        "not_after": leaf.until,
        "valid": state == "valid",
        "issuer": leaf.issuer,
        "certificates": chain.len(),
    });
    (value, text)
}

/// `keys list`.
pub fn list(ring_name: &str, as_json: bool) -> Result<()> {
    let ring = Ring::get(ring_name)?;
    let me = keyring::describe(ring.serial)?;
    let mut values = Vec::new();
    let mut text = format!(
        "keyring {} ({}), user {}, group {}, permissions {:08x}\n",
        me.name, me.serial, me.uid, me.gid, me.perm
    );
    let keys = ring.keys()?;
    // The first identity answers clients without a known name, the last ticket key makes tickets.
    let last_ticket = keys.iter().rfind(|k| k.kind == TICKET).map(|k| k.serial);
    let default = keys.iter().find(|k| k.kind == IDENTITY).map(|k| k.serial);
    for key in &keys {
        let (mut value, more) = match key.kind.as_str() {
            IDENTITY => list_identity(key),
            TICKET => (json!({}), String::new()),
            _ => continue,
        };
        let role = if Some(key.serial) == default {
            " (default)"
        } else if Some(key.serial) == last_ticket {
            " (for new tickets)"
        } else {
            ""
        };
        text += &format!(
            "{} \"{}\" ({}){role}\n{more}",
            key.kind, key.name, key.serial
        );
        value["type"] = json!(key.kind);
        value["description"] = json!(key.name);
        value["key"] = json!(key.serial);
        value["role"] = json!(role.trim_matches([' ', '(', ')']));
        values.push(value);
    }
    if as_json {
        let all = json!({
            "keyring": me.name, "key": me.serial, "uid": me.uid, "gid": me.gid,
            "permissions": format!("{:08x}", me.perm), "keys": values,
        });
        println!("{all:#}");
    } else {
        print!("{text}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn hook(vars: &[(&str, &str)]) -> Result<(Option<String>, Vec<PathBuf>)> {
        let vars: HashMap<_, _> = vars.iter().copied().collect();
        renewed(|v| vars.get(v).map(|v| (*v).into()))
    }

    #[test]
    fn hooks_of_acme_clients() {
        let live = "/etc/letsencrypt/live/example.org";
        let (name, files) = hook(&[("RENEWED_LINEAGE", live)]).unwrap();
        assert_eq!(name.as_deref(), Some("example.org"));
        assert_eq!(files[0], PathBuf::from(live).join("fullchain.pem"));
        assert_eq!(files[1], PathBuf::from(live).join("privkey.pem"));
        let (name, files) = hook(&[
            ("Le_Domain", "a.test"),
            ("CERT_FULLCHAIN_PATH", "/a/fullchain.cer"),
            ("CERT_KEY_PATH", "/a/a.test.key"),
        ])
        .unwrap();
        assert_eq!(name.as_deref(), Some("a.test"));
        assert_eq!(
            files,
            [PathBuf::from("/a/fullchain.cer"), "/a/a.test.key".into()]
        );
        let lego = hook(&[
            ("LEGO_CERT_PATH", "/l/c.crt"),
            ("LEGO_CERT_KEY_PATH", "/l/c.key"),
        ]);
        assert_eq!(
            lego.unwrap(),
            (None, vec!["/l/c.crt".into(), "/l/c.key".into()])
        );
        assert!(hook(&[]).is_err());
    }

    #[test]
    fn descriptions() {
        assert!(check_description("00-default").is_ok());
        for name in ["", "a\nb", &"x".repeat(256)] {
            assert!(check_description(name).is_err());
        }
    }

    /// As strings they sort by time.
    #[test]
    fn ticket_names_sort() {
        let names: Vec<_> = [0, 9, 10, 1_000_000_000, 1_700_000_000]
            .map(|t| ticket_name(t).unwrap())
            .into();
        assert_eq!(names[3], "2001-09-09T01:46:40Z");
        assert!(names.is_sorted());
    }
}
