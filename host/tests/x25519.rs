// SPDX-License-Identifier: GPL-2.0
//! X25519: the vectors of RFC 7748, and ring and dalek on random input, with the assembly and
//! without. Project Wycheproof's vectors are in wycheproof.rs.

use rand::Rng;
use ring::agreement::{agree_ephemeral, EphemeralPrivateKey, UnparsedPublicKey};
use tls_handshake_host::host_platform::{without_assembly, HostCrypto};
use tls_handshake_host::{rounds, x25519};

const BASE_POINT: [u8; 32] = number(9, 0);

/// A little-endian number of which only the lowest and the highest byte are not zero.
const fn number(low: u8, high: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = low;
    bytes[31] = high;
    bytes
}

fn bytes(hex: &str) -> [u8; 32] {
    std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
}

/// The public key of a private key, and the secret shared with a peer.
fn agree(private: &[u8; 32], peer: &[u8; 32]) -> ([u8; 32], Option<[u8; 32]>) {
    let run = || {
        let (mut public, mut shared) = ([0; 32], [0; 32]);
        let usable = x25519::exchange::<HostCrypto>(private, peer, &mut public, &mut shared);
        assert_eq!(usable, shared != [0; 32]);
        // One by one.
        let mut alone = [0xff; 32];
        x25519::public_key::<HostCrypto>(private, &mut alone);
        assert_eq!(alone, public);
        let same = x25519::shared_secret::<HostCrypto>(private, peer, &mut alone);
        assert_eq!((same, alone), (usable, shared));
        (public, usable.then_some(shared))
    };
    let result = run();
    assert_eq!(without_assembly(run), result);
    result
}

/// RFC 7748, section 5.2.
#[test]
fn vectors() {
    let check = |private, peer, want| {
        let (_, shared) = agree(&bytes(private), &bytes(peer));
        assert_eq!(shared, Some(bytes(want)));
    };
    check(
        "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    );
    check(
        "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
        "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
    );
}

/// RFC 7748, section 5.2: what is shared becomes the private key, which becomes the peer's.
#[test]
fn iterated() {
    let (mut k, mut u) = (BASE_POINT, BASE_POINT);
    for i in 1..=rounds(1).clamp(1_000, 1_000_000) {
        let (_, shared) = agree(&k, &u);
        (u, k) = (k, shared.unwrap());
        match i {
            1 => assert_eq!(
                k,
                bytes("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")
            ),
            1_000 => assert_eq!(
                k,
                bytes("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")
            ),
            1_000_000 => assert_eq!(
                k,
                bytes("7c3911e0ab2586fd864497297e575e6f3bc601c0883c30df5f4dd2d24f665424")
            ),
            _ => {}
        }
    }
}

/// RFC 7748, section 6.1.
#[test]
fn diffie_hellman() {
    let alice = bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let bob = bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let shared = bytes("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    let alice_public = bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    let bob_public = bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    assert_eq!(agree(&alice, &bob_public), (alice_public, Some(shared)));
    assert_eq!(agree(&bob, &alice_public), (bob_public, Some(shared)));
}

#[test]
fn agreement_with_others() {
    let rng = ring::rand::SystemRandom::new();
    for _ in 0..rounds(1) {
        let theirs = EphemeralPrivateKey::generate(&ring::agreement::X25519, &rng).unwrap();
        let peer = theirs.compute_public_key().unwrap();
        let private: [u8; 32] = rand::random();
        let (public, shared) = agree(&private, peer.as_ref().try_into().unwrap());
        assert_eq!(public, x25519_dalek::x25519(private, BASE_POINT));
        let ours = UnparsedPublicKey::new(&ring::agreement::X25519, public);
        agree_ephemeral(theirs, &ours, |theirs| {
            assert_eq!(Some(theirs), shared.as_ref().map(|s| &s[..]))
        })
        .unwrap();
    }
}

/// Peers' keys that nobody has the private keys of, half of them on the twist.
#[test]
fn any_peers() {
    for _ in 0..rounds(1) {
        let (private, peer) = (rand::random(), rand::random());
        let (_, shared) = agree(&private, &peer);
        assert_eq!(shared, Some(x25519_dalek::x25519(private, peer)));
    }
}

/// Numbers of which limbs are all ones or all zeroes, and those around, where carries are rare.
fn sparse() -> [u8; 32] {
    let mut random = rand::thread_rng();
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 32 {
        let len = random.gen_range(1..=32 - i);
        bytes[i..i + len].fill(if random.gen() { 0xff } else { 0 });
        i += len;
    }
    bytes[random.gen_range(0..32)] ^= 1 << random.gen_range(0..8);
    bytes
}

#[test]
fn sparse_numbers() {
    for _ in 0..rounds(1) {
        let (private, peer) = (sparse(), sparse());
        let (public, shared) = agree(&private, &peer);
        assert_eq!(public, x25519_dalek::x25519(private, BASE_POINT));
        assert_eq!(
            shared.unwrap_or([0; 32]),
            x25519_dalek::x25519(private, peer)
        );
    }
}

/// Scalars of which digits, carries and runs of ones or zeroes are at all places.
#[test]
fn public_keys_of_sparse_scalars() {
    let mut scalars = Vec::new();
    for i in 0..256 {
        for j in 0..=i {
            let mut sum = [0u8; 32];
            sum[i / 8] |= 1 << (i % 8);
            sum[j / 8] |= 1 << (j % 8);
            scalars.push(sum);
            // 2^i - 2^j
            let mut run = [0u8; 32];
            for bit in j..i {
                run[bit / 8] |= 1 << (bit % 8);
            }
            scalars.push(run);
        }
    }
    let step = (1_000_000 / rounds(1)).clamp(1, 97);
    for scalar in scalars.iter().step_by(step) {
        let want = x25519_dalek::x25519(*scalar, BASE_POINT);
        // The base point is a peer's key like another.
        assert_eq!(agree(scalar, &BASE_POINT), (want, Some(want)));
    }
}

/// Numbers from p to 2^255 - 1 are valid (RFC 7748, section 5), and so is the highest bit.
#[test]
fn not_canonical() {
    let private = rand::random();
    for i in 0..19 {
        // p + i
        let mut peer = [0xff; 32];
        (peer[0], peer[31]) = (0xed + i, 0x7f);
        let reduced = agree(&private, &number(i, 0));
        assert_eq!(agree(&private, &peer), reduced);
        peer[31] = 0xff;
        assert_eq!(agree(&private, &peer), reduced);
        assert_eq!(agree(&private, &number(i, 0x80)), reduced);
        // 0 and 1 are of low order.
        assert_eq!(reduced.1.is_some(), i > 1);
    }
}

/// The points of small order on the curve and on its twist (<https://cr.yp.to/ecdh.html#validate>):
/// nothing is shared, whatever the private key, and the public key is right.
#[test]
fn low_order() {
    let order_8 = [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    let mut peers: Vec<_> = order_8.iter().map(|hex| bytes(hex)).collect();
    for i in [0, 1, 0xec, 0xed, 0xee] {
        // 0, 1, p - 1, p, p + 1
        let mut peer = number(i, 0);
        if i > 1 {
            peer[1..].fill(0xff);
            peer[31] = 0x7f;
        }
        peers.push(peer);
    }
    for peer in peers {
        let private: [u8; 32] = rand::random();
        let public = x25519_dalek::x25519(private, BASE_POINT);
        assert_eq!(agree(&private, &peer), (public, None));
    }
}
