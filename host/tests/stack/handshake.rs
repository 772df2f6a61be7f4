// SPDX-License-Identifier: GPL-2.0
//! What handshakes leave on the stack.

#[path = "mod.rs"]
mod below;

use super::resumption::{at, Client, KEYS, NOW};
use super::*;
use below::{call, clear, left_by, Leftovers};
use std::cell::RefCell;
use std::hint::black_box;
use tls_handshake_host::ct::wipe_stack;
use tls_handshake_host::engine::crypto::*;

/// [`HostCrypto`], which takes note of all secrets and leaves none of them on the stack: what is
/// left is left by the engine.
struct Spy;

std::thread_local! {
    static SECRETS: RefCell<Vec<(String, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
}

#[inline(never)]
fn note(name: &str, secret: &[u8]) {
    SECRETS.with_borrow_mut(|all| all.push((name.to_string(), secret.to_vec())));
}

/// A prepared key, and whether it is that of a Finished.
struct SpyKey(<HostCrypto as Crypto>::HmacKey, bool);

/// Takes note of the output of a HMAC.
fn note_output(input: &[u8], output: &[u8]) {
    let Some(start) = input.windows(6).position(|w| w == b"tls13 ") else {
        // SHA-384 has no zeroes at its end, but for once in a while.
        let len = if output[32..] == [0; 16] { 32 } else { 48 };
        return note("HMAC", &output[..len]);
    };
    let label = &input[start..][..usize::from(input[start - 1])];
    let len = usize::from(u16::from_be_bytes([input[start - 3], input[start - 2]]));
    let len = len.min(output.len());
    note(std::str::from_utf8(label).unwrap(), &output[..len]);
}

fn is_noted(name: &str, secret: &[u8]) -> bool {
    SECRETS.with_borrow(|all| all.iter().any(|(n, s)| n == name && s == secret))
}

/// Calls something that leaves nothing on the stack.
#[inline(never)]
fn clean<T>(run: impl FnOnce() -> T) -> T {
    let result = call(run);
    clear();
    result
}

/// Takes note of what a key exchange has agreed on.
#[inline(never)]
fn secret_of(
    name: &str,
    shared: &mut [u8; 32],
    exchange: impl FnOnce(&mut [u8; 32]) -> Result<(), BadShare>,
) -> Result<(), BadShare> {
    clean(|| {
        let result = exchange(shared);
        note(name, shared);
        result
    })
}

impl Crypto for Spy {
    type Hash = <HostCrypto as Crypto>::Hash;
    type HmacKey = SpyKey;
    type AeadKey = <HostCrypto as Crypto>::AeadKey;
    type MlKemWorkspace = <HostCrypto as Crypto>::MlKemWorkspace;
    type RsaWorkspace = <HostCrypto as Crypto>::RsaWorkspace;

    fn hash_init(alg: HashAlg) -> Self::Hash {
        HostCrypto::hash_init(alg)
    }
    fn hash_update(hash: &mut Self::Hash, data: &[u8]) {
        HostCrypto::hash_update(hash, data)
    }
    #[inline(never)]
    fn hash_final(hash: Self::Hash) -> [u8; MAX_HASH_LEN] {
        HostCrypto::hash_final(hash)
    }
    #[inline(never)]
    fn hmac_key(alg: HashAlg, raw: &[u8]) -> SpyKey {
        clean(|| {
            SpyKey(
                HostCrypto::hmac_key(alg, raw),
                is_noted("tls13 finished", raw),
            )
        })
    }
    #[inline(never)]
    fn hmac<const N: usize>(key: &SpyKey, parts: [&[u8]; N], out: &mut [u8; MAX_HASH_LEN]) {
        clean(|| {
            let input = parts.concat();
            HostCrypto::hmac(&key.0, [&input], out);
            // What a Finished holds is sent. The first nonce is an IV, and there are copies of it.
            if !key.1 && !input.windows(8).any(|w| w == b"tls13 iv") {
                note_output(&input, out);
            }
        })
    }
    #[inline(never)]
    fn with_aead_key<T>(
        alg: AeadAlg,
        raw: &[u8],
        run: impl FnOnce(&Self::AeadKey) -> T,
    ) -> Option<T> {
        clean(|| note("AEAD key", raw));
        HostCrypto::with_aead_key(alg, raw, run)
    }
    #[inline(never)]
    fn aead_seal(
        key: &Self::AeadKey,
        nonce: &[u8; 12],
        aad: &[u8],
        buf: &mut [u8],
    ) -> [u8; TAG_LEN] {
        clean(|| HostCrypto::aead_seal(key, nonce, aad, buf))
    }
    #[inline(never)]
    fn aead_open(
        key: &Self::AeadKey,
        nonce: &[u8; 12],
        aad: &[u8],
        buf: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), BadTag> {
        clean(|| HostCrypto::aead_open(key, nonce, aad, buf, tag))
    }
    #[inline(never)]
    fn x25519(
        peer: &[u8; 32],
        public: &mut [u8; 32],
        shared: &mut [u8; 32],
    ) -> Result<(), BadShare> {
        secret_of("X25519", shared, |shared| {
            HostCrypto::x25519(peer, public, shared)
        })
    }
    #[inline(never)]
    fn p256_ecdh(
        peer: &[u8; 65],
        public: &mut [u8; 65],
        shared: &mut [u8; 32],
    ) -> Result<(), BadShare> {
        secret_of("P-256", shared, |shared| {
            HostCrypto::p256_ecdh(peer, public, shared)
        })
    }
    #[inline(never)]
    fn mlkem768_encaps(
        key: &[u8; MLKEM768_KEY_LEN],
        ciphertext: &mut [u8; MLKEM768_CIPHERTEXT_LEN],
        shared: &mut [u8; 32],
        workspace: &mut Self::MlKemWorkspace,
    ) -> Result<(), BadShare> {
        secret_of("ML-KEM", shared, |shared| {
            HostCrypto::mlkem768_encaps(key, ciphertext, shared, workspace)
        })
    }
    fn p256_public_key(key: &P256Key) -> Option<[u8; 65]> {
        HostCrypto::p256_public_key(key)
    }
    #[inline(never)]
    fn p256_ecdsa_sign(
        key: &P256Key,
        digest: &[u8; 32],
        signature: &mut [u8; MAX_ECDSA_SIGNATURE],
    ) -> Result<usize, SignError> {
        clean(|| HostCrypto::p256_ecdsa_sign(key, digest, signature))
    }
    fn rsa_key(key: &mut RsaKey, numbers: &RsaNumbers<'_>) -> Result<(), RsaKeyError> {
        HostCrypto::rsa_key(key, numbers)
    }
    #[inline(never)]
    fn rsa_pss_sign(
        key: &RsaKey,
        digest: &[u8; 32],
        signature: &mut [u8],
        workspace: &mut Self::RsaWorkspace,
    ) -> Result<usize, SignError> {
        clean(|| HostCrypto::rsa_pss_sign(key, digest, signature, workspace))
    }
    #[inline(never)]
    fn random(buf: &mut [u8]) {
        clean(|| HostCrypto::random(buf))
    }
}

/// Something that is done after each call of the engine.
type After = fn(&mut Session);

/// What is found of all secrets, in all leftovers.
fn found(all: &[Leftovers]) -> Vec<String> {
    let mut found = Vec::new();
    SECRETS.with_borrow(|secrets| {
        assert!(secrets.len() > 20);
        for (name, secret) in secrets {
            if all.iter().any(|left| left.copies_of(secret) != 0) && !found.contains(name) {
                found.push(name.clone());
            }
        }
    });
    found
}

/// What a server does after the handshake.
#[inline(never)]
fn use_keys(session: &mut Session) {
    for sending in [true, false] {
        black_box(connection(session).traffic_keys::<Spy>(sending).key());
        black_box(
            connection(session)
                .update_traffic_keys::<Spy>(sending)
                .key(),
        );
    }
    let mut out = vec![0; 64];
    assert!(connection(session).export::<Spy>(b"EXPORTER-test", b"", &mut out));
}

/// What a handshake leaves after each call of the engine that is followed by `after`.
fn left(
    config: &Config<'_>,
    one: &One,
    client: &mut rustls::ClientConnection,
    after: After,
) -> Vec<Leftovers> {
    let mut all = Vec::new();
    let mut session = Box::new(Session::new());
    // SAFETY: Zeroes are a valid value.
    let mut scratch: Box<Scratch<Spy>> = unsafe { tls_handshake_host::zeroed() };
    let (mut input, mut out) = (Vec::new(), vec![0; 48 * 1024]);
    loop {
        let (step, leftovers) = left_by(|| {
            let step = session.advance::<Spy>(config, one, &mut input, &mut out, &mut scratch);
            after(&mut session);
            step
        });
        all.push(leftovers);
        match step {
            Step::More { consumed, .. } => {
                input.drain(..consumed);
                client.write_tls(&mut input).unwrap();
            }
            Step::Send { consumed, written } => {
                input.drain(..consumed);
                client.read_tls(&mut &out[..written]).unwrap();
                client.process_new_packets().unwrap();
            }
            Step::Done { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    let (_, leftovers) = left_by(|| {
        use_keys(&mut session);
        after(&mut session);
    });
    all.push(leftovers);
    all
}

/// What is left by handshakes of all kinds.
fn left_by_handshakes(after: After) -> Vec<String> {
    let (one, root) = identity("ec -pkeyopt ec_paramgen_curve:P-256");
    let config = at(&KEYS[..1], NOW);
    let mut all = Vec::new();
    SECRETS.take();
    for (suite, group) in [(0x1301, 29), (0x1302, HYBRID), (0x1303, 23)] {
        let client = Client::new(&[&root], suite, &[group]);
        for kind in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed] {
            let mut client = client.connection();
            all.extend(left(&config, &one, &mut client, after));
            assert_eq!(client.handshake_kind(), Some(kind));
        }
    }
    found(&all)
}

/// As where the kernel calls the engine.
#[test]
fn wiped_stack() {
    let nothing: [&str; 0] = [];
    assert_eq!(left_by_handshakes(|_| wipe_stack()), nothing);
}

/// What has a place of its own is wiped there, whatever is done afterwards.
#[test]
fn not_wiped() {
    let nothing: [&str; 0] = [];
    assert_eq!(left_by_handshakes(|_| ()), nothing);
}

/// Who copies a secret of the session is found.
#[test]
fn planted_leak() {
    #[inline(never)]
    fn careless(session: &mut Session) {
        if let Some(connection) = session.connection() {
            let keys = connection.traffic_keys::<Spy>(true);
            // In the middle, as the ends may be used for something else.
            let mut copy = [[0; 32], *keys.key, [0; 32]];
            black_box(&mut copy);
        }
    }
    let left = left_by_handshakes(careless);
    assert!(
        left.iter().any(|name| name == "tls13 key") || below::is_elsewhere(),
        "{left:?}"
    );
    let nothing: [&str; 0] = [];
    let left = left_by_handshakes(|session| {
        careless(session);
        wipe_stack();
    });
    assert_eq!(left, nothing);
}
