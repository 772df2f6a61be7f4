// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_record))]
mod tests {
    use super::super::{zeroed, Platform};
    use crate::alert::Alert;
    use crate::crypto::{Crypto, TAG_LEN};
    use crate::ct::Secret;
    use crate::key_schedule::TrafficKeys;
    use crate::names::{content_type, CipherSuite};
    use crate::record::{Protection, HEADER_LEN, MAX_PLAINTEXT};

    /// Longest inner plaintext here, one more than may be.
    const LONGEST: usize = MAX_PLAINTEXT + 2;

    type Buffer = [u8; HEADER_LEN + LONGEST + TAG_LEN];

    fn protection() -> Protection {
        Protection::new(TrafficKeys {
            suite: CipherSuite::Aes128GcmSha256,
            key: Secret::zeroed(),
            iv: Secret::zeroed(),
        })
    }

    /// What becomes of a record with `content` bytes, a type and zeros, which are `len` together.
    fn open(len: usize, content: usize, content_type: u8) -> Option<Result<(u8, usize), Alert>> {
        let mut record = zeroed::<Buffer>()?;
        let record = &mut record[..HEADER_LEN + len + TAG_LEN];
        let [high, low] = ((len + TAG_LEN) as u16).to_be_bytes();
        let (header, body) = record.split_at_mut(HEADER_LEN);
        header.copy_from_slice(&[content_type::APPLICATION_DATA, 3, 3, high, low]);
        let (inner, tag) = body.split_at_mut(len);
        inner[..content].fill(1);
        if let Some(to) = inner.get_mut(content) {
            *to = content_type;
        }
        let key = Platform::aead_key(CipherSuite::Aes128GcmSha256.aead(), &[0; 16])?;
        tag.copy_from_slice(&Platform::aead_seal(&key, &[0; 12], header, inner));
        Some(protection().open::<Platform>(record))
    }

    /// RFC 8446, section 5.4.
    #[test]
    fn inner_plaintext() {
        const HANDSHAKE: u8 = content_type::HANDSHAKE;
        for (len, content) in [
            (1, 0),
            (2, 0),
            (100, 99),
            (100, 5),
            (LONGEST - 1, 0),
            (LONGEST - 1, 36),
            (LONGEST - 1, MAX_PLAINTEXT),
        ] {
            assert!(open(len, content, HANDSHAKE) == Some(Ok((HANDSHAKE, content))));
        }
        // Nothing but zeros has no type.
        for len in [0, 1, 100, LONGEST - 1] {
            assert!(open(len, 0, 0) == Some(Err(Alert::UnexpectedMessage)));
        }
        // Padding counts as well.
        for content in [0, 36, MAX_PLAINTEXT, MAX_PLAINTEXT + 1] {
            assert!(open(LONGEST, content, HANDSHAKE) == Some(Err(Alert::RecordOverflow)));
        }
    }
}
