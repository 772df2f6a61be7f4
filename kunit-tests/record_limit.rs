// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_record_limit))]
mod tests {
    use crate::engine::wire::alert::Alert;
    use crate::engine::wire::record_limit::RecordLimit;

    fn max(size: Option<u16>, fragment: Option<u8>) -> Result<u16, Alert> {
        RecordLimit::new(size, fragment).map(RecordLimit::max_fragment)
    }

    const ILLEGAL: Result<u16, Alert> = Err(Alert::IllegalParameter);

    /// RFC 8449, section 4: 64 at least; more than the protocol allows is no error of a client.
    #[test]
    fn record_size_limit() {
        for (size, want) in [
            (64, 63),
            (65, 64),
            (512, 511),
            (16384, 16383),
            (16385, 16384),
            (16386, 16384),
            (0xffff, 16384),
        ] {
            assert!(max(Some(size), None) == Ok(want));
        }
        for size in [0, 1, 63] {
            assert!(max(Some(size), None) == ILLEGAL);
        }
    }

    /// RFC 6066, section 4.
    #[test]
    fn max_fragment_length() {
        for (code, want) in [(1, 512), (2, 1024), (3, 2048), (4, 4096)] {
            assert!(max(None, Some(code)) == Ok(want));
        }
        for code in [0, 5, 255] {
            assert!(max(None, Some(code)) == ILLEGAL);
        }
        assert!(max(None, None) == Ok(16384));
    }

    /// RFC 8449, section 5: record_size_limit counts, whatever the other one is.
    #[test]
    fn precedence() {
        for code in [0, 1, 4, 5] {
            assert!(max(Some(2000), Some(code)) == Ok(1999));
            assert!(max(Some(63), Some(code)) == ILLEGAL);
        }
    }
}
