// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_key_schedule))]
mod tests {
    use crate::engine::crypto::HashAlg;
    use crate::engine::keys::schedule::{EarlySecret, HandshakeSecret, MainSecret, PskKind};
    use crate::engine::keys::schedule::{ExporterSecret, TrafficSecret};
    use crate::engine::wire::names::CipherSuite;
    use crate::tests::{hex, Platform};

    /// RFC 8448, section 3: the shared secret of X25519.
    const SHARED: [u8; 32] =
        hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");

    /// The hash of ClientHello and ServerHello; unused bytes at the end.
    const HELLOS: [u8; 48] = hex(concat!(
        "860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8",
        "00000000000000000000000000000000"
    ));

    /// The hash of ClientHello to the server's Finished.
    const FINISHED: [u8; 48] = hex(concat!(
        "9608102a0f1ccc6db6250b7b7e417b1a000eaada3daae4777a7686c9ff83df13",
        "00000000000000000000000000000000"
    ));

    /// A hash of 32 bytes with unused ones at the end.
    fn transcript(hash: [u8; 32]) -> [u8; 48] {
        let mut padded = [0; 48];
        padded[..32].copy_from_slice(&hash);
        padded
    }

    fn same(secret: &TrafficSecret, want: [u8; 32]) -> bool {
        secret.bytes() == want
    }

    /// A secret that is derived by a function.
    fn derived(derive: impl FnOnce(&mut TrafficSecret)) -> TrafficSecret {
        let mut secret = TrafficSecret::none(HashAlg::Sha256);
        derive(&mut secret);
        secret
    }

    fn exporter_secret(main: &MainSecret<Platform>) -> ExporterSecret {
        let mut secret = ExporterSecret::none(HashAlg::Sha256);
        main.exporter(&FINISHED, &mut secret);
        secret
    }

    fn keys(secret: &TrafficSecret, key: [u8; 16], iv: [u8; 12]) -> bool {
        let keys = secret.keys::<Platform>(CipherSuite::Aes128GcmSha256);
        keys.key() == key && *keys.iv == iv
    }

    #[test]
    fn rfc8448_simple_handshake() {
        let handshake = HandshakeSecret::<Platform>::without_psk(HashAlg::Sha256, &SHARED);
        let client = derived(|to| handshake.client_traffic(&HELLOS, to));
        let server = derived(|to| handshake.server_traffic(&HELLOS, to));
        assert!(same(
            &client,
            hex("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21")
        ));
        assert!(same(
            &server,
            hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
        ));
        assert!(keys(
            &client,
            hex("dbfaa693d1762c5b666af5d950258d01"),
            hex("5bd3c71b836e0b76bb73265f")
        ));
        assert!(keys(
            &server,
            hex("3fce516009c21727d0f2e4e86ee403bc"),
            hex("5d313eb2671276ee13000b30")
        ));
        let verify_data: [u8; 32] =
            hex("a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce61");
        assert!(client.verify_data::<Platform>(&FINISHED)[..32] == verify_data);

        let main = handshake.into_main();
        assert!(same(
            &derived(|to| main.client_traffic(&FINISHED, to)),
            hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5")
        ));
        assert!(same(
            &derived(|to| main.server_traffic(&FINISHED, to)),
            hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643")
        ));
        assert!(
            exporter_secret(&main).bytes()
                == hex::<32>("fe22f881176eda18eb8f44529e6792c50c9a3f89452f68d8ae311b4309d3cf50")
        );
    }

    /// Section 7.1: without a PSK it is zeroes.
    #[test]
    fn without_psk() {
        for alg in [HashAlg::Sha256, HashAlg::Sha384] {
            let zeroes = EarlySecret::<Platform>::with_psk(alg, &[0; 48][..alg.output_len()]);
            let with = zeroes.handshake(&SHARED);
            let with = derived(|to| with.client_traffic(&HELLOS, to));
            let without = HandshakeSecret::<Platform>::without_psk(alg, &SHARED);
            let without = derived(|to| without.client_traffic(&HELLOS, to));
            assert!(with.bytes() == without.bytes());
        }
    }

    fn main() -> MainSecret<Platform> {
        HandshakeSecret::<Platform>::without_psk(HashAlg::Sha256, &SHARED).into_main()
    }

    /// What OpenSSL's TLS13-KDF makes of client_application_traffic_secret_0 of RFC 8448.
    #[test]
    fn traffic_secrets_of_later_generations() {
        let mut secret = derived(|to| main().client_traffic(&FINISHED, to));
        secret.update::<Platform>();
        assert!(same(
            &secret,
            hex("fcdfcc72725aaee48bf64e4fd8b749cdbdbab39d90da0b26e2245ca6ea167207")
        ));
        assert!(keys(
            &secret,
            hex("3879d82f5f14056e623f2ce5bfc66fce"),
            hex("5dfb2c5938c3379b6cc5d1f2")
        ));
        secret.update::<Platform>();
        assert!(same(
            &secret,
            hex("68474fe58c172143d0a009a76edd231b0d934f3058588ea0852662279e54a573")
        ));
    }

    /// What OpenSSL's TLS13-KDF makes of the exporter_secret of RFC 8448.
    #[test]
    fn exporter() {
        let secret = exporter_secret(&main());
        let mut out = [0; 80];
        assert!(secret.export::<Platform>(b"EXPORTER-test", b"", &mut out[..32]));
        assert!(
            out[..32]
                == hex::<32>("4451f6322284bad9d59028c38f3c1f0fc63b092726ce8223ee5cd645c6573fdf")
        );
        assert!(secret.export::<Platform>(b"EXPORTER-test", b"context", &mut out));
        assert!(
            out == hex::<80>(concat!(
                "b74fe767e9cfd821b45648ac049d1c7406b1fc3a4d4cc1465c08c2c74db6ea5c",
                "782ba9389d24bbf9ee1cc480cd10f0956cf1dbe5665c8ab1b649a6b1a366b438",
                "8321d499cadd627ca5ee3cc9af13b7de"
            ))
        );

        assert!(!secret.export::<Platform>(b"", b"", &mut out));
        assert!(!secret.export::<Platform>(&[b'a'; 250], b"", &mut out));
        assert!(secret.export::<Platform>(&[b'a'; 249], b"", &mut out));
        assert!(!secret.export::<Platform>(b"a", b"", &mut []));
    }

    /// Section 3: NewSessionTicket.
    #[test]
    fn rfc8448_ticket() {
        // The transcript up to the client's Finished.
        let transcript = transcript(hex(
            "209145a96ee8e2a122ff810047cc952684658d6049e86429426db87c54ad143d",
        ));
        let resumption = derived(|to| main().resumption(&transcript, to));
        assert!(same(
            &resumption,
            hex("7df235f2031d2a051287d02b0241b0bfdaf86cc856231f2d5aba46c434ec196c")
        ));
        assert!(same(
            &resumption.prepare::<Platform>().ticket_psk(&[0, 0]),
            PSK
        ));
    }

    /// The PSK of the ticket of section 3, which section 4 resumes with.
    const PSK: [u8; 32] = hex("4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3");

    #[test]
    fn rfc8448_resumed_handshake() {
        let early = EarlySecret::<Platform>::with_psk(HashAlg::Sha256, &PSK);
        let binder_key = early.binder_secret(PskKind::Resumption);
        assert!(same(
            &binder_key,
            hex("69fe131a3bbad5d63c64eebcc30e395b9d8107726a13d074e389dbc8a4e47256")
        ));
        // Of the ClientHello without its binders.
        let hello = transcript(hex(
            "63224b2e4573f2d3454ca84b9d009a04f6be9e05711a8396473aefa01e924a14",
        ));
        let binder: [u8; 32] =
            hex("3add4fb2d8fdf822a0ca3cf7678ef5e88dae990141c5924d57bb6fa31b9e5f9d");
        assert!(binder_key.verify_data::<Platform>(&hello)[..32] == binder);
    }
}
