// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_certificate))]
mod tests {
    use crate::engine::wire::certificate::{certificates, len, write, write_stapled, Staples};
    use crate::engine::wire::codec::Writer;
    use crate::engine::wire::der::Der;
    use crate::tests::hex;

    /// An OCSPResponse (RFC 6960, section 4.2.1): successful, with an empty id-pkix-ocsp-basic.
    const OCSP: [u8; 22] = hex("30140a0100a00f300d06092b06010505073001010400");

    /// A SignedCertificateTimestampList (RFC 6962, section 3.3) of one byte and of two, and as an
    /// OCTET STRING.
    const SCTS: [u8; 9] = hex("00070001610002624d");
    const SCTS_DER: [u8; 11] = hex("040900070001610002624d");

    const BOTH: [u8; 33] =
        hex("30140a0100a00f300d06092b06010505073001010400040900070001610002624d");
    const SWAPPED: [u8; 33] =
        hex("040900070001610002624d30140a0100a00f300d06092b06010505073001010400");

    fn parse(payload: &[u8]) -> Option<Staples<'_>> {
        Staples::parse(Der::new(payload)).ok()
    }

    #[test]
    fn good_staples() {
        for (payload, ocsp, scts) in [
            (&[][..], &[][..], &[][..]),
            (&OCSP, &OCSP, &[]),
            (&SCTS_DER, &[], &SCTS),
            (&BOTH, &OCSP, &SCTS),
            (&SWAPPED, &OCSP, &SCTS),
        ] {
            assert!(parse(payload).is_some_and(|s| s.ocsp == ocsp && s.scts == scts));
        }
    }

    #[test]
    fn bad_staples() {
        for end in 1..BOTH.len() {
            let whole = end == OCSP.len();
            assert!(parse(&BOTH[..end]).is_some() == whole);
        }
        // tryLater, no responseBytes, something behind them.
        assert!(parse(&hex::<5>("30030a0103")).is_none());
        assert!(parse(&hex::<5>("30030a0100")).is_none());
        assert!(parse(&hex::<9>("30070a0100a0000500")).is_none());
        let mut unsuccessful = OCSP;
        unsuccessful[4] = 3;
        assert!(parse(&unsuccessful).is_none());
        // No timestamp, an empty one, a tail, a length that is too short.
        assert!(parse(&hex::<2>("0400")).is_none());
        assert!(parse(&hex::<4>("04020000")).is_none());
        assert!(parse(&hex::<6>("040400020000")).is_none());
        assert!(parse(&hex::<8>("0406000300016100")).is_none());
        assert!(parse(&hex::<7>("04050002000161")).is_none());
        // Twice the same.
        let mut twice = [0; 2 * OCSP.len()];
        twice[..OCSP.len()].copy_from_slice(&OCSP);
        twice[OCSP.len()..].copy_from_slice(&OCSP);
        assert!(parse(&twice).is_none());
        // INTEGER.
        assert!(parse(&hex::<3>("020101")).is_none());
    }

    /// Two "certificates", and the messages of section 4.5.1 for them.
    const CHAIN: [u8; 7] = hex("3003aabbcc3000");
    const PLAIN: [u8; 25] = hex("0b000015000000110000053003aabbcc000000000230000000");

    fn stapled(ocsp: bool, scts: bool) -> Option<([u8; 80], usize)> {
        let staples = parse(&BOTH)?.filter(ocsp, scts);
        let mut out = [0; 80];
        let mut w = Writer::new(&mut out);
        write_stapled(&mut w, &PLAIN, &staples).ok()?;
        let len = w.position();
        Some((out, len))
    }

    #[test]
    fn messages() {
        let mut out = [0; PLAIN.len()];
        assert!(len(&CHAIN, 2) == PLAIN.len());
        assert!(write(&CHAIN, &mut out).is_ok() && out == PLAIN);
        let mut list = certificates(&PLAIN);
        assert!(list.next() == Some(&CHAIN[..5]) && list.next() == Some(&CHAIN[5..]));
        assert!(list.next().is_none());

        const WITH_OCSP: [u8; 55] = hex(concat!(
            "0b0000330000002f0000053003aabbcc",
            "001e0005001a01000016",
            "30140a0100a00f300d06092b06010505073001010400",
            "00000230000000"
        ));
        const WITH_SCTS: [u8; 38] = hex(concat!(
            "0b0000220000001e0000053003aabbcc",
            "000d0012000900070001610002624d",
            "00000230000000"
        ));
        const WITH_BOTH: [u8; 68] = hex(concat!(
            "0b0000400000003c0000053003aabbcc",
            "002b0005001a01000016",
            "30140a0100a00f300d06092b06010505073001010400",
            "0012000900070001610002624d",
            "00000230000000"
        ));
        for (ocsp, scts, want) in [
            (false, false, &PLAIN[..]),
            (true, false, &WITH_OCSP),
            (false, true, &WITH_SCTS),
            (true, true, &WITH_BOTH),
        ] {
            assert!(stapled(ocsp, scts).is_some_and(|(out, len)| out[..len] == *want));
        }
    }

    /// What is too long for the extensions of an entry is refused when it is loaded.
    #[test]
    fn too_long() {
        // Two elements of 32 KiB.
        let Some(mut payload) = crate::tests::zeroed::<[u8; 2 * 0x8004]>() else {
            return;
        };
        let (ocsp, scts) = payload.split_at_mut(0x8004);
        ocsp[..11].copy_from_slice(&hex::<11>("308280000a0100a0827ff9"));
        scts[..8].copy_from_slice(&hex::<8>("048280007ffe7ffc"));
        assert!(parse(&payload[..0x8004]).is_some() && parse(&payload[0x8004..]).is_some());
        assert!(parse(&payload[..]).is_none());
    }
}
