// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_alpn))]
mod tests {
    use crate::engine::wire::alert::Alert;
    use crate::engine::wire::alpn::Protocols;
    use crate::engine::wire::codec::Reader;

    #[test]
    fn lists() {
        for good in [
            &b""[..],
            b"\x02h2",
            b"\x02h2\x08http/1.1",
            b"\x01\0",
            b"\x01a\x01a",
        ] {
            assert!(Protocols::new(good).is_ok());
        }
        for bad in [&b"\0"[..], b"\x03h2", b"\x02h2\0", b"\x02h2\x01", b"h2"] {
            assert!(Protocols::new(bad).err() == Some(Alert::DecodeError));
        }
        let longest = &mut [b'x'; 256];
        longest[0] = 255;
        let list = Protocols::new(longest).unwrap_or_default();
        assert!(list.iter().count() == 1 && list.iter().all(|name| name.len() == 255));
    }

    /// Its own length in front, of at least one name.
    #[test]
    fn extensions() {
        let parse = |body| Protocols::parse(Reader::new(body));
        assert!(parse(&b"\0\x03\x02h2"[..]).is_ok());
        for bad in [
            &b""[..],
            b"\0",
            b"\0\0",
            b"\0\x01\0",
            b"\0\x03\x02h",
            b"\0\x03\x02h2\0",
            b"\0\x04\x02h2\0",
        ] {
            assert!(parse(bad).err() == Some(Alert::DecodeError));
        }
    }

    #[test]
    fn duplicates() {
        let twice = |list| Protocols::new(list).is_ok_and(|p| p.has_duplicates());
        assert!(!twice(&b""[..]));
        assert!(!twice(b"\x02h2\x01h\x03h2c"));
        assert!(twice(b"\x02h2\x01h\x02h2"));
    }

    /// The server's order counts, and names are compared as a whole.
    #[test]
    fn choice() {
        const SERVER: &[u8] = b"\x02h2\x08http/1.1";
        let choose = |server: &'static [u8], client: &'static [u8]| {
            let client = Protocols::new(client).unwrap_or_default();
            Protocols::new(server)
                .unwrap_or_default()
                .choose(Some(client))
        };
        assert!(choose(SERVER, b"\x08http/1.1\x02h2") == Ok(Some(&b"h2"[..])));
        assert!(choose(SERVER, b"\x02\x0a\x0a\x08http/1.1") == Ok(Some(&b"http/1.1"[..])));
        for other in [&b"\x03h2c"[..], b"\x01h", b"\x02H2", b"\x08http/1.0"] {
            assert!(choose(SERVER, other) == Err(Alert::NoApplicationProtocol));
        }
        // A long list of the server's: each name, the last ones of one byte.
        const LONG: &[u8] = &{
            let mut list = [1; 254];
            let mut i = 0;
            while i < 127 {
                list[2 * i + 1] = i as u8;
                i += 1;
            }
            list
        };
        for i in [0, 1, 63, 125, 126] {
            let at = 2 * i as usize;
            assert!(choose(LONG, &LONG[at..at + 2]) == Ok(Some(&[i][..])));
            assert!(choose(LONG, &LONG[at..]) == Ok(Some(&[i][..])));
        }
        assert!(choose(LONG, b"\x01\xff") == Err(Alert::NoApplicationProtocol));
        assert!(choose(b"", b"\x02h2") == Ok(None));
        let server = Protocols::new(SERVER).unwrap_or_default();
        assert!(server.choose(None) == Ok(None));
    }
}
