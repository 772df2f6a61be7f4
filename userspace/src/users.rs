// SPDX-License-Identifier: GPL-2.0

//! Users and groups of /etc/passwd and /etc/group.  A static program cannot load the modules that
//! other sources need: give numbers for those.

use std::fs;

/// Who a program is to run as.
#[derive(Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

/// Looks a user up by name or number.
pub fn user(name: &str) -> Result<User, String> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    find_user(name, &read("/etc/passwd"), &read("/etc/group"))
}

/// Looks a group up by name or number.
pub fn group(name: &str) -> Result<u32, String> {
    if let Ok(gid) = name.parse() {
        return Ok(gid);
    }
    let text = fs::read_to_string("/etc/group").unwrap_or_default();
    text.lines()
        .map(|l| l.split(':').collect::<Vec<_>>())
        .find(|f| f.len() >= 3 && f[0] == name)
        .and_then(|f| f[2].parse().ok())
        .ok_or_else(|| format!("there is no group \"{name}\" in /etc/group"))
}

fn find_user(name: &str, passwd: &str, group: &str) -> Result<User, String> {
    let number: Option<u32> = name.parse().ok();
    let entry = passwd
        .lines()
        .map(|l| l.split(':').collect::<Vec<_>>())
        .find(|f| f.len() >= 4 && (f[0] == name || number.is_some_and(|n| f[2].parse() == Ok(n))));
    let Some(f) = entry else {
        return number
            .map(|uid| User {
                uid,
                gid: uid,
                groups: vec![uid],
            })
            .ok_or_else(|| format!("there is no user \"{name}\" in /etc/passwd"));
    };
    let bad = || format!("the entry of \"{name}\" in /etc/passwd cannot be read");
    let uid = f[2].parse().map_err(|_| bad())?;
    let gid = f[3].parse().map_err(|_| bad())?;
    let mut groups = vec![gid];
    for g in group.lines().map(|l| l.split(':').collect::<Vec<_>>()) {
        if g.len() >= 4 && g[3].split(',').any(|m| m == f[0]) {
            groups.extend(g[2].parse::<u32>().ok().filter(|g| *g != gid));
        }
    }
    Ok(User { uid, gid, groups })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/:/bin/false\n";
    const GROUP: &str = "root:x:0:\nssl:x:99:web,other\nweb:x:34:web\n";

    #[test]
    fn users() {
        let web = User {
            uid: 33,
            gid: 34,
            groups: vec![34, 99],
        };
        assert_eq!(find_user("web", PASSWD, GROUP).as_ref(), Ok(&web));
        assert_eq!(find_user("33", PASSWD, GROUP), Ok(web));
        assert_eq!(find_user("7", PASSWD, GROUP).unwrap().gid, 7);
        assert!(find_user("nobody", PASSWD, GROUP).is_err());
    }
}
