// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_session))]
mod tests {
    use crate::engine::crypto::P256Key;
    use crate::engine::keys::ticket::Tickets;
    use crate::engine::policy::fallback::Fallback;
    use crate::engine::policy::settings::{flag_bits, version_bits};
    use crate::engine::policy::settings::{
        ClientConstraints, Config, Identities, Identity, NoIdentity, SigningKey,
    };
    use crate::engine::scratch::Scratch;
    use crate::engine::state::session::{Session, Step};
    use crate::engine::wire::alert::Alert;
    use crate::engine::wire::alpn::Protocols;
    use crate::engine::wire::certificate::Staples;
    use crate::tests::{hex, zeroed, Platform};
    use core::cell::Cell;

    const BOTH: u32 = version_bits::TLS_1_2 | version_bits::TLS_1_3;

    const CONFIG: Config<'static> = Config {
        versions: BOTH,
        flags: 0,
        cipher_suites: &[],
        tls12_cipher_suites: &[],
        groups: &[],
        signature_schemes: &[],
        protocols: Protocols::NONE,
        tickets: Tickets::NONE,
    };

    /// One P-256 identity, named "a".
    struct One(P256Key);

    impl Identities for One {
        fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
            if constraints.strict && constraints.name.is_some_and(|n| n != b"a") {
                return Err(NoIdentity::UnknownName);
            }
            let key = SigningKey::P256(&self.0);
            constraints.rank(key.scheme()).ok_or(NoIdentity::NoScheme)?;
            Ok(Identity {
                index: 0,
                certificate: &[11, 0, 0, 4, 0, 0, 0, 0],
                digest: &[0; 32],
                staples: Staples::NONE,
                name_matched: false,
                key,
            })
        }
    }

    /// The parts of a ClientHello that tests change, each as it is on the wire.
    #[derive(Clone, Copy)]
    struct Hello {
        legacy_version: &'static [u8],
        session_id: &'static [u8],
        suites: &'static [u8],
        compression: &'static [u8],
        extensions: [&'static [u8]; 8],
    }

    const VERSIONS: &[u8] = &[0, 43, 0, 3, 2, 3, 4];
    const GROUPS: &[u8] = &[0, 10, 0, 4, 0, 2, 0, 29];
    const SCHEMES: &[u8] = &[0, 13, 0, 4, 0, 2, 4, 3];
    /// key_share with the public key of RFC 8448's client.
    const SHARE: &[u8] = &hex::<42>(concat!(
        "003300260024001d0020",
        "99381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c"
    ));
    const MODES: &[u8] = &[0, 45, 0, 2, 1, 1];
    /// One identity of one byte and one binder of 32.
    const PSK: &[u8] = &hex::<48>(concat!(
        "0029002c0007000161000000000021",
        "20",
        "0000000000000000000000000000000000000000000000000000000000000000"
    ));

    const HELLO: Hello = Hello {
        legacy_version: &[3, 3],
        session_id: &[0],
        suites: &[0, 2, 0x13, 1],
        compression: &[1, 0],
        extensions: [VERSIONS, GROUPS, SCHEMES, SHARE, &[], &[], &[], &[]],
    };

    impl Hello {
        const fn with(mut self, at: usize, extension: &'static [u8]) -> Self {
            self.extensions[at] = extension;
            self
        }

        /// Writes the hello as one record. Returns its length.
        fn write(&self, out: &mut [u8]) -> usize {
            let mut len = 9;
            let mut put = |bytes: &[u8]| {
                out[len..len + bytes.len()].copy_from_slice(bytes);
                len += bytes.len();
            };
            put(self.legacy_version);
            put(&[7; 32]);
            put(self.session_id);
            put(self.suites);
            put(self.compression);
            let total: usize = self.extensions.iter().map(|e| e.len()).sum();
            put(&(total as u16).to_be_bytes());
            for extension in self.extensions {
                put(extension);
            }
            let (fragment, body) = ((len - 5) as u16, (len - 9) as u16);
            out[..3].copy_from_slice(&[22, 3, 1]);
            out[3..5].copy_from_slice(&fragment.to_be_bytes());
            out[5..7].copy_from_slice(&[1, 0]);
            out[7..9].copy_from_slice(&body.to_be_bytes());
            len
        }
    }

    /// What becomes of some bytes at the beginning of a connection.
    fn advance(config: &Config<'_>, input: &mut [u8]) -> Option<Step> {
        let mut out = zeroed::<[u8; 1024]>()?;
        let mut scratch = zeroed::<Scratch<Platform>>()?;
        let mut session = Session::new();
        let one = One(P256Key::new(&[5])?);
        Some(session.advance::<Platform>(config, &one, input, &mut out[..], &mut scratch))
    }

    fn step(config: &Config<'_>, hello: &Hello) -> Option<Step> {
        let mut input = [0; 512];
        let len = hello.write(&mut input);
        advance(config, &mut input[..len])
    }

    fn alert(step: Option<Step>) -> Option<Alert> {
        match step {
            // Type, version, length and the two bytes of the alert.
            Some(Step::Alert { alert, written: 7 }) => Some(alert),
            _ => None,
        }
    }

    fn answered(step: Option<Step>) -> bool {
        matches!(step, Some(Step::Send { .. }))
    }

    fn falls_back(step: Option<Step>, reason: Fallback) -> bool {
        step == Some(Step::Fallback(reason))
    }

    #[test]
    fn good_hello() {
        assert!(answered(step(&CONFIG, &HELLO)));
        // Unknown extensions, GREASE and types above 63 are ignored.
        let hello = HELLO
            .with(4, &[0x1a, 0x1a, 0, 0])
            .with(5, &[0xff, 0xff, 0, 1, 0])
            .with(6, &[0, 64, 0, 0]);
        assert!(answered(step(&CONFIG, &hello)));
    }

    #[test]
    fn incomplete_hello() {
        let mut input = [0; 512];
        let len = HELLO.write(&mut input);
        for have in 0..len {
            let mut part = input;
            let need = match have {
                0 => 1,
                1..=4 => 5,
                5 => 6,
                _ => len,
            };
            let want = Step::More { consumed: 0, need };
            assert!(advance(&CONFIG, &mut part[..have]) == Some(want));
        }
    }

    #[test]
    fn no_tls() {
        let first = |bytes: &mut [u8]| alert(advance(&CONFIG, bytes));
        assert!(first(&mut b"GET / HTTP/1.1\r\n\r\n".clone()) == Some(Alert::UnexpectedMessage));
        // SSLv2, and a first byte of nothing.
        assert!(first(&mut [0x80, 0x2e, 1, 0, 2]) == Some(Alert::UnexpectedMessage));
        assert!(first(&mut [0]) == Some(Alert::UnexpectedMessage));
        // Records that do not begin a connection.
        assert!(first(&mut [20, 3, 3, 0, 1, 1]) == Some(Alert::UnexpectedMessage));
        assert!(first(&mut [23, 3, 3, 0, 1, 1]) == Some(Alert::UnexpectedMessage));
        // Another message, an empty fragment, one that is too long.
        assert!(first(&mut [22, 3, 3, 0, 4, 2, 0, 0, 0]) == Some(Alert::UnexpectedMessage));
        assert!(first(&mut [22, 3, 3, 0, 0]) == Some(Alert::UnexpectedMessage));
        assert!(first(&mut [22, 3, 3, 0x40, 1]) == Some(Alert::RecordOverflow));
        // A message that no ClientHello can be.
        assert!(first(&mut [22, 3, 3, 0, 4, 1, 0xff, 0xff, 0xff]) == Some(Alert::DecodeError));
    }

    #[test]
    fn peer_alert() {
        let step = advance(&CONFIG, &mut [21, 3, 1, 0, 2, 1, 0]);
        assert!(step == Some(Step::PeerAlert { description: 0 }));
        let step = advance(&CONFIG, &mut [21, 3, 1, 0, 3, 1, 0, 0]);
        assert!(alert(step) == Some(Alert::DecodeError));
    }

    #[test]
    fn versions() {
        let tls12 = HELLO.with(0, &[]);
        let only13 = Config {
            versions: version_bits::TLS_1_3,
            ..CONFIG
        };
        assert!(falls_back(step(&CONFIG, &tls12), Fallback::Version));
        assert!(alert(step(&only13, &tls12)) == Some(Alert::ProtocolVersion));
        let only12 = Config {
            versions: version_bits::TLS_1_2,
            ..CONFIG
        };
        assert!(falls_back(step(&only12, &tls12), Fallback::Version));
        // The client's TLS 1.2 is user space's, but not with suites that it does not serve.
        let suites = Config {
            tls12_cipher_suites: &[0xc02b, 0xc02f],
            ..CONFIG
        };
        assert!(alert(step(&suites, &tls12)) == Some(Alert::HandshakeFailure));
        let tls12 = Hello {
            suites: &[0, 4, 0x13, 1, 0xc0, 0x2f],
            ..tls12
        };
        assert!(falls_back(step(&suites, &tls12), Fallback::Version));
        // Neither, and SSL 3.0.
        let old = Hello {
            legacy_version: &[3, 2],
            ..tls12
        };
        assert!(alert(step(&CONFIG, &old)) == Some(Alert::ProtocolVersion));
        let old = Hello {
            legacy_version: &[3, 0],
            ..HELLO
        };
        assert!(alert(step(&CONFIG, &old)) == Some(Alert::ProtocolVersion));
        // RFC 9846, section 4.2.2: legacy_version of a ClientHello of TLS 1.3.
        for legacy_version in [&[3, 1][..], &[3, 2], &[3, 4], &[3, 5], &[0xfe, 0xfd]] {
            let other = Hello {
                legacy_version,
                ..HELLO
            };
            assert!(alert(step(&CONFIG, &other)) == Some(Alert::ProtocolVersion));
        }
        // Where TLS 1.3 is not served the version of TLS 1.2 is user space's to look at.
        let other = Hello {
            legacy_version: &[3, 4],
            ..HELLO.with(0, &[0, 43, 0, 5, 4, 3, 4, 3, 3])
        };
        assert!(falls_back(step(&only12, &other), Fallback::Version));
    }

    /// What the table in the documentation says of extensions that are ignored: they may hold
    /// anything, but be there once.
    #[test]
    fn ignored_extensions() {
        const ANY: &[u8] = &[0xff, 0xfe, 0, 3, 0xff, 0, 1];
        let ignored = [
            5, 11, 14, 15, 17, 19, 20, 21, 22, 23, 27, 34, 35, 48, 49, 57, 0x0a0a, 17513, 17613,
            0xfafa, 65037, 65281, 0xffff,
        ];
        let with_type = |hello: &Hello, extension_type: u16| {
            let mut input = [0; 512];
            let len = hello.write(&mut input);
            for at in 0..=len - ANY.len() {
                if input[at..].starts_with(ANY) {
                    input[at..at + 2].copy_from_slice(&extension_type.to_be_bytes());
                }
            }
            advance(&CONFIG, &mut input[..len])
        };
        let (once, twice) = (HELLO.with(4, ANY), HELLO.with(4, ANY).with(5, ANY));
        for extension_type in ignored {
            assert!(answered(with_type(&once, extension_type)));
            let step = with_type(&twice, extension_type);
            assert!(alert(step) == Some(Alert::IllegalParameter));
        }
        // Those that are not have a form, which this is not.
        for extension_type in [0, 1, 16, 18, 28, 41, 42, 44, 45, 47, 50, 58] {
            assert!(alert(with_type(&once, extension_type)) == Some(Alert::DecodeError));
        }
    }

    /// RFC 7507, section 3: TLS_FALLBACK_SCSV says that the client has tried a higher version.
    #[test]
    fn inappropriate_fallback() {
        const TLS12: Hello = Hello {
            suites: &[0, 4, 0xc0, 0x2f, 0x56, 0],
            ..HELLO.with(0, &[])
        };
        assert!(alert(step(&CONFIG, &TLS12)) == Some(Alert::InappropriateFallback));
        // Where TLS 1.2 is the highest version there is nothing wrong with it.
        let only12 = Config {
            versions: version_bits::TLS_1_2,
            ..CONFIG
        };
        assert!(falls_back(step(&only12, &TLS12), Fallback::Version));
        // A version that is not served has an alert of its own.
        let old = Hello {
            legacy_version: &[3, 2],
            ..TLS12
        };
        assert!(alert(step(&CONFIG, &old)) == Some(Alert::ProtocolVersion));
        // With TLS 1.3 among its versions, the client has not fallen back.
        let hello = Hello {
            suites: &[0, 4, 0x13, 1, 0x56, 0],
            ..HELLO
        };
        assert!(answered(step(&CONFIG, &hello)));
    }

    /// A listener whose clients need certificates leaves them to user space, but not what no
    /// server could accept.
    #[test]
    fn client_certificates() {
        let config = Config {
            flags: flag_bits::CLIENT_CERT,
            ..CONFIG
        };
        let reason = Fallback::ClientCertificate;
        assert!(falls_back(step(&config, &HELLO), reason));
        let hello = HELLO.with(1, &[]);
        assert!(alert(step(&config, &hello)) == Some(Alert::MissingExtension));
        let hello = HELLO.with(0, &[]);
        assert!(falls_back(step(&config, &hello), Fallback::Version));
    }

    #[test]
    fn no_common_parameters() {
        let hello = Hello {
            suites: &[0, 2, 0x13, 4],
            ..HELLO
        };
        assert!(falls_back(step(&CONFIG, &hello), Fallback::Suite));
        let suites = Config {
            cipher_suites: &[0x1303],
            ..CONFIG
        };
        assert!(falls_back(step(&suites, &HELLO), Fallback::Suite));
        let groups = Config {
            groups: &[23],
            ..CONFIG
        };
        assert!(falls_back(step(&groups, &HELLO), Fallback::Group));
        let hello = HELLO.with(2, &[0, 13, 0, 4, 0, 2, 8, 4]);
        assert!(falls_back(step(&CONFIG, &hello), Fallback::SignatureScheme));
    }

    #[test]
    fn server_names() {
        const A: &[u8] = &[0, 0, 0, 6, 0, 4, 0, 0, 1, b'a'];
        const B: &[u8] = &[0, 0, 0, 6, 0, 4, 0, 0, 1, b'b'];
        let strict = Config {
            flags: flag_bits::SNI_STRICT,
            ..CONFIG
        };
        assert!(answered(step(&strict, &HELLO.with(4, A))));
        assert!(answered(step(&CONFIG, &HELLO.with(4, B))));
        assert!(alert(step(&strict, &HELLO.with(4, B))) == Some(Alert::UnrecognizedName));
        // Bytes that are no text: a zero, a line feed, a space, UTF-8.
        let bad: [&[u8]; 4] = [
            &[0, 0, 0, 8, 0, 6, 0, 0, 3, b'a', 0, b'b'],
            &[0, 0, 0, 8, 0, 6, 0, 0, 3, b'a', b'\n', b'b'],
            &[0, 0, 0, 8, 0, 6, 0, 0, 3, b'a', b' ', b'b'],
            &[0, 0, 0, 8, 0, 6, 0, 0, 3, b'a', 0xc3, 0xbc],
        ];
        for bad in bad {
            assert!(alert(step(&CONFIG, &HELLO.with(4, bad))) == Some(Alert::IllegalParameter));
        }
        // An address is a name that nobody has.
        let address: &[u8] = &[0, 0, 0, 8, 0, 6, 0, 0, 3, b':', b':', b'1'];
        assert!(answered(step(&CONFIG, &HELLO.with(4, address))));
        assert!(alert(step(&strict, &HELLO.with(4, address))) == Some(Alert::UnrecognizedName));
        // Two host names, an empty one, an empty list.
        let bad: &[u8] = &[0, 0, 0, 10, 0, 8, 0, 0, 1, b'a', 0, 0, 1, b'b'];
        assert!(alert(step(&CONFIG, &HELLO.with(4, bad))) == Some(Alert::IllegalParameter));
        let bad: &[u8] = &[0, 0, 0, 5, 0, 3, 0, 0, 0];
        assert!(alert(step(&CONFIG, &HELLO.with(4, bad))) == Some(Alert::DecodeError));
        let bad: &[u8] = &[0, 0, 0, 2, 0, 0];
        assert!(alert(step(&CONFIG, &HELLO.with(4, bad))) == Some(Alert::DecodeError));
    }

    /// A choice is only made if both sides have a list (RFC 7301).
    #[test]
    fn application_protocols() {
        const H2: &[u8] = &[0, 16, 0, 5, 0, 3, 2, b'h', b'2'];
        const OTHER: &[u8] = &[0, 16, 0, 5, 0, 3, 2, b'h', b'3'];
        let config = Config {
            protocols: Protocols::new(b"\x08http/1.1\x02h2").unwrap_or_default(),
            ..CONFIG
        };
        assert!(answered(step(&config, &HELLO)));
        assert!(answered(step(&config, &HELLO.with(4, H2))));
        let none = Some(Alert::NoApplicationProtocol);
        assert!(alert(step(&config, &HELLO.with(4, OTHER))) == none);
        assert!(answered(step(&CONFIG, &HELLO.with(4, OTHER))));
        // What falls back does so whatever its protocols are.
        let hello = HELLO.with(4, OTHER).with(0, &[]);
        assert!(falls_back(step(&config, &hello), Fallback::Version));
        let hello = Hello {
            suites: &[0, 2, 0x13, 4],
            ..HELLO.with(4, OTHER)
        };
        assert!(falls_back(step(&config, &hello), Fallback::Suite));
        // Twice, and not as it should be, which counts without a list as well.
        let step = |at, extension| alert(step(&CONFIG, &HELLO.with(4, H2).with(at, extension)));
        assert!(step(5, H2) == Some(Alert::IllegalParameter));
        assert!(step(4, &[0, 16, 0, 2, 0, 0]) == Some(Alert::DecodeError));
        assert!(step(4, &[0, 16, 0, 3, 0, 1, 0]) == Some(Alert::DecodeError));
    }

    /// record_size_limit (RFC 8449) and max_fragment_length (RFC 6066).
    #[test]
    fn record_limits() {
        const SIZE: &[u8] = &[0, 28, 0, 2, 0, 64];
        const FRAGMENT: &[u8] = &[0, 1, 0, 1, 4];
        assert!(answered(step(&CONFIG, &HELLO.with(4, SIZE))));
        assert!(answered(step(&CONFIG, &HELLO.with(4, FRAGMENT))));
        let alert = |at, extension| alert(step(&CONFIG, &HELLO.with(4, SIZE).with(at, extension)));
        let (illegal, decode) = (Some(Alert::IllegalParameter), Some(Alert::DecodeError));
        assert!(alert(4, &[0, 28, 0, 2, 0, 63]) == illegal);
        assert!(alert(4, &[0, 28, 0, 2, 0, 0]) == illegal);
        assert!(alert(4, &[0, 28, 0, 1, 64]) == decode);
        assert!(alert(4, &[0, 28, 0, 3, 0, 64, 0]) == decode);
        assert!(alert(4, &[0, 1, 0, 1, 0]) == illegal);
        assert!(alert(4, &[0, 1, 0, 1, 5]) == illegal);
        assert!(alert(4, &[0, 1, 0, 0]) == decode);
        assert!(alert(4, &[0, 1, 0, 2, 1, 1]) == decode);
        // An illegal max_fragment_length is ignored with the other one.
        assert!(alert(5, &[0, 1, 0, 1, 5]).is_none());
        assert!(alert(5, SIZE) == illegal);
    }

    /// ticket_request (RFC 9149) has two bytes, whether or not the client can have tickets.
    #[test]
    fn ticket_request() {
        const REQUEST: &[u8] = &[0, 58, 0, 2, 3, 1];
        assert!(answered(step(&CONFIG, &HELLO.with(4, REQUEST))));
        let alert =
            |at, extension| alert(step(&CONFIG, &HELLO.with(4, REQUEST).with(at, extension)));
        assert!(alert(5, REQUEST) == Some(Alert::IllegalParameter));
        for extension in [
            &[0, 58, 0, 0][..],
            &[0, 58, 0, 1, 3],
            &[0, 58, 0, 3, 3, 1, 0],
        ] {
            assert!(alert(4, extension) == Some(Alert::DecodeError));
        }
    }

    /// The flight in records as long as the client wants them.
    #[test]
    fn short_records() {
        for (extension, max) in [
            (&[0, 28, 0, 2, 0, 64][..], 64),
            (&[0, 28, 0, 2, 0, 65], 65),
            (&[0, 1, 0, 1, 1], 513),
            (&[], 16385),
        ] {
            let (Some(mut out), Some(mut scratch), Some(key)) = (
                zeroed::<[u8; 1024]>(),
                zeroed::<Scratch<Platform>>(),
                P256Key::new(&[5]),
            ) else {
                return;
            };
            let one = One(key);
            let mut session = Session::new();
            let mut input = [0; 512];
            let len = HELLO.with(4, extension).write(&mut input);
            let step = session.advance::<Platform>(
                &CONFIG,
                &one,
                &mut input[..len],
                &mut out[..],
                &mut scratch,
            );
            let Step::Send { written, .. } = step else {
                panic!("not answered");
            };
            assert!(session.negotiated().max_fragment == max as u16 - 1);
            // ServerHello is not protected and so not limited (RFC 8449, section 4).
            let (mut rest, mut records, mut last) = (&out[..written], 0, 0);
            while let [content_type, 3, 3, high, low, tail @ ..] = rest {
                let len = usize::from(u16::from_be_bytes([*high, *low]));
                if *content_type == 23 {
                    // All but the last one are as long as may be.
                    assert!(records == 0 || last == max);
                    last = len - 16;
                    assert!(last <= max);
                    records += 1;
                }
                rest = &tail[len..];
            }
            assert!(rest.is_empty() && (records > 1) == (max < 100));
        }
    }

    #[test]
    fn missing_extensions() {
        for at in [1, 2, 3] {
            let step = step(&CONFIG, &HELLO.with(at, &[]));
            assert!(alert(step) == Some(Alert::MissingExtension));
        }
        let step = step(&CONFIG, &HELLO.with(4, PSK));
        assert!(alert(step) == Some(Alert::MissingExtension));
    }

    #[test]
    fn illegal_parameters() {
        let illegal = |hello: &Hello| alert(step(&CONFIG, hello)) == Some(Alert::IllegalParameter);
        // Extensions twice, known and unknown.
        assert!(illegal(&HELLO.with(4, VERSIONS)));
        assert!(illegal(
            &HELLO.with(4, &[9, 9, 0, 0]).with(5, &[9, 9, 0, 0])
        ));
        // Compression.
        assert!(illegal(&Hello {
            compression: &[1, 1],
            ..HELLO
        }));
        assert!(illegal(&Hello {
            compression: &[2, 0, 1],
            ..HELLO
        }));
        // A cookie that nobody gave, PSKs that are not the last.
        assert!(illegal(&HELLO.with(4, &[0, 44, 0, 3, 0, 1, 0])));
        assert!(illegal(
            &HELLO.with(4, MODES).with(5, PSK).with(6, &[9, 9, 0, 0])
        ));
        // Shares: twice for one group, for a group that is not supported, of another length.
        assert!(illegal(&HELLO.with(
            3,
            &[0, 51, 0, 12, 0, 10, 0, 29, 0, 1, 1, 0, 29, 0, 1, 1]
        )));
        assert!(illegal(
            &HELLO.with(3, &[0, 51, 0, 7, 0, 5, 0, 23, 0, 1, 1])
        ));
        assert!(illegal(
            &HELLO.with(3, &[0, 51, 0, 7, 0, 5, 0, 29, 0, 1, 1])
        ));
        // A point of small order: the result is zero.
        const SMALL: &[u8] = &hex::<42>(concat!(
            "003300260024001d0020",
            "0000000000000000000000000000000000000000000000000000000000000000"
        ));
        assert!(illegal(&HELLO.with(3, SMALL)));
    }

    #[test]
    fn decode_errors() {
        let wrong = |hello: &Hello| alert(step(&CONFIG, hello)) == Some(Alert::DecodeError);
        // Lengths past the end: of a share, of the list of shares, of an extension.
        assert!(wrong(&HELLO.with(3, &[0, 51, 0, 7, 0, 5, 0, 29, 0, 32, 1])));
        assert!(wrong(&HELLO.with(3, &[0, 51, 0, 7, 0, 99, 0, 29, 0, 1, 1])));
        assert!(wrong(&HELLO.with(4, &[0, 99, 0xff, 0xff])));
        assert!(wrong(&HELLO.with(4, &[0, 99, 0])));
        // Odd and empty lists, and something behind one.
        assert!(wrong(&HELLO.with(1, &[0, 10, 0, 5, 0, 3, 0, 29, 0])));
        assert!(wrong(&HELLO.with(1, &[0, 10, 0, 2, 0, 0])));
        assert!(wrong(&HELLO.with(1, &[0, 10, 0, 5, 0, 2, 0, 29, 0])));
        assert!(wrong(&HELLO.with(0, &[0, 43, 0, 1, 0])));
        assert!(wrong(&Hello {
            suites: &[0, 3, 0x13, 1, 0],
            ..HELLO
        }));
        assert!(wrong(&Hello {
            suites: &[0, 0],
            ..HELLO
        }));
        assert!(wrong(&Hello {
            compression: &[0],
            ..HELLO
        }));
        assert!(wrong(&Hello {
            session_id: &[33],
            ..HELLO
        }));
    }

    /// PSKs are passed over if there is another way, and else a reason to fall back.
    #[test]
    fn psks() {
        let hello = HELLO.with(4, MODES).with(5, PSK);
        assert!(answered(step(&CONFIG, &hello)));
        let hello = hello.with(2, &[]);
        assert!(falls_back(step(&CONFIG, &hello), Fallback::NotSupported));
    }

    /// Nothing may follow the hello in its record; in the next one it may.
    #[test]
    fn boundaries() {
        let mut input = [0; 512];
        let len = HELLO.write(&mut input);
        let fragment = (len - 5 + 1) as u16;
        input[3..5].copy_from_slice(&fragment.to_be_bytes());
        let step = advance(&CONFIG, &mut input[..len + 1]);
        assert!(alert(step) == Some(Alert::UnexpectedMessage));

        let mut input = [0; 512];
        let len = HELLO.write(&mut input);
        let step = advance(&CONFIG, &mut input[..len + 6]);
        assert!(matches!(step, Some(Step::Send { consumed, .. }) if consumed == len));
    }

    /// The hello in records of any length.
    #[test]
    fn fragments() {
        let mut whole = [0; 512];
        let len = HELLO.write(&mut whole);
        for size in [1, 2, 3, 4, 5, 50] {
            let mut input = [0; 2048];
            let mut at = 0;
            for fragment in whole[5..len].chunks(size) {
                input[at..at + 5].copy_from_slice(&[22, 3, 3, 0, fragment.len() as u8]);
                input[at + 5..][..fragment.len()].copy_from_slice(fragment);
                at += 5 + fragment.len();
            }
            let step = advance(&CONFIG, &mut input[..at]);
            assert!(matches!(step, Some(Step::Send { consumed, .. }) if consumed == at));
        }
    }

    /// A HelloRetryRequest for x25519 without a session id.
    const RETRY: [u8; 61] = hex(concat!(
        "1603030038020000340303",
        "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c",
        "00130100000c00330002001d",
        "002b00020304"
    ));

    /// A group without a share: HelloRetryRequest, and what becomes of a second hello.
    #[test]
    fn retry() {
        const NO_SHARE: Hello = HELLO.with(3, &[0, 51, 0, 2, 0, 0]);
        let name: &[u8] = &[0, 0, 0, 6, 0, 4, 0, 0, 1, b'a'];
        let strange: &[u8] = &[0, 64, 0, 0];
        let early: &[u8] = &[0, 42, 0, 0];
        let cookie: &[u8] = &[0, 44, 0, 3, 0, 1, 7];
        let swapped = Hello {
            extensions: [SHARE, SCHEMES, GROUPS, VERSIONS, &[], &[], &[], &[]],
            ..HELLO
        };
        let other = Hello {
            suites: &[0, 4, 0x13, 3, 0x13, 1],
            ..HELLO
        };
        let alpn: &[u8] = &[0, 16, 0, 5, 0, 3, 2, b'h', b'2'];
        let limit: &[u8] = &[0, 28, 0, 2, 0, 64];
        let status: &[u8] = &[0, 5, 0, 5, 1, 0, 0, 0, 0];
        let timestamps: &[u8] = &[0, 18, 0, 0];
        let cases: [(Hello, Option<Alert>); 13] = [
            (HELLO, None),
            (HELLO.with(4, strange), None),
            (swapped, None),
            (NO_SHARE, Some(Alert::IllegalParameter)),
            (HELLO.with(4, name), Some(Alert::IllegalParameter)),
            (HELLO.with(4, alpn), Some(Alert::IllegalParameter)),
            (HELLO.with(4, limit), Some(Alert::IllegalParameter)),
            (HELLO.with(4, status), Some(Alert::IllegalParameter)),
            (HELLO.with(4, timestamps), Some(Alert::IllegalParameter)),
            (HELLO.with(4, early), Some(Alert::IllegalParameter)),
            (HELLO.with(4, cookie), Some(Alert::IllegalParameter)),
            (other, Some(Alert::IllegalParameter)),
            // What would fall back if it were the first.
            (
                HELLO.with(0, &[0, 43, 0, 3, 2, 3, 3]),
                Some(Alert::IllegalParameter),
            ),
        ];
        for (hello, want) in cases {
            let (Some(mut out), Some(mut scratch), Some(key)) = (
                zeroed::<[u8; 1024]>(),
                zeroed::<Scratch<Platform>>(),
                P256Key::new(&[5]),
            ) else {
                return;
            };
            let one = One(key);
            let mut session = Session::new();
            let mut input = [0; 512];
            let len = NO_SHARE.write(&mut input);
            let step = session.advance::<Platform>(
                &CONFIG,
                &one,
                &mut input[..len],
                &mut out[..],
                &mut scratch,
            );
            assert!(matches!(step, Step::Send { consumed, written: 61 } if consumed == len));
            assert!(out[..61] == RETRY);

            // Behind a ChangeCipherSpec.
            input[..6].copy_from_slice(&[20, 3, 3, 0, 1, 1]);
            let len = 6 + hello.write(&mut input[6..]);
            let step = session.advance::<Platform>(
                &CONFIG,
                &one,
                &mut input[..len],
                &mut out[..],
                &mut scratch,
            );
            match want {
                None => {
                    assert!(matches!(step, Step::Send { consumed, .. } if consumed == len));
                    // No second ChangeCipherSpec.
                    assert!(out[5 + usize::from(out[4])] == 23);
                }
                Some(_) => assert!(alert(Some(step)) == want),
            }
        }
    }

    /// RFC 9846, section 4.3.10: a server that does not accept early data skips it, before a second
    /// hello by the type of the records, else until one can be decrypted. It does so without a
    /// pre_shared_key, too: a client that offers both in an inner ClientHello (RFC 9849) has
    /// early_data in the outer one. Records that nothing has announced are not skipped.
    #[test]
    fn early_data() {
        const NO_SHARE: &[u8] = &[0, 51, 0, 2, 0, 0];
        const EARLY: &[u8] = &[0, 42, 0, 0];
        // Too short for a tag, so that it cannot be decrypted.
        const RECORD: [u8; 7] = [23, 3, 3, 0, 2, 1, 1];
        for (early, psk, retry) in [
            (true, true, false),
            (true, true, true),
            (true, false, false),
            (true, false, true),
            (false, true, false),
            (false, true, true),
        ] {
            let (Some(mut out), Some(mut scratch), Some(key)) = (
                zeroed::<[u8; 1024]>(),
                zeroed::<Scratch<Platform>>(),
                P256Key::new(&[5]),
            ) else {
                return;
            };
            let one = One(key);
            let second = match psk {
                true => HELLO.with(6, MODES).with(7, PSK),
                false => HELLO,
            };
            let first = second.with(5, if early { EARLY } else { &[] });
            let first = match retry {
                true => first.with(3, NO_SHARE),
                false => first,
            };
            let mut session = Session::new();
            let mut input = [0; 512];
            let mut next = |input: &mut [u8]| {
                session.advance::<Platform>(&CONFIG, &one, input, &mut out[..], &mut scratch)
            };
            let len = first.write(&mut input);
            assert!(answered(Some(next(&mut input[..len]))));
            for _ in 0..3 {
                let step = next(&mut RECORD.clone());
                if early {
                    let more = Step::More {
                        consumed: 7,
                        need: 1,
                    };
                    assert!(step == more);
                    continue;
                }
                let (want, len) = match retry {
                    true => (Alert::UnexpectedMessage, 7),
                    false => (Alert::BadRecordMac, 24),
                };
                let alert = Step::Alert {
                    alert: want,
                    written: len,
                };
                assert!(step == alert);
                break;
            }
            if early && retry {
                let len = second.write(&mut input);
                assert!(answered(Some(next(&mut input[..len]))));
            }
        }
    }

    /// An identity that is refused so many times.
    struct Refused {
        one: One,
        left: Cell<u32>,
    }

    impl Identities for Refused {
        fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity> {
            self.one.select(constraints)
        }

        fn may_use(&self, identity: &Identity<'_>, rsa: bool) -> bool {
            assert!(identity.index == 0 && !rsa);
            let left = self.left.get();
            self.left.set(left.saturating_sub(1));
            left == 0
        }
    }

    /// A refused identity leaves no trace: the answers to a hello, to one without a share and to a
    /// second one are as long as if it had not been refused.
    #[test]
    fn refused_identity() {
        let (Some(mut out), Some(mut scratch), Some(key)) = (
            zeroed::<[u8; 1024]>(),
            zeroed::<Scratch<Platform>>(),
            P256Key::new(&[5]),
        ) else {
            return;
        };
        let refused = Refused {
            one: One(key),
            left: Cell::new(0),
        };
        // There may be 16 ChangeCipherSpec before a second hello.
        let ccs: &[u8] = &[20, 3, 3, 0, 1, 1];
        let hellos: [(bool, &[u8], Hello); 3] = [
            (true, &[], HELLO),
            (true, &[], HELLO.with(3, &[0, 51, 0, 2, 0, 0])),
            (false, ccs, HELLO),
        ];
        let mut lengths = [[0; 3]; 2];
        for (refusals, lengths) in [0, 20].into_iter().zip(&mut lengths) {
            let mut session = Session::new();
            for ((is_first, before, hello), length) in hellos.iter().zip(lengths) {
                if *is_first {
                    session = Session::new();
                }
                refused.left.set(refusals);
                for call in 0..=refusals {
                    let mut input = [0; 512];
                    input[..before.len()].copy_from_slice(before);
                    let len = before.len() + hello.write(&mut input[before.len()..]);
                    out.fill(0x5a);
                    let step = session.advance::<Platform>(
                        &CONFIG,
                        &refused,
                        &mut input[..len],
                        &mut out[..],
                        &mut scratch,
                    );
                    if call < refusals {
                        assert!(step == Step::Later && out.iter().all(|b| *b == 0x5a));
                        assert!(session.awaits_second_hello() != *is_first);
                    } else if let Step::Send { consumed, written } = step {
                        assert!(consumed == len);
                        *length = written;
                    }
                }
            }
        }
        let [at_once, later] = lengths;
        assert!(at_once[1] == RETRY.len() && later[1] == RETRY.len());
        // But for the signature, which is a few bytes longer or shorter each time.
        assert!(at_once[0].abs_diff(later[0]) < 8 && later[0] > 200);
        assert!(at_once[2].abs_diff(later[2]) < 8 && later[2] > 200);
    }

    /// After the flight: what is no Finished, or none that can be right.
    #[test]
    fn second_flight() {
        let cases: [(&[u8], Alert); 6] = [
            (&[22, 3, 3, 0, 4, 20, 0, 0, 0], Alert::UnexpectedMessage),
            (&[20, 3, 3, 0, 1, 2], Alert::UnexpectedMessage),
            (&[20, 3, 3, 0, 2, 1, 1], Alert::UnexpectedMessage),
            (
                &[
                    23, 3, 3, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                ],
                Alert::BadRecordMac,
            ),
            (&[23, 3, 3, 0, 1, 0], Alert::BadRecordMac),
            (&[23, 3, 3, 0x41, 1], Alert::RecordOverflow),
        ];
        for (bytes, want) in cases {
            let (Some(mut out), Some(mut scratch), Some(key)) = (
                zeroed::<[u8; 1024]>(),
                zeroed::<Scratch<Platform>>(),
                P256Key::new(&[5]),
            ) else {
                return;
            };
            let one = One(key);
            let mut session = Session::new();
            let mut input = [0; 512];
            let len = HELLO.write(&mut input);
            let mut next = |session: &mut Session, input: &mut [u8]| {
                session.advance::<Platform>(&CONFIG, &one, input, &mut out[..], &mut scratch)
            };
            assert!(matches!(
                next(&mut session, &mut input[..len]),
                Step::Send { .. }
            ));
            // One ChangeCipherSpec is dropped, at any place before the Finished.
            let more = Step::More {
                consumed: 6,
                need: 1,
            };
            assert!(next(&mut session, &mut [20, 3, 3, 0, 1, 1]) == more);
            input[..bytes.len()].copy_from_slice(bytes);
            // The alert is protected: header, two bytes, their type and the tag.
            let got = next(&mut session, &mut input[..bytes.len()]);
            assert!(
                got == Step::Alert {
                    alert: want,
                    written: 5 + 2 + 17
                }
            );
            // Nothing works any more.
            let got = next(&mut session, &mut [20, 3, 3, 0, 1, 1]);
            assert!(matches!(
                got,
                Step::Alert {
                    alert: Alert::InternalError,
                    written: 0
                }
            ));
        }
    }
}
