// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_key_exchange))]
mod tests {
    use crate::engine::crypto::{Crypto, MLKEM768_CIPHERTEXT_LEN, MLKEM768_KEY_LEN};
    use crate::engine::keys::key_exchange::SharedSecret;
    use crate::engine::wire::alert::Alert;
    use crate::engine::wire::codec::Writer;
    use crate::engine::wire::names::Group;
    use crate::tests::{hex, zeroed, Platform};

    const HYBRID: Group = Group::X25519MlKem768;
    const PEER_LEN: usize = MLKEM768_KEY_LEN + 32;
    const SHARE_LEN: usize = MLKEM768_CIPHERTEXT_LEN + 32;

    /// RFC 8448, section 3: the client's key of X25519.
    const CLIENT_PUBLIC: [u8; 32] =
        hex("99381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c");

    /// Memory that is too large for a stack.
    struct Memory {
        scratch: <Platform as Crypto>::MlKemWorkspace,
        peer: [u8; PEER_LEN + 1],
        share: [u8; SHARE_LEN],
    }

    impl Memory {
        fn fill(&mut self) {
            let (key, x25519) = self.peer.split_at_mut(MLKEM768_KEY_LEN);
            // Numbers that are reduced.
            key.fill(0x12);
            x25519[..32].copy_from_slice(&CLIENT_PUBLIC);
        }

        /// What becomes of the first `len` bytes of the peer's share.
        fn exchange(&mut self, group: Group, len: usize) -> Result<usize, Alert> {
            let mut w = Writer::new(&mut self.share);
            SharedSecret::new().exchange::<Platform>(
                group,
                &self.peer[..len],
                &mut w,
                &mut self.scratch,
            )?;
            Ok(w.position())
        }
    }

    #[test]
    fn fresh_randomness() {
        let mut memory = zeroed::<[Memory; 2]>().unwrap();
        for m in memory.iter_mut() {
            m.fill();
            assert!(m.exchange(HYBRID, PEER_LEN) == Ok(SHARE_LEN));
        }
        let [a, b] = &*memory;
        assert!(a.share[..MLKEM768_CIPHERTEXT_LEN] != b.share[..MLKEM768_CIPHERTEXT_LEN]);
        assert!(a.share[MLKEM768_CIPHERTEXT_LEN..] != b.share[MLKEM768_CIPHERTEXT_LEN..]);
    }

    #[test]
    fn shares_of_another_length() {
        const ILLEGAL: Result<usize, Alert> = Err(Alert::IllegalParameter);

        let mut memory = zeroed::<Memory>().unwrap();
        memory.fill();
        for len in [0, 32, MLKEM768_KEY_LEN, PEER_LEN - 1, PEER_LEN + 1] {
            assert!(memory.exchange(HYBRID, len) == ILLEGAL);
        }
        for len in [0, 31, 33, PEER_LEN] {
            assert!(memory.exchange(Group::X25519, len) == ILLEGAL);
        }
        for len in [0, 33, 64, 66] {
            assert!(memory.exchange(Group::Secp256r1, len) == ILLEGAL);
        }
    }

    /// A key that is not reduced (FIPS 203, section 7.2), or a point of small order behind one that
    /// is (RFC 7748, section 6.1).
    #[test]
    fn bad_halves() {
        let mut memory = zeroed::<Memory>().unwrap();
        memory.fill();
        let first = [memory.peer[0], memory.peer[1]];
        memory.peer[0] = 0xff;
        memory.peer[1] |= 0x0f;
        assert!(memory.exchange(HYBRID, PEER_LEN) == Err(Alert::IllegalParameter));
        memory.peer[..2].copy_from_slice(&first);
        assert!(memory.exchange(HYBRID, PEER_LEN) == Ok(SHARE_LEN));
        memory.peer[MLKEM768_KEY_LEN..].fill(0);
        assert!(memory.exchange(HYBRID, PEER_LEN) == Err(Alert::IllegalParameter));
    }

    /// A buffer without room for the share.
    #[test]
    fn no_room() {
        let mut memory = zeroed::<Memory>().unwrap();
        let m = &mut *memory;
        m.fill();
        for room in [
            0,
            MLKEM768_CIPHERTEXT_LEN - 1,
            MLKEM768_CIPHERTEXT_LEN,
            SHARE_LEN - 1,
        ] {
            let mut w = Writer::new(&mut m.share[..room]);
            let got = SharedSecret::new().exchange::<Platform>(
                HYBRID,
                &m.peer[..PEER_LEN],
                &mut w,
                &mut m.scratch,
            );
            assert!(got == Err(Alert::InternalError));
        }
    }
}
