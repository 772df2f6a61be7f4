// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_identity))]
mod tests {
    use crate::config::NoIdentity;
    use crate::identity::{select, IdentityError, Name, NameIndex, Payload, PrivateKey, PublicKey};
    use crate::names::Scheme::{self, EcdsaSecp256r1Sha256 as Ecdsa, RsaPssRsaeSha256 as Rsa};
    use crate::p256;
    use crate::tests::{hex, Platform};

    /// A certificate of OpenSSL for example.org, *.Example.net and 127.0.0.1.
    const CERTIFICATE: [u8; 451] = hex(concat!(
        "308201bf30820165a0030201020214206ae311f447fedb45e457eaa750eb7f86",
        "eddcba300a06082a8648ce3d04030230163114301206035504030c0b6578616d",
        "706c652e6f72673020170d3236313132333230343635315a180f323132363130",
        "33303230343635315a30163114301206035504030c0b6578616d706c652e6f72",
        "673059301306072a8648ce3d020106082a8648ce3d03010703420004cb9f04c1",
        "5342edd54dd207d21d695812bb06ac8f13cb99da6506d21a19d15162adb1c017",
        "4ccef6bd797390ed14721700a38b5e1fdb8f717034985be9cc1bb8d5a3818e30",
        "818b301d0603551d0e04160414772f313790d4b82ba638a8e03dffb8b02ae008",
        "e5301f0603551d23041830168014772f313790d4b82ba638a8e03dffb8b02ae0",
        "08e5300f0603551d130101ff040530030101ff302b0603551d1104243022820b",
        "6578616d706c652e6f7267820d2a2e4578616d706c652e6e657487047f000001",
        "300b0603551d0f040403020780300a06082a8648ce3d04030203480030450220",
        "5bb6ed7c3593e12c34f43e942e2575e2158cfee4282c1b69e19efeeddfedbe92",
        "022100acc5ed6016d5fdfadb45ad9301bbe89e0dfbc75de55c4c4b2910a2e6c9",
        "35b324"
    ));

    /// Its private key, as PKCS#8.
    const KEY: [u8; 138] = hex(concat!(
        "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b02",
        "01010420be5703d94292d95ec930c717b488cbf81bc3ecf2871e24a170a132d1",
        "c8b22313a14403420004cb9f04c15342edd54dd207d21d695812bb06ac8f13cb",
        "99da6506d21a19d15162adb1c0174ccef6bd797390ed14721700a38b5e1fdb8f",
        "717034985be9cc1bb8d5"
    ));

    const LEN: usize = CERTIFICATE.len() + KEY.len();

    fn payload() -> [u8; LEN] {
        let mut payload = [0; LEN];
        payload[..CERTIFICATE.len()].copy_from_slice(&CERTIFICATE);
        payload[CERTIFICATE.len()..].copy_from_slice(&KEY);
        payload
    }

    #[test]
    fn good_payload() {
        let bytes = payload();
        let payload = Payload::parse(&bytes);
        assert!(payload.is_ok());
        let Ok(payload) = payload else {
            return;
        };
        assert!(payload.chain == CERTIFICATE && payload.certificates == 1);
        let keys = (&payload.public, &payload.private);
        assert!(matches!(keys, (PublicKey::P256(_), PrivateKey::P256(_))));
        let (PublicKey::P256(point), PrivateKey::P256(scalar)) = keys else {
            return;
        };
        let key = p256::PrivateKey::from_be_bytes(scalar);
        assert!(key.is_some_and(|k| k.public_key::<Platform>() == **point));
        let mut names = payload.dns_names();
        assert!(names.next() == Some(b"example.org"));
        assert!(names.next() == Some(b"*.Example.net"));
        assert!(names.next().is_none());

        let mut message = [0; CERTIFICATE.len() + 13];
        assert!(payload.certificate_len() == message.len());
        assert!(payload.write_certificate(&mut message).is_ok());
        assert!(message[0] == 11 && message[4] == 0);
        assert!(message[11..11 + CERTIFICATE.len()] == CERTIFICATE);
        assert!(message[11 + CERTIFICATE.len()..] == [0, 0]);
    }

    #[test]
    fn chains() {
        let mut bytes = [0; 2 * CERTIFICATE.len() + KEY.len()];
        bytes[..CERTIFICATE.len()].copy_from_slice(&CERTIFICATE);
        bytes[CERTIFICATE.len()..].copy_from_slice(&payload());
        assert!(Payload::parse(&bytes).is_ok_and(|p| p.certificates == 2));
    }

    #[test]
    fn missing_parts() {
        assert!(Payload::parse(&[]).err() == Some(IdentityError::NoCertificate));
        assert!(Payload::parse(&KEY).err() == Some(IdentityError::NoCertificate));
        assert!(Payload::parse(&CERTIFICATE).err() == Some(IdentityError::NoKey));
        let mut bytes = [0; LEN + 1];
        bytes[..LEN].copy_from_slice(&payload());
        assert!(Payload::parse(&bytes).err() == Some(IdentityError::TrailingData));
    }

    /// A payload that ends too early is refused wherever it ends.
    #[test]
    fn truncated() {
        let bytes = payload();
        for len in 0..LEN {
            assert!(Payload::parse(&bytes[..len]).is_err());
        }
    }

    /// Whatever one byte is, nothing bad happens.
    #[test]
    fn mutated() {
        let mut bytes = payload();
        for i in 0..LEN {
            for flip in [1, 0x80, 0xff] {
                bytes[i] ^= flip;
                if let Ok(payload) = Payload::parse(&bytes) {
                    assert!(payload.dns_names().count() <= LEN);
                }
                bytes[i] ^= flip;
            }
        }
    }

    #[test]
    fn names() {
        let normal = |name: &[u8]| Name::new(name);
        assert!(normal(b"WWW.Example.ORG.").is_some_and(|n| n.as_bytes() == b"www.example.org"));
        assert!(normal(b"").is_none() && normal(b".").is_none());
        assert!(normal(&[b'a'; 253]).is_some() && normal(&[b'a'; 254]).is_none());
        let wildcard = |name: &[u8]| {
            let mut name = Name::new(name)?;
            name.make_wildcard().then_some(name)
        };
        assert!(wildcard(b"www.example.org").is_some_and(|n| n.as_bytes() == b"*.example.org"));
        assert!(wildcard(b"a.b").is_some_and(|n| n.as_bytes() == b"*.b"));
        assert!(wildcard(b"localhost").is_none() && wildcard(b".org").is_none());
    }

    /// Names and schemes of identities, by number.
    struct Index(&'static [(&'static [u8], Scheme)]);

    impl NameIndex for Index {
        fn with_name(&self, name: &[u8]) -> impl Iterator<Item = usize> + Clone {
            let mut found = [None; 8];
            let matching = self.0.iter().enumerate().filter(|(_, (n, _))| *n == name);
            for (slot, (number, _)) in found.iter_mut().zip(matching) {
                *slot = Some(number);
            }
            found.into_iter().flatten()
        }
        fn count(&self) -> usize {
            self.0.len()
        }
        fn scheme(&self, identity: usize) -> Scheme {
            self.0[identity].1
        }
    }

    const INDEX: Index = Index(&[
        (b"a.example", Ecdsa),
        (b"b.example", Ecdsa),
        (b"b.example", Rsa),
        (b"*.example", Rsa),
    ]);

    fn find(
        name: Option<&[u8]>,
        strict: bool,
        schemes: &'static [Scheme],
    ) -> Result<(usize, bool), NoIdentity> {
        select(&INDEX, name, strict, &mut schemes.iter().copied())
    }

    #[test]
    fn selection() {
        let both: &[Scheme] = &[Ecdsa, Rsa];
        assert!(find(None, false, both) == Ok((0, false)));
        assert!(find(None, true, both) == Ok((0, false)));
        assert!(find(Some(b"a.example"), false, both) == Ok((0, true)));
        assert!(find(Some(b"B.Example."), false, both) == Ok((1, true)));
        assert!(find(Some(b"b.example"), false, &[Rsa, Ecdsa]) == Ok((2, true)));
        assert!(find(Some(b"b.example"), false, &[Rsa]) == Ok((2, true)));
        assert!(find(Some(b"c.example"), false, both) == Ok((3, true)));
        // A name that is there but cannot be proved is not replaced by another.
        assert!(find(Some(b"a.example"), false, &[Rsa]) == Err(NoIdentity::NoScheme));
        // A wildcard covers one label.
        assert!(find(Some(b"d.c.example"), false, both) == Ok((0, false)));
        assert!(find(Some(b"d.c.example"), true, both) == Err(NoIdentity::UnknownName));
        assert!(find(Some(b"other"), true, both) == Err(NoIdentity::UnknownName));
        assert!(find(Some(&[b'a'; 300]), true, both) == Err(NoIdentity::UnknownName));
        // Without a name, the first one that the client can verify.
        assert!(find(None, false, &[Rsa]) == Ok((2, false)));
        assert!(find(None, false, &[]) == Err(NoIdentity::NoScheme));
        let none = select(&Index(&[]), None, false, &mut both.iter().copied());
        assert!(none == Err(NoIdentity::Empty));
    }
}
