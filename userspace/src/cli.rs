// SPDX-License-Identifier: GPL-2.0

//! The command line, from which help, man pages and completions are made.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::builder::EnumValueParser;
use clap::{value_parser, Arg, ArgAction, ArgMatches, Command};
use clap_complete::Shell;

use crate::keyring::Result;
use crate::keys::{self, Existing, Source};
use crate::run::{self, Options, Way};
use crate::{status, uapi};

const ABOUT: &str = "Keys and listeners for TLS handshakes in the kernel";

const LONG_ABOUT: &str = "\
Keys and listeners for TLS handshakes in the kernel.

A listening TCP socket with TLS_HS has the TLS 1.3 handshakes of its connections done by the \
kernel. The server reads and writes plain text and never sees its private key. tlshs loads keys \
(\"tlshs keys\"), starts any server that can inherit a socket (\"tlshs run\"), and tells what \
happens (\"tlshs status\", \"tlshs log\").";

const EXAMPLES: &str = "\
Examples, as root:

  tlshs keys check fullchain.pem privkey.pem     what is wrong with them?
  tlshs keys add fullchain.pem privkey.pem       the kernel has the key now
  tlshs keys list
  tlshs run --listen 443 --user www-data -- node server.js
  tlshs run --listen 443 --nginx -- nginx -c /etc/nginx/plain.conf
  tlshs status
  certbot renew --deploy-hook 'tlshs deploy-hook'

Documentation/networking/tls-handshake-guide.rst of the kernel leads on from here.";

const RUN_HELP: &str = "\
The program finds its sockets at descriptor 3 and those that follow, and $LISTEN_FDS and \
$LISTEN_PID tell it so, as systemd does it. Most programs can take them:

  Node         server.listen({fd: 3})
  gunicorn     gunicorn app:app
  uvicorn      uvicorn --fd 3 app:app
  haproxy      bind fd@3
  nginx        tlshs run --nginx, and \"listen 443;\" in its configuration
  lighttpd     server.systemd-socket-activation = \"enable\"
  Java         tlshs run --fd 0, and System.inheritedChannel()
  Go           net.FileListener(os.NewFile(3, \"tls\"))
  Rust         TcpListener::from_raw_fd(3)

Without --listen, tlshs takes the sockets of systemd (.socket units with Accept=no). Connections \
of clients that the kernel cannot serve are refused, never handed over in plain text: \
\"tlshs status\" says why.

--user lets the program run as another user, who cannot use the keys and needs no permission: \
the kernel uses them as tlshs did. Without it, a program that runs as root can still use them.";

fn keyring() -> Arg {
    Arg::new("keyring")
        .long("keyring")
        .short('k')
        .value_name("NAME")
        .default_value("default")
        .help("The keyring, by name or serial number")
}

fn name(what: &'static str) -> Arg {
    Arg::new("name").value_name("NAME").help(what)
}

fn files() -> Arg {
    Arg::new("files")
        .value_name("FILE")
        .required(true)
        .num_args(1..)
        .value_parser(value_parser!(PathBuf))
        .help("Files with the certificates and the private key, in any order, PEM or DER")
}

fn path(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help(help)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn add_command(name_: &'static str, about: &'static str) -> Command {
    Command::new(name_)
        .about(about)
        .arg(keyring())
        .arg(
            name("The key's description; the first in order is for clients without a known name")
                .long("name"),
        )
        .arg(path("ocsp", "An OCSP response to be stapled, DER"))
        .arg(path(
            "sct",
            "A SignedCertificateTimestampList (RFC 6962) to be sent",
        ))
        .arg(files())
}

fn keys_command() -> Command {
    Command::new("keys")
        .about("What is in the keyrings")
        .long_about(
            "What is in the keyrings.\n\nA keyring belongs to the user who loads the first key, \
             root as a rule, and is there until shutdown, whoever logs out. It is \"tlshs:NAME\" \
             below the user keyring (@u). Nobody can read a private key.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(add_command(
            "add",
            "Add an identity: certificates and private key",
        ))
        .subcommand(add_command(
            "replace",
            "Replace an identity in place: connections go on, new ones get the new certificate",
        ))
        .subcommand(
            Command::new("check")
                .about("Tell what is wrong with files, without loading them")
                .arg(path("ocsp", "An OCSP response, DER"))
                .arg(path("sct", "A SignedCertificateTimestampList"))
                .arg(files()),
        )
        .subcommand(
            Command::new("load")
                .about("Load all identities of a directory, at boot for example")
                .long_about(
                    "Load all identities of a directory, at boot for example: NAME.crt (or .pem, \
                     .cert, .cer) with NAME.key, or NAME/fullchain.pem with NAME/privkey.pem. \
                     Without a directory, what systemd has loaded (LoadCredential=). What is there \
                     already is replaced.",
                )
                .arg(keyring())
                .arg(
                    Arg::new("dir")
                        .value_name("DIRECTORY")
                        .value_parser(value_parser!(PathBuf))
                        .help("/etc/letsencrypt/live, for example"),
                ),
        )
        .subcommand(
            Command::new("list")
                .about("List names, expiry, issuers and ticket keys")
                .arg(keyring())
                .arg(flag("json", "Print JSON")),
        )
        .subcommand(
            Command::new("staple")
                .about("Staple a newer OCSP response to an identity")
                .arg(keyring())
                .arg(name("The identity's description").required(true))
                .arg(
                    Arg::new("ocsp")
                        .value_name("FILE")
                        .required(true)
                        .value_parser(value_parser!(PathBuf))
                        .help("The response, DER (openssl ocsp -respout)"),
                ),
        )
        .subcommand(
            Command::new("remove")
                .about("Remove an identity or a ticket key")
                .arg(keyring())
                .arg(name("Its description").required(true)),
        )
        .subcommand(
            Command::new("share")
                .about("Let a group use the keyring, for servers that set TLS_HS themselves")
                .long_about(
                    "Let a group use the keyring and the keys in it, and nothing else: not read, \
                     list or change them. It is for servers that set TLS_HS themselves and do not \
                     run as the keyring's user; \"tlshs run --user\" needs none of it.",
                )
                .arg(keyring())
                .arg(
                    Arg::new("group")
                        .value_name("GROUP")
                        .required_unless_present("nobody")
                        .help("Name or number of the group"),
                )
                .arg(flag("nobody", "Take it back").conflicts_with("group")),
        )
        .subcommand(
            Command::new("id")
                .about("Print the keyring's serial number, for struct tls_hs_settings")
                .arg(keyring()),
        )
        .subcommand(
            Command::new("ticket-key")
                .about("Keys of session tickets")
                .long_about(
                    "Keys of session tickets. Without any, the kernel has one of its own for each \
                     network namespace. Hosts that share one resume each other's connections.",
                )
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommand(
                    Command::new("new")
                        .about("Add a key for new tickets; tickets of older keys still count")
                        .arg(keyring())
                        .arg(path(
                            "from",
                            "A file of 80 or 48 random bytes, for several hosts",
                        ))
                        .arg(path("write", "Write the key to a new file, to be copied")),
                )
                .subcommand(
                    Command::new("rotate")
                        .about("Add a random key and end the old ones")
                        .long_about(
                            "Add a random key, for new tickets, and let the one that it replaces \
                             end when its last tickets do (net.tls.ticket_lifetime).",
                        )
                        .arg(keyring())
                        .arg(
                            Arg::new("keep")
                                .long("keep")
                                .value_name("N")
                                .default_value("2")
                                .value_parser(value_parser!(u8))
                                .help("How many old keys to keep at most"),
                        ),
                ),
        )
}

fn run_command() -> Command {
    Command::new("run")
        .about("Run a server that knows nothing of TLS, and give it clients that speak TLS 1.3")
        .after_long_help(RUN_HELP)
        .arg(keyring())
        .arg(
            Arg::new("listen")
                .long("listen")
                .short('l')
                .value_name("[ADDRESS:]PORT")
                .action(ArgAction::Append)
                .help("Where to listen; may be repeated; default: the sockets of systemd"),
        )
        .arg(flag(
            "listen-fds",
            "Sockets from descriptor 3 on, and $LISTEN_FDS (the default)",
        ))
        .arg(
            Arg::new("fd")
                .long("fd")
                .value_name("N")
                .value_parser(value_parser!(i32).range(0..1000))
                .conflicts_with_all(["listen-fds", "nginx"])
                .help("Sockets from descriptor N on, and no variables"),
        )
        .arg(flag("nginx", "Sockets from descriptor 3 on, and $NGINX").conflicts_with("listen-fds"))
        .arg(
            Arg::new("alpn")
                .long("alpn")
                .value_name("NAMES")
                .value_delimiter(',')
                .help("Application protocols, the preferred one first: h2,http/1.1"),
        )
        .arg(
            Arg::new("user")
                .long("user")
                .short('u')
                .value_name("USER")
                .help("Run the program as this user, who cannot use the keys"),
        )
        .arg(
            Arg::new("group")
                .long("group")
                .value_name("GROUP")
                .requires("user")
                .help("The group, instead of the user's"),
        )
        .arg(
            Arg::new("backlog")
                .long("backlog")
                .value_name("N")
                .default_value("4096")
                .value_parser(value_parser!(i32).range(1..))
                .help("How many connections may wait to be accepted"),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("SECONDS")
                .default_value("0")
                .value_parser(value_parser!(u32).range(0..=300))
                .help("How long a handshake may take; 0: net.tls.handshake_timeout_ms"),
        )
        .arg(flag(
            "sni-strict",
            "Refuse clients that ask for a name without identity",
        ))
        .arg(flag("no-tickets", "No resumption: full handshakes only"))
        .arg(flag(
            "thread",
            "All of the handshakes' work in process context",
        ))
        .arg(flag(
            "reuseport",
            "Let other processes listen at the same port (SO_REUSEPORT)",
        ))
        .arg(
            Arg::new("program")
                .value_name("PROGRAM")
                .required(true)
                .num_args(1..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .value_parser(value_parser!(OsString))
                .help("The program and its arguments"),
        )
}

/// All of it.
pub fn command() -> Command {
    Command::new("tlshs")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .long_about(LONG_ABOUT)
        .after_help(EXAMPLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(keys_command())
        .subcommand(run_command())
        .subcommand(
            Command::new("status")
                .about("Counters, listeners and connections of this network namespace")
                .arg(flag("json", "Print JSON")),
        )
        .subcommand(
            Command::new("log")
                .about("Show each handshake as it begins and ends (tracepoints; root)")
                .arg(flag("json", "Print JSON, one object a line"))
                .arg(
                    Arg::new("count")
                        .long("count")
                        .value_name("N")
                        .value_parser(value_parser!(u32).range(1..))
                        .help("End after so many events"),
                ),
        )
        .subcommand(
            Command::new("deploy-hook")
                .about("Load a renewed certificate; run by certbot, acme.sh or lego")
                .long_about(
                    "Load a renewed certificate, or replace the one before:\n\n  \
                     certbot renew --deploy-hook 'tlshs deploy-hook'\n  \
                     acme.sh --install-cert -d NAME --reloadcmd 'tlshs deploy-hook'\n  \
                     lego renew --renew-hook 'tlshs deploy-hook'",
                )
                .arg(keyring()),
        )
        .subcommand(
            Command::new("completions")
                .about("Print completions for a shell")
                .arg(
                    Arg::new("shell")
                        .required(true)
                        .value_parser(EnumValueParser::<Shell>::new()),
                ),
        )
        .subcommand(
            Command::new("man")
                .about("Write the man pages to a directory, or print the first")
                .arg(
                    Arg::new("dir")
                        .value_name("DIRECTORY")
                        .value_parser(value_parser!(PathBuf)),
                ),
        )
}

fn text<'a>(m: &'a ArgMatches, name: &str) -> &'a str {
    m.get_one::<String>(name).map_or("", String::as_str)
}

fn maybe_path<'a>(m: &'a ArgMatches, name: &str) -> Option<&'a Path> {
    m.get_one::<PathBuf>(name).map(PathBuf::as_path)
}

fn source(m: &ArgMatches) -> Source<'_> {
    Source {
        files: m
            .get_many::<PathBuf>("files")
            .map_or_else(Vec::new, |f| f.cloned().collect()),
        ocsp: maybe_path(m, "ocsp"),
        sct: maybe_path(m, "sct"),
    }
}

fn keys_main(m: &ArgMatches) -> Result<()> {
    let (what, m) = m.subcommand().expect("required");
    let add = |existing| {
        let name = m.get_one::<String>("name").map(String::as_str);
        keys::add(text(m, "keyring"), name, &source(m), existing)
    };
    match what {
        "add" => add(Existing::Refuse),
        "replace" => add(Existing::Need),
        "check" => keys::check(&source(m)),
        "load" => keys::load(text(m, "keyring"), maybe_path(m, "dir")),
        "list" => keys::list(text(m, "keyring"), m.get_flag("json")),
        "staple" => keys::staple(
            text(m, "keyring"),
            text(m, "name"),
            maybe_path(m, "ocsp").expect("required"),
        ),
        "remove" => keys::remove(text(m, "keyring"), text(m, "name")),
        "share" => keys::share(
            text(m, "keyring"),
            m.get_one::<String>("group").map(String::as_str),
        ),
        "id" => {
            println!("{}", crate::keyring::Ring::get(text(m, "keyring"))?.serial);
            Ok(())
        }
        "ticket-key" => match m.subcommand().expect("required") {
            ("new", m) => keys::ticket_key(
                text(m, "keyring"),
                maybe_path(m, "from"),
                maybe_path(m, "write"),
            ),
            (_, m) => keys::rotate(
                text(m, "keyring"),
                usize::from(*m.get_one::<u8>("keep").expect("has a default")),
            ),
        },
        _ => unreachable!("clap knows no other"),
    }
}

fn run_main(m: &ArgMatches) -> Result<()> {
    let way = match (m.get_one::<i32>("fd"), m.get_flag("nginx")) {
        (Some(n), _) => Way::From(*n),
        (None, true) => Way::Nginx,
        (None, false) => Way::ListenFds,
    };
    let many = |name: &str| {
        m.get_many::<String>(name)
            .map_or_else(Vec::new, |v| v.cloned().collect())
    };
    let flags = [
        ("sni-strict", uapi::F_SNI_STRICT),
        ("no-tickets", uapi::F_NO_TICKETS),
        ("thread", uapi::F_THREAD),
    ];
    run::run(&Options {
        keyring: text(m, "keyring").into(),
        listen: many("listen"),
        way,
        alpn: many("alpn"),
        user: m.get_one::<String>("user").cloned(),
        group: m.get_one::<String>("group").cloned(),
        backlog: *m.get_one("backlog").expect("has a default"),
        flags: flags
            .iter()
            .filter(|(name, _)| m.get_flag(name))
            .fold(0, |all, (_, bit)| all | bit),
        timeout_ms: 1000 * m.get_one::<u32>("timeout").expect("has a default"),
        reuseport: m.get_flag("reuseport"),
        program: m
            .get_many::<OsString>("program")
            .map_or_else(Vec::new, |p| p.cloned().collect()),
    })
}

fn man(dir: Option<&Path>) -> Result<()> {
    match dir {
        Some(dir) => {
            clap_mangen::generate_to(command(), dir).map_err(|e| format!("{}: {e}", dir.display()))
        }
        None => clap_mangen::Man::new(command())
            .render(&mut io::stdout())
            .map_err(|e| e.to_string()),
    }
}

/// Does what the command line says.
pub fn main() -> Result<()> {
    let matches = command().get_matches();
    let (what, m) = matches.subcommand().expect("required");
    match what {
        "keys" => keys_main(m),
        "run" => run_main(m),
        "status" => status::status(m.get_flag("json")),
        "log" => status::log(
            m.get_one::<u32>("count").map(|n| *n as usize),
            m.get_flag("json"),
        ),
        "deploy-hook" => keys::deploy_hook(text(m, "keyring")),
        "completions" => {
            let shell = *m.get_one::<Shell>("shell").expect("required");
            clap_complete::generate(shell, &mut command(), "tlshs", &mut io::stdout());
            Ok(())
        }
        "man" => man(maybe_path(m, "dir")),
        _ => unreachable!("clap knows no other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn programs_keep_their_arguments() {
        let words = ["tlshs", "run", "-l", "443", "--", "a", "--listen", "-x"];
        let m = command().try_get_matches_from(words).unwrap();
        let (_, m) = m.subcommand().unwrap();
        let program: Vec<_> = m.get_many::<OsString>("program").unwrap().collect();
        assert_eq!(program, ["a", "--listen", "-x"]);
        assert!(command()
            .try_get_matches_from(["tlshs", "run", "--nginx", "--fd", "3", "--", "a"])
            .is_err());
    }
}
