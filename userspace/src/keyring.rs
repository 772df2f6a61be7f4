// SPDX-License-Identifier: GPL-2.0

//! The keyrings that services share.
//!
//! Each is a keyring `tlshs:NAME` below the user keyring of who loads the keys, root's as a rule.
//! That one is there from boot to shutdown and is the same in all sessions, whereas the session
//! keyring ends with the login, and systemd gives each service one of its own.
//!
//! To possess what is below, each process links the user keyring into its process keyring, which
//! ends with exec: a program that is started later possesses nothing.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use crate::sys::{self, keyctl, Serial, PROCESS_KEYRING, USER_KEYRING};

/// What the possessor may do, then the user, the group and others: include/linux/key.h.
const VIEW: u32 = 0x01;
const READ: u32 = 0x02;
const SEARCH: u32 = 0x08;
const LINK: u32 = 0x10;
const ALL: u32 = 0x3f;

/// The user's other processes may list a keyring and use it, and change it only by this program.
const RING_PERM: u32 = ALL << 24 | (VIEW | READ | SEARCH | LINK) << 16;
/// Reading a key gives its certificates.
const KEY_PERM: u32 = ALL << 24 | (VIEW | READ | SEARCH) << 16;
/// A group that shares them can find the keyring, and use what is in it, which no permission
/// lets anybody read.
const GROUP_RING_PERM: u32 = (VIEW | SEARCH) << 8;
const GROUP_KEY_PERM: u32 = SEARCH << 8;

/// An error with a sentence that says what to do.
pub type Result<T> = std::result::Result<T, String>;

/// A keyring for handshakes.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    pub serial: Serial,
}

/// What the kernel tells of a key.
#[derive(Debug)]
pub struct Description {
    pub serial: Serial,
    pub kind: String,
    pub uid: u32,
    pub gid: u32,
    pub perm: u32,
    pub name: String,
}

/// Held while keys are changed, so that two of us do not make the same keyring.
pub struct Lock(#[allow(dead_code)] Option<File>);

impl Lock {
    /// Waits for others.  Where there is no place for a lock, there is none.
    pub fn take() -> Self {
        let dir = if sys::euid() == 0 {
            Some(PathBuf::from("/run"))
        } else {
            std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)
        };
        let file = dir.and_then(|d| File::create(d.join("tlshs.lock")).ok());
        if let Some(file) = &file {
            // Its failure is as good as no lock.
            let _ = sys::lock(file.as_fd());
        }
        Self(file)
    }
}

/// Loads the module that has the key types, if it is one.
fn load_module() {
    let load = || {
        let sock = sys::socket(libc::AF_INET, libc::SOCK_STREAM, 0)?;
        let fd = sock.as_fd();
        sys::bind(fd, &([127, 0, 0, 1], 0).into())?;
        sys::setsockopt(fd, libc::IPPROTO_TCP, crate::uapi::TCP_ULP, b"tls")
    };
    // What does not work here is said by what comes next.
    let _: io::Result<()> = load();
}

/// Whether a name is one of a keyring.
pub fn check_name(name: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
        return Err(format!(
            "\"{name}\" is no name for a keyring: give up to 64 letters, digits, and -_.@"
        ));
    }
    Ok(())
}

impl Ring {
    /// Finds a keyring by its name, or by its serial number.
    pub fn find(name: &str) -> Result<Option<Self>> {
        if let Ok(serial) = name.parse() {
            return Ok(Some(Self { serial }));
        }
        check_name(name)?;
        let desc = format!("tlshs:{name}");
        sys::keyctl_numbers(
            keyctl::LINK,
            [USER_KEYRING.into(), PROCESS_KEYRING.into(), 0],
        )
        .map_err(|e| explain(&e, "the user keyring"))?;
        match sys::keyctl_search(USER_KEYRING, "keyring", &desc) {
            Ok(serial) => Ok(Some(Self { serial })),
            Err(e) if matches!(e.raw_os_error(), Some(libc::ENOKEY | libc::EACCES)) => {
                Ok(Self::of_root(&desc))
            }
            Err(e) => Err(explain(&e, &desc)),
        }
    }

    /// Root's keyring, if this process may see it: others' might be there to deceive.
    fn of_root(desc: &str) -> Option<Self> {
        let keys = fs::read_to_string("/proc/keys").ok()?;
        find_in_proc_keys(&keys, desc).map(|serial| Self { serial })
    }

    /// Finds a keyring, or says that there is none.
    pub fn get(name: &str) -> Result<Self> {
        Self::find(name)?.ok_or_else(|| {
            format!(
                "there is no keyring \"{name}\" for this user; \"tlshs keys add --keyring {name} \
                 CERTIFICATES KEY\" makes it (as root, as a rule)"
            )
        })
    }

    /// Finds a keyring, or makes one.
    pub fn get_or_make(name: &str) -> Result<Self> {
        if let Some(ring) = Self::find(name)? {
            return Ok(ring);
        }
        let desc = format!("tlshs:{name}");
        let serial =
            sys::add_key("keyring", &desc, &[], USER_KEYRING).map_err(|e| explain(&e, &desc))?;
        set_perm(serial, RING_PERM)?;
        Ok(Self { serial })
    }

    /// The keys in it, by description.
    pub fn keys(&self) -> Result<Vec<Description>> {
        let bytes = sys::keyctl_read(self.serial).map_err(|e| explain(&e, "the keyring"))?;
        let mut out: Vec<_> = bytes
            .chunks_exact(4)
            .map(|c| Serial::from_ne_bytes(c.try_into().expect("4 bytes")))
            // Keys may go at any time, and some cannot be seen.
            .filter_map(|serial| describe(serial).ok())
            .collect();
        out.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }

    /// The key with a description.
    pub fn key(&self, kind: &str, name: &str) -> Result<Option<Description>> {
        Ok(self
            .keys()?
            .into_iter()
            .find(|k| k.kind == kind && k.name == name))
    }

    /// Adds a key, or updates the one with this description: true if there was one.
    ///
    /// A new key has its permissions before it is in the keyring.
    pub fn put(&self, kind: &str, name: &str, payload: &[u8]) -> Result<bool> {
        let fail = |e: io::Error| explain(&e, &format!("{kind} \"{name}\""));
        let add = |ring| match sys::add_key(kind, name, payload, ring) {
            Err(e) if e.raw_os_error() == Some(libc::ENODEV) => {
                load_module();
                sys::add_key(kind, name, payload, ring)
            }
            other => other,
        };
        if self.key(kind, name)?.is_some() {
            add(self.serial).map_err(fail)?;
            return Ok(true);
        }
        let key = add(PROCESS_KEYRING).map_err(fail)?;
        let ring = describe(self.serial)?;
        let group = if ring.perm & SEARCH << 8 != 0 {
            chown(key, ring.gid)?;
            GROUP_KEY_PERM
        } else {
            0
        };
        set_perm(key, KEY_PERM | group)?;
        sys::keyctl_numbers(keyctl::LINK, [key.into(), self.serial.into(), 0]).map_err(fail)?;
        // It is in the keyring, so what is left in this one does no harm.
        let _ = sys::keyctl_numbers(keyctl::UNLINK, [key.into(), PROCESS_KEYRING.into(), 0]);
        Ok(false)
    }

    /// Takes a key out.
    pub fn remove(&self, key: &Description) -> Result<()> {
        sys::keyctl_numbers(keyctl::UNLINK, [key.serial.into(), self.serial.into(), 0])
            .map(drop)
            .map_err(|e| explain(&e, &format!("{} \"{}\"", key.kind, key.name)))
    }

    /// Lets a group use the keyring and what is in it, and nothing else.
    pub fn share(&self, gid: u32) -> Result<()> {
        for key in self.keys()? {
            chown(key.serial, gid)?;
            set_perm(key.serial, KEY_PERM | GROUP_KEY_PERM)?;
        }
        chown(self.serial, gid)?;
        set_perm(self.serial, RING_PERM | GROUP_RING_PERM)
    }

    /// Takes back what [`Ring::share`] has given.
    pub fn unshare(&self) -> Result<()> {
        for key in self.keys()? {
            set_perm(key.serial, KEY_PERM)?;
        }
        set_perm(self.serial, RING_PERM)
    }
}

/// The serial number of root's keyring in the text of /proc/keys.
fn find_in_proc_keys(text: &str, desc: &str) -> Option<Serial> {
    text.lines().find_map(|line| {
        let f: Vec<_> = line.split_whitespace().collect();
        let fine = f.len() >= 9
            && f[5] == "0"
            && f[7] == "keyring"
            && f[8].strip_suffix(':') == Some(desc)
            // Neither revoked, dead nor negative.
            && f[1].starts_with("I--");
        fine.then(|| Serial::from_str_radix(f[0], 16).ok())
            .flatten()
    })
}

/// What the kernel tells of a key.
pub fn describe(serial: Serial) -> Result<Description> {
    let text = sys::keyctl_describe(serial).map_err(|e| explain(&e, &format!("key {serial}")))?;
    parse_description(serial, &text).ok_or_else(|| format!("\"{text}\" describes no key"))
}

fn parse_description(serial: Serial, text: &str) -> Option<Description> {
    let f: Vec<_> = text.splitn(5, ';').collect();
    let [kind, uid, gid, perm, name] = f[..] else {
        return None;
    };
    Some(Description {
        serial,
        kind: kind.into(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        perm: u32::from_str_radix(perm, 16).ok()?,
        name: name.into(),
    })
}

fn set_perm(key: Serial, perm: u32) -> Result<()> {
    sys::keyctl_numbers(keyctl::SETPERM, [key.into(), perm.into(), 0])
        .map(drop)
        .map_err(|e| explain(&e, &format!("the permissions of key {key}")))
}

fn chown(key: Serial, gid: u32) -> Result<()> {
    sys::keyctl_numbers(keyctl::CHOWN, [key.into(), -1, gid.into()])
        .map(drop)
        .map_err(|e| explain(&e, &format!("the group of key {key}")))
}

/// Lets a key end.
pub fn set_timeout(key: Serial, seconds: u32) -> Result<()> {
    sys::keyctl_numbers(keyctl::SET_TIMEOUT, [key.into(), seconds.into(), 0])
        .map(drop)
        .map_err(|e| explain(&e, &format!("the timeout of key {key}")))
}

/// What an error number of the key service means here, and what helps.
pub fn explain(err: &io::Error, what: &str) -> String {
    let why = match err.raw_os_error() {
        Some(libc::EDQUOT) => {
            "the user's quota of keys is used up (/proc/key-users shows it): raise the sysctls \
             kernel.keys.maxbytes and kernel.keys.maxkeys, for root root_maxbytes and \
             root_maxkeys"
        }
        Some(libc::EACCES) => {
            "permission denied: it belongs to another user or session; load keys as the user who \
             owns the keyring, root as a rule, or \"tlshs keys share\" it"
        }
        Some(libc::EPERM) => {
            "not permitted: a security module or the seccomp filter of a container forbids it"
        }
        Some(libc::ENOSYS) => {
            "not there: a kernel without CONFIG_KEYS, or the seccomp filter of a container \
             (podman and docker: --security-opt seccomp=PROFILE with add_key and keyctl)"
        }
        Some(libc::ENODEV) => {
            "the kernel does not know this type of key: CONFIG_TLS_HANDSHAKE is not set, or the \
             module tls is not loaded (modprobe tls, or /etc/modules-load.d/tls.conf)"
        }
        Some(libc::EBADMSG) => {
            "malformed: not the DER that it should be, or something behind the private key that \
             cannot be stapled"
        }
        Some(libc::EKEYREJECTED) => {
            "rejected: the private key is not that of the certificate, its parts do not fit \
             together, or keyUsage forbids signatures"
        }
        Some(libc::ENOPKG) => "the kernel cannot sign with this algorithm, curve or length",
        Some(libc::EMSGSIZE) => "more than 32 KiB or 16 certificates",
        Some(libc::EKEYREVOKED) => "the key has been revoked",
        Some(libc::EKEYEXPIRED) => "the key has expired",
        Some(libc::ENOKEY) => "there is no such key",
        Some(libc::ENOTDIR) => "that key is no keyring",
        Some(libc::ENFILE) => "the keyring is full",
        _ => return format!("{what}: {err}"),
    };
    format!("{what}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_keys() {
        let text = "\
009e2aee I--Q---     1 perm 3f1b0900  1000  1000 keyring   tlshs:web: 2
1e2aee00 I-----R     1 perm 3f1b0900     0    33 keyring   tlshs:web: 2
19e2aee1 IR-Q---     1 perm 3f1b0900     0    33 keyring   tlshs:web: 2
29e2aee2 I--Q---     1 perm 3f1b0900     0    33 keyring   tlshs:web2: 2
39e2aee3 I--Q---     1 perm 3f1b0900     0    33 user      tlshs:web: 2
49e2aee4 I--Q---     2 perm 3f1b0900     0    33 keyring   tlshs:web: 2
";
        assert_eq!(find_in_proc_keys(text, "tlshs:web"), Some(0x1e2a_ee00));
        assert_eq!(find_in_proc_keys(&text[..75], "tlshs:web"), None);
        let rest = &text[text.find("29e2").unwrap()..];
        assert_eq!(find_in_proc_keys(rest, "tlshs:web"), Some(0x49e2_aee4));
    }

    #[test]
    fn descriptions() {
        let d = parse_description(7, "tls_identity;0;33;3f0b0800;a;b").unwrap();
        assert_eq!((d.kind.as_str(), d.uid, d.gid), ("tls_identity", 0, 33));
        assert_eq!((d.perm, d.name.as_str()), (0x3f0b_0800, "a;b"));
        assert!(parse_description(7, "user;0;0;3f").is_none());
    }

    /// Nobody but the owner may do anything, and a group nothing but search and find.
    #[test]
    fn permissions() {
        assert_eq!(RING_PERM, 0x3f1b_0000);
        assert_eq!(KEY_PERM, 0x3f0b_0000);
        assert_eq!(RING_PERM | GROUP_RING_PERM, 0x3f1b_0900);
        assert_eq!(KEY_PERM | GROUP_KEY_PERM, 0x3f0b_0800);
    }

    #[test]
    fn names() {
        assert!(check_name("web-1.example@x").is_ok());
        for bad in ["", "a b", "a/b", "a:b", &"x".repeat(65)] {
            assert!(check_name(bad).is_err());
        }
    }
}
