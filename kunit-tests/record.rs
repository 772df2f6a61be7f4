// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_record))]
mod tests {
    use crate::engine::crypto::{Crypto, TAG_LEN};
    use crate::engine::ct::Secret;
    use crate::engine::keys::protection::Protection;
    use crate::engine::keys::schedule::TrafficKeys;
    use crate::engine::wire::alert::Alert;
    use crate::engine::wire::names::{content_type, CipherSuite};
    use crate::engine::wire::record::{HEADER_LEN, MAX_PLAINTEXT};
    use crate::tests::{hex, zeroed, Platform};

    fn protection(key: [u8; 16], iv: [u8; 12]) -> Protection {
        let mut padded = [0; 32];
        padded[..16].copy_from_slice(&key);
        Protection::new(TrafficKeys {
            suite: CipherSuite::Aes128GcmSha256,
            key: Secret::new(padded),
            iv: Secret::new(iv),
        })
    }

    /// RFC 8448, section 3: the server's records of application data.
    fn server() -> Protection {
        protection(
            hex("9f02283b6c9c07efc26bb9f2ac92e356"),
            hex("cf782b88dd83549aadf1e984"),
        )
    }

    /// And the client's of the handshake.
    fn client() -> Protection {
        protection(
            hex("dbfaa693d1762c5b666af5d950258d01"),
            hex("5bd3c71b836e0b76bb73265f"),
        )
    }

    const FINISHED: [u8; 58] = hex(concat!(
        "170303003575ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc",
        "44d87f38f80338ac98fc46deb384bd1caeacab6867d726c40546"
    ));

    #[test]
    fn rfc8448_seal() {
        let mut server = server();
        // Sequence number 0 is the ticket's.
        let mut ticket = [0; 5 + 1 + 17];
        assert!(server.seal::<Platform>(&mut ticket, 22, 1) == Ok(ticket.len()));
        let mut record = [0; 72];
        for (byte, value) in record[5..55].iter_mut().zip(0..) {
            *byte = value;
        }
        assert!(server.seal::<Platform>(&mut record, 23, 50) == Ok(record.len()));
        assert!(
            record
                == hex::<72>(concat!(
                    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36",
                    "e30efaf97d90e6dffc602dcb501a59a8fcc49c4bf2e5f0a21c0047c2abf33254",
                    "0dd032e167c2955d"
                ))
        );
        let mut record = [0; 24];
        record[5..7].copy_from_slice(&[1, 0]);
        assert!(server.seal::<Platform>(&mut record, 21, 2) == Ok(record.len()));
        assert!(record == hex::<24>("1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9"));
        assert!(server.seq() == 3);
    }

    #[test]
    fn rfc8448_open() {
        let mut client = client();
        let mut record = FINISHED;
        assert!(client.open::<Platform>(&mut record) == Ok((22, 36)));
        assert!(
            record[5..41]
                == hex::<36>(concat!(
                    "14000020",
                    "a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce61"
                ))
        );
        assert!(client.seq() == 1);
        // Under another sequence number, or with one bit changed anywhere, it is none; nor does
        // the sequence number advance.
        let mut record = FINISHED;
        assert!(client.open::<Platform>(&mut record) == Err(Alert::BadRecordMac));
        assert!(client.seq() == 1);
        for at in 0..FINISHED.len() {
            let mut record = FINISHED;
            record[at] ^= 1;
            assert!(self::client().open::<Platform>(&mut record) == Err(Alert::BadRecordMac));
        }
    }

    /// Longest inner plaintext here, one more than may be.
    const LONGEST: usize = MAX_PLAINTEXT + 2;

    type Buffer = [u8; HEADER_LEN + LONGEST + TAG_LEN];

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
        *tag.first_chunk_mut()? =
            Platform::with_aead_key(CipherSuite::Aes128GcmSha256.aead(), &[0; 16], |key| {
                Platform::aead_seal(key, &[0; 12], header, inner)
            })?;
        Some(protection([0; 16], [0; 12]).open::<Platform>(record))
    }

    /// RFC 9846, section 5.4.
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
