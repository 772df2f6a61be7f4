// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_identity))]
mod tests {
    use crate::engine::crypto::{Crypto, P256Key};
    use crate::engine::policy::chain::{is_issued_by, Signatures};
    use crate::engine::policy::identity::{
        is_point, select, IdentityError, NameIndex, Payload, PrivateKey, PublicKey, Validity,
    };
    use crate::engine::policy::settings::{ClientConstraints, NoIdentity};
    use crate::engine::wire::alert::Alert;
    use crate::engine::wire::certificate_authorities::Authorities;
    use crate::engine::wire::codec::{Reader, U16List};
    use crate::engine::wire::der::Der;
    use crate::engine::wire::names::Scheme::{
        self, EcdsaSecp256r1Sha256 as Ecdsa, RsaPssRsaeSha256 as Rsa,
    };
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
        let key = P256Key::new(scalar).unwrap();
        assert!(Platform::p256_public_key(&key).is_some_and(|public| public == **point));
        // 2026-11-23 20:46:51 to 2126-10-30 20:46:51, as GNU date counts.
        let validity = Validity {
            not_before: 1_795_466_811,
            not_after: 4_949_066_811,
        };
        assert!(payload.validity == validity);
        for (now, valid) in [
            (-1, false),
            (0, true),
            (3_153_600_000, true),
            (3_153_600_001, false),
        ] {
            assert!(validity.contains((validity.not_before + now) as u64) == valid);
        }
        assert!(!validity.contains(0) && !validity.contains(u64::MAX));
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

    #[test]
    fn points() {
        let bytes = payload();
        let Ok(payload) = Payload::parse(&bytes) else {
            return;
        };
        let PublicKey::P256(point) = payload.public else {
            return;
        };
        let Ok(point) = <&[u8; 65]>::try_from(point) else {
            return;
        };
        // Its y is odd.
        assert!(point[64] & 1 == 1);
        let mut short = [3; 33];
        short[1..].copy_from_slice(&point[1..33]);
        assert!(is_point(point, point) && is_point(point, &short));
        let mut odd_y = short;
        odd_y[0] = 2;
        let mut other_x = short;
        other_x[32] ^= 1;
        let mut hybrid = *point;
        hybrid[0] = 7;
        let mut other_y = *point;
        other_y[64] ^= 1;
        for other in [
            &[][..],
            &[3],
            &short[..32],
            &point[..64],
            &odd_y,
            &other_x,
            &hybrid,
            &other_y,
        ] {
            assert!(!is_point(point, other));
        }
    }

    /// RFC 5280, section 4.1.2.5; seconds as GNU date counts them.
    #[test]
    fn times() {
        const UTC: u8 = 0x17;
        const GENERALIZED: u8 = 0x18;
        let time = |tag: u8, text: &[u8]| {
            let mut der = [0; 24];
            der[0] = tag;
            der[1] = text.len() as u8;
            der[2..2 + text.len()].copy_from_slice(text);
            Der::new(&der[..2 + text.len()]).time().ok()
        };
        for (tag, text, want) in [
            (UTC, &b"700101000000Z"[..], 0),
            (UTC, b"700101000001Z", 1),
            (UTC, b"691231235959Z", -1),
            (UTC, b"500101000000Z", -631_152_000),
            (UTC, b"491231235959Z", 2_524_607_999),
            (UTC, b"000229120000Z", 951_825_600),
            (UTC, b"261128235900Z", 1_795_910_340),
            (GENERALIZED, b"19691231235959Z", -1),
            (GENERALIZED, b"20500101000000Z", 2_524_608_000),
            (GENERALIZED, b"21000301000000Z", 4_107_542_400),
            (GENERALIZED, b"24000229000000Z", 13_574_563_200),
            (GENERALIZED, b"00000101000000Z", -62_167_219_200),
            (GENERALIZED, b"00040301000000Z", -62_035_804_800),
            // A certificate without end.
            (GENERALIZED, b"99991231235959Z", 253_402_300_799),
        ] {
            assert!(time(tag, text) == Some(want));
        }
        for (tag, text) in [
            (UTC, &b""[..]),
            (UTC, b"261128235900"),
            (UTC, b"2611282359Z"),
            (UTC, b"261128235900z"),
            (UTC, b"261128235900Z0"),
            (UTC, b"261128235900+0000"),
            (UTC, b"20261128235900Z"),
            (UTC, b"26112823590:Z"),
            (UTC, b"2611 8235900Z"),
            (UTC, b"-61128235900Z"),
            (UTC, b"260028235900Z"),
            (UTC, b"261328235900Z"),
            (UTC, b"261100235900Z"),
            (UTC, b"261131235900Z"),
            (UTC, b"260229235900Z"),
            (UTC, b"261128240000Z"),
            (UTC, b"261128236000Z"),
            (UTC, b"261128235960Z"),
            (GENERALIZED, b"261128235900Z"),
            (GENERALIZED, b"20261128235900.5Z"),
            (GENERALIZED, b"21000229000000Z"),
            // OCTET STRING.
            (4, b"261128235900Z"),
        ] {
            assert!(time(tag, text).is_none());
        }
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

    /// A certificate of OpenSSL for CN=B, issued by CN=A with ecdsa-with-SHA384.
    const ISSUED: [u8; 292] = hex(concat!(
        "308201203081a8020101300a06082a8648ce3d040303300c310a300806035504",
        "030c01413020170d3236313132343032313434325a180f323132363130333130",
        "32313434325a300c310a300806035504030c01423059301306072a8648ce3d02",
        "0106082a8648ce3d0301070342000424a506fc8348aaca27037c25949cc018e3",
        "38ce6468d88807af6b516991bfe91b57eacb8d7aa08e89f2b48ba891ea8c322f",
        "f7f0945f623255624844c64fbe5e1d300a06082a8648ce3d0403030367003064",
        "0230459f34050861142d96b47b9ef933cba772b51f3a9ba006c97a63b4fb999a",
        "113d37560c7a3cae42c235764e20dec27cd10230319bf09e357cdc0df64ab8c2",
        "cedf6615d543493f35c9bbda7edbf2bea7f225a8266a930aa5dc62a37be29b7e",
        "4d0f0b49"
    ));

    /// CN=A and CN=B as DER.
    const NAME_A: [u8; 14] = hex("300c310a300806035504030c0141");
    const NAME_B: [u8; 14] = hex("300c310a300806035504030c0142");

    fn accepted(schemes: &[u8]) -> Option<Signatures> {
        let list = U16List::new(Reader::new(schemes)).ok()?;
        Some(Signatures::accepted(&list))
    }

    #[test]
    fn signatures() {
        let mut of_self_signed = Signatures::default();
        assert!(of_self_signed.add(&CERTIFICATE).is_ok());
        assert!(of_self_signed == Signatures::default());
        let mut signatures = Signatures::default();
        assert!(signatures.add(&ISSUED).is_ok());
        assert!(Some(signatures) == accepted(&[5, 3]));
        for good in [&[5u8, 3][..], &[4, 3, 5, 3]] {
            assert!(accepted(good).is_some_and(|a| signatures.is_subset_of(a)));
        }
        for bad in [&[][..], &[4u8, 3], &[5, 1, 6, 3]] {
            assert!(accepted(bad).is_some_and(|a| !signatures.is_subset_of(a)));
            assert!(accepted(bad).is_some_and(|a| !signatures.are_forbidden(a)));
        }
        // ecdsa-with-SHA1, 1.2.840.10045.4.1.
        let mut bytes = ISSUED;
        let algorithm = 177;
        assert!(bytes[algorithm..].starts_with(&[0x06, 0x08, 0x2a, 0x86, 0x48]));
        bytes[algorithm + 1] = 7;
        bytes[algorithm + 8] = 1;
        let mut sha1 = Signatures::default();
        assert!(sha1.add(&bytes).is_ok());
        assert!(accepted(&[2, 3]).is_some_and(|a| sha1.is_subset_of(a) && !sha1.are_forbidden(a)));
        assert!(accepted(&[4, 3]).is_some_and(|a| !sha1.is_subset_of(a) && sha1.are_forbidden(a)));
        for len in 0..ISSUED.len() {
            assert!(Signatures::default().add(&ISSUED[..len]).is_err());
        }
    }

    #[test]
    fn authorities() {
        let chain = || [&CERTIFICATE[..], &ISSUED].into_iter();
        let list = |names: &'static [u8]| Authorities::parse(Reader::new(names));
        assert!(is_issued_by(&Authorities::default(), chain()));
        const A: [u8; 18] = hex("0010000e300c310a300806035504030c0141");
        const B: [u8; 18] = hex("0010000e300c310a300806035504030c0142");
        const BOTH: [u8; 34] =
            hex("0020000e300c310a300806035504030c0142000e300c310a300806035504030c0141");
        assert!(A[4..] == NAME_A && B[4..] == NAME_B);
        assert!(list(&A).is_ok_and(|a| is_issued_by(&a, chain())));
        // B is a subject only.
        assert!(list(&B).is_ok_and(|a| !is_issued_by(&a, chain())));
        assert!(list(&BOTH).is_ok_and(|a| is_issued_by(&a, chain())));
        for bad in [
            &[][..],
            &[0u8, 0],
            &[0, 3, 0, 2, 1],
            &[0, 2, 0, 0],
            &[0, 3, 0, 1, 1, 1],
        ] {
            assert!(list(bad).err() == Some(Alert::DecodeError));
        }
    }

    /// Names, schemes and signatures of identities, by number. Those with an odd number have been
    /// issued by CN=A. They are all valid, unless there is another time for them.
    struct Index(&'static [(&'static [u8], Scheme, &'static [u8])]);

    /// An index with the times from and until which identities are valid.
    struct Dated<'a>(Index, &'a [(i64, i64)]);

    impl NameIndex for Dated<'_> {
        fn with_name(&self, name: &[u8]) -> impl Iterator<Item = usize> + Clone {
            self.0.with_name(name)
        }
        fn count(&self) -> usize {
            self.0.count()
        }
        fn scheme(&self, identity: usize) -> Scheme {
            self.0.scheme(identity)
        }
        fn first(&self, scheme: Scheme, now: u64) -> Option<usize> {
            let mut all = (0..self.count()).filter(|id| self.scheme(*id) == scheme);
            let first = all.clone().next();
            all.find(|id| self.validity(*id).contains(now)).or(first)
        }
        fn with_same_names(&self, identity: usize) -> impl Iterator<Item = usize> {
            self.0.with_same_names(identity)
        }
        fn validity(&self, identity: usize) -> Validity {
            let (not_before, not_after) = self.1[identity];
            Validity {
                not_before,
                not_after,
            }
        }
        fn signatures(&self, identity: usize) -> Signatures {
            self.0.signatures(identity)
        }
        fn is_issued_by(&self, identity: usize, authorities: &Authorities<'_>) -> bool {
            self.0.is_issued_by(identity, authorities)
        }
    }

    impl NameIndex for Index {
        fn with_name(&self, name: &[u8]) -> impl Iterator<Item = usize> + Clone {
            let mut found = [None; 8];
            let matching = self.0.iter().enumerate().filter(|(_, id)| id.0 == name);
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
        fn first(&self, scheme: Scheme, _: u64) -> Option<usize> {
            self.0.iter().position(|id| id.1 == scheme)
        }
        fn with_same_names(&self, identity: usize) -> impl Iterator<Item = usize> {
            self.with_name(self.0[identity].0)
        }
        fn validity(&self, _: usize) -> Validity {
            Validity::ALWAYS
        }
        fn signatures(&self, identity: usize) -> Signatures {
            accepted(self.0[identity].2).unwrap_or_default()
        }
        fn is_issued_by(&self, identity: usize, authorities: &Authorities<'_>) -> bool {
            is_issued_by(
                authorities,
                [&CERTIFICATE, &ISSUED[..]][identity % 2..]
                    .iter()
                    .copied()
                    .take(1),
            )
        }
    }

    const INDEX: Index = Index(&[
        (b"a.example", Ecdsa, &[]),
        (b"b.example", Ecdsa, &[]),
        (b"b.example", Rsa, &[]),
        (b"*.example", Rsa, &[]),
    ]);

    fn constraints(
        name: Option<&'static [u8]>,
        strict: bool,
        schemes: &[Scheme],
    ) -> ClientConstraints<'static> {
        let mut constraints = ClientConstraints {
            name,
            strict,
            schemes: Default::default(),
            signatures: Signatures::default(),
            authorities: Authorities::default(),
            now: 0,
        };
        for (slot, scheme) in constraints.schemes.iter_mut().zip(schemes) {
            *slot = Some(*scheme);
        }
        constraints
    }

    fn find(
        name: Option<&'static [u8]>,
        strict: bool,
        schemes: &[Scheme],
    ) -> Result<(usize, bool), NoIdentity> {
        select(&INDEX, &constraints(name, strict, schemes))
    }

    /// RFC 9846, section 4.5.1.2.
    #[test]
    fn chain_selection() {
        const INDEX: Index = Index(&[
            (b"a", Ecdsa, &[5, 3]),
            (b"a", Ecdsa, &[4, 1]),
            (b"a", Rsa, &[4, 1]),
            (b"b", Ecdsa, &[2, 3]),
            (b"b", Rsa, &[5, 1]),
            (b"c", Ecdsa, &[2, 3]),
        ]);
        const A: [u8; 18] = hex("0010000e300c310a300806035504030c0141");
        let find = |name, signatures: &[u8], schemes: &[Scheme]| {
            let signatures = accepted(signatures).unwrap_or_default();
            select(
                &INDEX,
                &ClientConstraints {
                    signatures,
                    ..constraints(Some(name), false, schemes)
                },
            )
        };
        let both: &[Scheme] = &[Ecdsa, Rsa];
        // A chain that the client can verify comes first, then the order of schemes.
        assert!(find(b"a", &[5, 3], both) == Ok((0, true)));
        assert!(find(b"a", &[4, 1], both) == Ok((1, true)));
        assert!(find(b"a", &[4, 1], &[Rsa, Ecdsa]) == Ok((2, true)));
        assert!(find(b"a", &[5, 3], &[Rsa, Ecdsa]) == Ok((0, true)));
        // The best that there is if it can verify none, but SHA-1 only if it is asked for.
        assert!(find(b"a", &[6, 1], both) == Ok((0, true)));
        assert!(find(b"b", &[6, 1], both) == Ok((4, true)));
        assert!(find(b"b", &[2, 3], both) == Ok((3, true)));
        assert!(find(b"c", &[4, 3], both) == Err(NoIdentity::NoScheme));
        assert!(find(b"c", &[4, 3, 2, 3], both) == Ok((5, true)));
        // An authority that the client knows, among chains that are equally good.
        let authorities = Authorities::parse(Reader::new(&A)).unwrap_or_default();
        let find = |signatures: &[u8]| {
            let signatures = accepted(signatures).unwrap_or_default();
            let constraints = ClientConstraints {
                signatures,
                authorities,
                ..constraints(Some(b"a"), false, both)
            };
            select(&INDEX, &constraints)
        };
        assert!(find(&[5, 3, 4, 1]) == Ok((1, true)));
        assert!(find(&[5, 3]) == Ok((0, true)));
        // RFC 9846, section 4.3.3: none with SHA-1 if there is another one that the client can
        // verify, be it of an authority that it does not know or have a scheme that comes later.
        const SHA1: Index = Index(&[
            (b"a", Ecdsa, &[4, 3]),
            (b"a", Ecdsa, &[2, 1]),
            (b"b", Rsa, &[4, 3]),
            (b"b", Ecdsa, &[2, 3]),
        ]);
        let find = |name, signatures: &[u8]| {
            let signatures = accepted(signatures).unwrap_or_default();
            let constraints = ClientConstraints {
                signatures,
                authorities,
                ..constraints(Some(name), false, both)
            };
            select(&SHA1, &constraints)
        };
        assert!(find(b"a", &[2, 1, 4, 3]) == Ok((0, true)));
        assert!(find(b"a", &[2, 1]) == Ok((1, true)));
        assert!(find(b"b", &[2, 3, 4, 3]) == Ok((2, true)));
        assert!(find(b"b", &[2, 3]) == Ok((3, true)));
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
        let none = select(&Index(&[]), &constraints(None, false, both));
        assert!(none == Err(NoIdentity::Empty));
    }

    /// Of two that a client likes equally, the one that is valid now, then the one that is valid
    /// the longest, whatever their order.
    #[test]
    fn validity_decides() {
        const SAME: Index = Index(&[
            (b"a", Ecdsa, &[4, 3]),
            (b"a", Ecdsa, &[4, 3]),
            (b"a", Rsa, &[4, 3]),
            (b"b", Ecdsa, &[5, 3]),
        ]);
        let both: &[Scheme] = &[Ecdsa, Rsa];
        let find = |name, now, schemes: &[Scheme], terms: [(i64, i64); 4]| {
            let constraints = ClientConstraints {
                signatures: accepted(&[4, 3]).unwrap_or_default(),
                now,
                ..constraints(name, false, schemes)
            };
            select(&Dated(SAME, &terms), &constraints).map(|(id, _)| id)
        };
        const LONG: (i64, i64) = (0, 1000);
        for name in [Some(&b"a"[..]), None, Some(b"unknown")] {
            // Equal dates: the first one.
            assert!(find(name, 100, both, [LONG; 4]) == Ok(0));
            // The longest one, but not for the key of another scheme.
            assert!(find(name, 100, both, [(0, 900), LONG, LONG, LONG]) == Ok(1));
            assert!(find(name, 100, both, [LONG, (0, 900), LONG, LONG]) == Ok(0));
            assert!(find(name, 100, both, [(0, 900), (0, 900), LONG, LONG]) == Ok(0));
            // Not one that has expired, or is not valid yet.
            assert!(find(name, 100, both, [(0, 99), LONG, LONG, LONG]) == Ok(1));
            assert!(find(name, 100, both, [(101, 2000), (0, 100), LONG, LONG]) == Ok(1));
            assert!(find(name, 100, both, [(100, 2000), (0, 100), LONG, LONG]) == Ok(0));
            // The key of another scheme if it is valid and the others are not.
            let rsa = [(0, 99), (101, 200), LONG, (0, 99)];
            assert!(find(name, 100, both, rsa) == Ok(2));
            // An expired one if there is no other that the client likes: the newest.
            assert!(find(name, 100, &[Ecdsa], [(0, 98), (0, 99), LONG, (0, 99)]) == Ok(1));
            assert!(find(name, 100, both, [(0, 99), (0, 98), (0, 97), (0, 96)]) == Ok(0));
        }
        // A name is more important than a date, and so is a chain that the client can verify.
        assert!(find(Some(b"b"), 100, both, [LONG, LONG, LONG, (0, 99)]) == Ok(3));
        // The default identity is not replaced by one with other names that is valid for longer.
        assert!(find(None, 100, both, [(0, 900), (0, 901), LONG, (0, 2000)]) == Ok(1));
        const CHAINS: Index = Index(&[(b"a", Ecdsa, &[4, 3]), (b"a", Ecdsa, &[5, 3])]);
        let constraints = ClientConstraints {
            signatures: accepted(&[4, 3]).unwrap_or_default(),
            now: 100,
            ..constraints(Some(b"a"), false, both)
        };
        let terms = [(0, 99), LONG];
        assert!(select(&Dated(CHAINS, &terms), &constraints) == Ok((0, true)));
    }
}
