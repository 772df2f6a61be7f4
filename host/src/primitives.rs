// SPDX-License-Identifier: GPL-2.0
//! The primitives of lib/crypto's Rust code, called as they are in the kernel.

/// The functions of an implementation of [`Crypto`](crate::engine::crypto::Crypto) that are these
/// primitives, for a platform of all of them.
macro_rules! lib_crypto_primitives {
    () => {
        fn p256_ecdh(
            peer: &[u8; 65],
            public: &mut [u8; 65],
            shared: &mut [u8; 32],
        ) -> Result<(), BadShare> {
            let key = p256::PrivateKey::generate::<Self>();
            *public = p256::ecdh::<Self>(&key, peer, shared).map_err(|_| BadShare)?;
            Ok(())
        }

        fn mlkem768_encaps(
            key: &[u8; MLKEM768_KEY_LEN],
            ciphertext: &mut [u8; MLKEM768_CIPHERTEXT_LEN],
            shared: &mut [u8; 32],
            workspace: &mut mlkem::Scratch,
        ) -> Result<(), BadShare> {
            mlkem::encapsulate::<Self>(key, workspace, ciphertext, shared).map_err(|_| BadShare)
        }

        fn p256_public_key(key: &P256Key) -> Option<[u8; 65]> {
            let key = p256::PrivateKey::from_be_bytes(key.as_bytes())?;
            Some(key.public_key::<Self>())
        }

        fn p256_ecdsa_sign(
            key: &P256Key,
            digest: &[u8; 32],
            signature: &mut [u8; MAX_ECDSA_SIGNATURE],
        ) -> Result<usize, SignError> {
            let key = p256::PrivateKey::from_be_bytes(key.as_bytes()).ok_or(SignError)?;
            Ok(p256::ecdsa_sign::<Self>(&key, digest, signature))
        }

        fn rsa_pss_sign(
            key: &RsaKey,
            digest: &[u8; 32],
            signature: &mut [u8],
            workspace: &mut rsa_pss::Scratch,
        ) -> Result<usize, SignError> {
            // SAFETY: The words are as many as those of the key, which is made of integers.
            let key = unsafe { &*key.words().as_ptr().cast::<rsa_pss::PrivateKey>() };
            rsa_pss::sign_pss::<Self>(key, digest, workspace, signature).map_err(|_| SignError)
        }
    };
}
