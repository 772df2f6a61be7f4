// SPDX-License-Identifier: GPL-2.0

//! System calls that the standard library lacks, each behind a safe function.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// keyctl(2) operations, include/uapi/linux/keyctl.h.
pub mod keyctl {
    pub const JOIN_SESSION_KEYRING: libc::c_int = 1;
    pub const UPDATE: libc::c_int = 2;
    pub const CHOWN: libc::c_int = 4;
    pub const SETPERM: libc::c_int = 5;
    pub const DESCRIBE: libc::c_int = 6;
    pub const LINK: libc::c_int = 8;
    pub const UNLINK: libc::c_int = 9;
    pub const SEARCH: libc::c_int = 10;
    pub const READ: libc::c_int = 11;
    pub const SET_TIMEOUT: libc::c_int = 15;
}

/// Serial number of a key, or one of the special ones.
pub type Serial = i32;

/// The keyring of this process, which ends with it.
pub const PROCESS_KEYRING: Serial = -2;
/// The keyring of the user, whatever the login session.
pub const USER_KEYRING: Serial = -4;

fn result(rc: libc::c_long) -> io::Result<libc::c_long> {
    if rc < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(rc)
    }
}

fn serial(rc: libc::c_long) -> io::Result<Serial> {
    Ok(Serial::try_from(result(rc)?).expect("serial numbers are 32 bits"))
}

fn c_string(text: &str) -> io::Result<CString> {
    CString::new(text).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// add_key(2).
pub fn add_key(kind: &str, desc: &str, payload: &[u8], ring: Serial) -> io::Result<Serial> {
    let (kind, desc) = (c_string(kind)?, c_string(desc)?);
    let data = if payload.is_empty() {
        std::ptr::null()
    } else {
        payload.as_ptr()
    };
    // SAFETY: the strings are terminated, and `data` is null or has that many bytes.
    serial(unsafe {
        libc::syscall(
            libc::SYS_add_key,
            kind.as_ptr(),
            desc.as_ptr(),
            data,
            payload.len(),
            ring,
        )
    })
}

/// An operation of keyctl(2) whose arguments are numbers.
pub fn keyctl_numbers(op: libc::c_int, args: [i64; 3]) -> io::Result<i64> {
    debug_assert!(matches!(
        op,
        keyctl::CHOWN | keyctl::SETPERM | keyctl::LINK | keyctl::UNLINK | keyctl::SET_TIMEOUT
    ));
    // SAFETY: none of these operations takes an argument for a pointer.
    result(unsafe { libc::syscall(libc::SYS_keyctl, op, args[0], args[1], args[2], 0) })
}

/// Leaves the session keyring for a new, empty one.
pub fn join_new_session() -> io::Result<Serial> {
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: a null pointer asks for a keyring without a name.
    serial(unsafe { libc::syscall(libc::SYS_keyctl, keyctl::JOIN_SESSION_KEYRING, none) })
}

/// Looks for a key below a keyring.
pub fn keyctl_search(ring: Serial, kind: &str, desc: &str) -> io::Result<Serial> {
    let (kind, desc) = (c_string(kind)?, c_string(desc)?);
    // SAFETY: the strings are terminated.
    serial(unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            keyctl::SEARCH,
            ring,
            kind.as_ptr(),
            desc.as_ptr(),
            0,
        )
    })
}

/// Updates a key's payload: one page at most.
pub fn keyctl_update(key: Serial, payload: &[u8]) -> io::Result<()> {
    // SAFETY: `payload` has that many bytes.
    result(unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            keyctl::UPDATE,
            key,
            payload.as_ptr(),
            payload.len(),
        )
    })
    .map(drop)
}

/// What an operation of keyctl(2) writes to a buffer, which it is asked for twice or more.
fn keyctl_bytes(op: libc::c_int, key: Serial) -> io::Result<Vec<u8>> {
    let mut buf = vec![0u8; 4096];
    loop {
        // SAFETY: `buf` has room for as much as is said.
        let rc = unsafe { libc::syscall(libc::SYS_keyctl, op, key, buf.as_mut_ptr(), buf.len()) };
        let len = usize::try_from(result(rc)?).expect("not negative");
        if len <= buf.len() {
            buf.truncate(len);
            return Ok(buf);
        }
        buf.resize(len, 0);
    }
}

/// The payload of a key, as far as it may be read.
pub fn keyctl_read(key: Serial) -> io::Result<Vec<u8>> {
    keyctl_bytes(keyctl::READ, key)
}

/// `type;uid;gid;perm;description` of a key.
pub fn keyctl_describe(key: Serial) -> io::Result<String> {
    let bytes = keyctl_bytes(keyctl::DESCRIBE, key)?;
    let text = CStr::from_bytes_until_nul(&bytes)
        .map_or_else(|_| String::from_utf8_lossy(&bytes), CStr::to_string_lossy);
    Ok(text.into_owned())
}

/// setsockopt(2) with bytes.
pub fn setsockopt(fd: BorrowedFd<'_>, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let len = libc::socklen_t::try_from(value.len()).expect("a few bytes");
    // SAFETY: `value` has `len` bytes.
    result(libc::c_long::from(unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, name, value.as_ptr().cast(), len)
    }))
    .map(drop)
}

/// getsockopt(2) of an int.
pub fn getsockopt_int(fd: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<i32> {
    let mut value: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `value` has room for `len` bytes.
    result(libc::c_long::from(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw mut value).cast(),
            &raw mut len,
        )
    }))?;
    Ok(value)
}

/// A new socket, closed on exec.
pub fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    result(libc::c_long::from(fd))?;
    // SAFETY: it is new, so nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// bind(2) to an address of the Internet.
pub fn bind(fd: BorrowedFd<'_>, addr: &std::net::SocketAddr) -> io::Result<()> {
    let port = addr.port().to_be();
    let rc = match addr {
        std::net::SocketAddr::V4(v4) => {
            let sa = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: port,
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(v4.ip().octets()),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: `sa` is an address of the size that is said.
            unsafe {
                libc::bind(
                    fd.as_raw_fd(),
                    (&raw const sa).cast(),
                    size_of_val(&sa) as libc::socklen_t,
                )
            }
        }
        std::net::SocketAddr::V6(v6) => {
            let sa = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: port,
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: v6.ip().octets(),
                },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: `sa` is an address of the size that is said.
            unsafe {
                libc::bind(
                    fd.as_raw_fd(),
                    (&raw const sa).cast(),
                    size_of_val(&sa) as libc::socklen_t,
                )
            }
        }
    };
    result(libc::c_long::from(rc)).map(drop)
}

/// listen(2).
pub fn listen(fd: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    // SAFETY: takes numbers only.
    result(libc::c_long::from(unsafe {
        libc::listen(fd.as_raw_fd(), backlog)
    }))
    .map(drop)
}

/// Takes a descriptor that was inherited.
pub fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    result(libc::c_long::from(unsafe {
        libc::fcntl(fd, libc::F_GETFD)
    }))?;
    // SAFETY: it is open, and who started this program has left it to it: nothing here has opened
    // it, and each is taken once.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Duplicates a descriptor to a number of at least `from`.
pub fn dup_above(fd: BorrowedFd<'_>, from: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let new = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, from) };
    result(libc::c_long::from(new))?;
    // SAFETY: it is new, so nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// Gives a descriptor the number that a program is to find it under, for good.
pub fn give_as(fd: OwnedFd, number: RawFd) -> io::Result<()> {
    // SAFETY: takes numbers only.  Whatever had that number is closed: the caller sees to it that
    // it is nothing of Rust's.
    result(libc::c_long::from(unsafe {
        libc::dup2(fd.as_raw_fd(), number)
    }))
    .map(drop)
}

/// Lets accept() fail with EAGAIN instead of waiting.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes numbers only.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    result(libc::c_long::from(flags))?;
    // SAFETY: takes numbers only.
    result(libc::c_long::from(unsafe {
        libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK)
    }))
    .map(drop)
}

/// Becomes another user for good: no supplementary groups, group, user.
pub fn become_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    // SAFETY: `groups` has that many entries.
    result(libc::c_long::from(unsafe {
        libc::setgroups(groups.len(), groups.as_ptr())
    }))?;
    // SAFETY: takes numbers only.
    result(libc::c_long::from(unsafe {
        libc::setresgid(gid, gid, gid)
    }))?;
    // SAFETY: takes numbers only.
    result(libc::c_long::from(unsafe {
        libc::setresuid(uid, uid, uid)
    }))
    .map(drop)
}

/// Random bytes for a key.
pub fn random(buf: &mut [u8]) -> io::Result<()> {
    let mut got = 0;
    while got < buf.len() {
        let rest = &mut buf[got..];
        // SAFETY: `rest` has room for as much as is said.
        let rc = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match result(rc as libc::c_long) {
            Ok(n) => got += usize::try_from(n).expect("not negative"),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// Keeps what is secret out of core dumps, ptrace and /proc.
pub fn hide_memory() {
    // SAFETY: takes numbers only.  Without success the process is as visible as any other.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
}

/// The effective user.
pub fn euid() -> u32 {
    // SAFETY: has no arguments.
    unsafe { libc::geteuid() }
}

/// send(2).
pub fn send(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<()> {
    // SAFETY: `data` has that many bytes.
    let rc = unsafe { libc::send(fd.as_raw_fd(), data.as_ptr().cast(), data.len(), 0) };
    result(rc as libc::c_long).map(drop)
}

/// recv(2).
pub fn recv(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: `buf` has room for as much as is said.
    let rc = unsafe { libc::recv(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), 0) };
    Ok(usize::try_from(result(rc as libc::c_long)?).expect("not negative"))
}

/// Waits for the lock of a file, which ends with the descriptor.
pub fn lock(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes numbers only.
    result(libc::c_long::from(unsafe {
        libc::flock(fd.as_raw_fd(), libc::LOCK_EX)
    }))
    .map(drop)
}
