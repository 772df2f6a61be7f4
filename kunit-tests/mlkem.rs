// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_mlkem))]
mod tests {
    use crate::mlkem::encode::compress;
    use crate::mlkem::{
        encapsulate, encapsulate_with, InvalidKey, Scratch, CIPHERTEXT_LEN, ENCAPSULATION_KEY_LEN,
        MESSAGE_LEN, SHARED_SECRET_LEN,
    };
    use crate::tests::{hex, zeroed, Platform};

    /// Of the ACVP server of NIST: ML-KEM-encapDecap-FIPS203, ML-KEM-768, test case 26.
    static KEY: [u8; ENCAPSULATION_KEY_LEN] = hex(concat!(
        "89d2cb65f94dcbfc890efc7d0e5a7a38344d1641a3d0b024d50797a5f23c3a18",
        "b3101a1269069f43a842bacc098a8821271c673db1beb33034e4d7774d16635c",
        "7c2c3c2763453538bc1632e1851591a51642974e5928abb8e55fe55612f9b141",
        "aff015545394b2092e590970ec29a7b7e7aa1fb4493bf7cb731906c2a5cb49e6",
        "614859064e19b8fa26af51c44b5e7535bfdac072b646d3ea490d277f0d97ced4",
        "7395fed91e8f2bce0e3ca122c2025f74067ab928a822b35653a74f06757629af",
        "b1a1caf237100ea935e793c8f58a71b3d6ae2c8658b10150d4a38f572a0d49d2",
        "8ae89451d338326fdb3b4350036c1081117740edb86b12081c5c1223dbb5660d",
        "5b3cb3787d481849304c68be875466f14ee5495c2bd795ae412d09002d65b871",
        "9b90cba3603ac4958ea03cc138c86f7851593125334701b677f82f4952a4c93b",
        "5b4c134bb42a857fd15c650864a6aa94eb691c0b691be4684c1f5b7490467fc0",
        "1b1d1fda4dda35c4ecc231bc73a6fef42c99d34eb82a4d014987b3e386910c62",
        "679a118f3c5bd9f467e4162042424357db92ef484a4a1798c1257e870a30cb20",
        "aaa0335d83314fe0aa7e63a862648041a72a6321523220b1ace9bb701b21ac12",
        "53cb812c15575a9085eabeade73a4ae76e6a7b158a20586d78a5ac620a5c9abc",
        "c9c043350a73656b0abe822da5e0ba76045fad75401d7a3b703791b7e9926171",
        "0f86b72421d240a347638377205a152c794130a4e047742b888303bddc309116",
        "764de7424cebea6db65348ac537e01a9cc56ea667d5aa87ac9aaa4317d262c10",
        "143050b8d07a728ca633c13e468abcead372c77b8ecf3b986b98c1e55860b2b4",
        "216766ad874c35ed7205068739230220b5a2317d102c598356f168acbe80608d",
        "e4c9a710b8dd07078cd7c671058af1b0b8304a314f7b29be78a933c7b9294424",
        "954a1bf8bc745de86198659e0e1225a910726074969c39a97c19240601a46e01",
        "3dcdcb677a8cbd2c95a40629c256f24a328951df57502ab30772cc7e5b850027",
        "c8551781ce4985bdacf6b865c104e8a4bc65c41694d456b7169e45ab3d7acabe",
        "afe23ad6a7b94d1979a2f4c1cae7cd77d681d290b5d8e451bfdcccf5310b9d12",
        "a88ec29b10255d5e17a192670aa9731c5ca67ec784c502781be8527d6fc003c6",
        "701b3632284b40307a527c7620377feb0b73f722c9e3cd4dec64876b93ab5b7c",
        "fc4a657f852b659282864384f442b22e8a21109387b8b47585fc680d0ba45c7a",
        "8b1d7274bda57845d100d0f42a3b74628773351fd7ac305b2497639be90b3f4f",
        "71a6aa3561eecc6a691bb5cb3914d8634ca1e1af543c049a8c6e868c51f0423b",
        "d2d5ae09b79e57c27f3fe3ae2b26a441babfc6718ce8c05b4fe793b910b8fbcb",
        "be7f1013242b40e0514d0bdc5c88bac594c794ce5122fbf34896819147b92838",
        "1587963b0b90034aa07a10be176e01c80ad6a4b71b10af4241400a2a4cbbc059",
        "61a15ec1474ed51a3cc6d35800679a462809caa3ab4f7094cd6610b4a700cba9",
        "39e7eac93e38c99755908727619ed76a34e53c4fa25bfc97008206697dd145e5",
        "b9188e5b014e941681e15fe3e132b8a3903474148ba28b987111c9bcb3989bbb",
        "c671c581b44a492845f288e62196e471fed3c39c1bbddb0837d0d4706b0922c4"
    ));

    const MESSAGE: [u8; MESSAGE_LEN] =
        hex("2ce74ad291133518fe60c7df5d251b9d82add48462ff505c6e547e949e6b6bf7");

    static CIPHERTEXT: [u8; CIPHERTEXT_LEN] = hex(concat!(
        "56b42d593aab8e8773bd92d76eabddf3b1546f8326f57a7b773764b6c0dd3047",
        "0f68dff82e0dca92509274ecfe83a954735fde6e14676daaa3680c30d524f4ef",
        "a79ed6a1f9ed7e1c00560e8683538c3105ab931be0d2b249b38cb9b13af5ceaf",
        "7887a59dba16688a7f28de0b14d19f391eb41832a56479416ccf94e997390ed7",
        "878eeaff49328a70e0ab5fce6c63c09b35f4e45994de615b88bb722f70e87d2b",
        "bd72ae71e1ee9008e459d8e743039a8ddeb874fce5301a2f8c0ee8c2fee7a4ee",
        "68b5ed6a6d9ab74f98bb3ba0fe89e82bd5a525c5e8790f818ccc605877d46c8b",
        "db5c337b025bb840ff471896e43bfa99d73dbe31805c27a43e57f0618b3ae522",
        "a4644e0d4e4c1c548489431be558f3bfc50e16617e110dd7af9a6fd83e3fbb68",
        "c304d15f6cb700d61d7aa915a6751ea3ba80223e654132a20999a43bf4085927",
        "30b9a9499636c09fa729f9cb1f9d3442f47357a2b9cf15d3103b9bf396c23088",
        "f118ede346b5c03891cfa5d517cef8471322e7e31087c4b036abad784bff72a9",
        "b11fa198facbcb91f067feaf76fcfe5327c1070b3da6988400756760d2d1f060",
        "298f1683d51e3616e98c51c9c03aa42f2e633651a47ad3cc2ab4a852ae0c4b04",
        "b4e1c3dd944445a2b12b4f42a6435105c04122fc3587afe409a00b308d63c5dd",
        "8163654504eedbb7b5329577c35fbeb3f463872cac28142b3c12a740ec6ea7ce",
        "9ad78c6fc8fe1b4df5fc55c1667f31f2312da07799dc870a478608549fedafe0",
        "21f1cf2984180364e90ad98d845652aa3cdd7a8eb09f5e51423fab42a7b7bb4d",
        "514864be8d71297e9c3b17a993f0ae62e8ef52637bd1b885bd9b6ab727854d70",
        "3d8dc478f96cb81fce4c60383ac01fcf0f971d4c8f352b7a82e218652f2c106c",
        "a92ae686bacfcef5d327347a97a9b375d67341552bc2c538778e0f9801823ccd",
        "fcd1eaaded55b18c9757e3f212b2889d3857db51f981d16185fd0f900853a750",
        "05e3020a8b95b7d8f2f2631c70d78a957c7a62e1b3719070acd1fd480c25b838",
        "47da027b6ebbc2eec2df22c87f9b46d5d7baf156b53cee929572b92c4784c4e8",
        "29f3446a1ffe47f99decd0436029ddebd3ed8e87e5e73d123dbe8a4ddacf2abd",
        "e87f33ae2b621c0ec5d5cad1259deec2aeff6088f04f27a20338b5762543e510",
        "0899a4cbfb7b3ca456b3a19b83a4c432230c23e1c7f107c4cb112152f1c0f30d",
        "a0bb33f4f11f47eea43872bafa84ae22256d708e0604dade4b2a4dde8cccf119",
        "30e13553934ae3ece52f3d7ccc00287377879fe6b8ece7ef79423507c9da3395",
        "59c20de1c51955999bae47401dc3cdfaa1b256d09c7db9fc8698bfcefa7302d5",
        "6fbcde1fbaaa1c653454e6fd3d84e4f79a931c681cbb6cb462b10dae112bdfb7",
        "f65c7fdf6e5fc594ec3a474a94bd97e6ec81f71c230bf70ca0f13ce3dffbd9ff",
        "9804efd8f37a4d3629b43a8f55544ebc5ac0abd9a33d79699068346a0f1a3a96",
        "e115a5d80be165b562d082984d5aacc3a2301981a6418f8ba7d7b0d7ca5875c6"
    ));

    const SHARED: [u8; SHARED_SECRET_LEN] =
        hex("2696d28e9c61c2a01ce9b1608dcb9d292785a0cd58efb7fe13b1de95f0db55b3");

    /// Memory that is too large for a stack.
    struct Memory {
        scratch: Scratch,
        key: [u8; ENCAPSULATION_KEY_LEN],
        ciphertext: [u8; CIPHERTEXT_LEN],
    }

    #[test]
    fn known_answer() {
        let mut memory = zeroed::<Memory>().unwrap();
        let m = &mut *memory;
        let mut shared = [0; SHARED_SECRET_LEN];
        // Twice, as nothing may be left of the first time.
        for _ in 0..2 {
            m.ciphertext.fill(0);
            shared.fill(0);
            let got = encapsulate_with::<Platform>(
                &KEY,
                &MESSAGE,
                &mut m.scratch,
                &mut m.ciphertext,
                &mut shared,
            );
            assert!(got.is_ok());
            assert!(m.ciphertext == CIPHERTEXT);
            assert!(shared == SHARED);
        }
    }

    #[test]
    fn fresh_randomness() {
        let mut memory = zeroed::<Memory>().unwrap();
        let m = &mut *memory;
        let (mut first, mut second) = ([0; SHARED_SECRET_LEN], [0; SHARED_SECRET_LEN]);
        for shared in [&mut first, &mut second] {
            let got = encapsulate::<Platform>(&KEY, &mut m.scratch, &mut m.ciphertext, shared);
            assert!(got.is_ok());
        }
        assert!(first != second);
        assert!(first != [0; SHARED_SECRET_LEN]);
    }

    /// FIPS 203, section 7.2: the largest coefficient is q - 1.
    #[test]
    fn invalid_keys() {
        const Q: u16 = 3329;

        let mut memory = zeroed::<Memory>().unwrap();
        let m = &mut *memory;
        let mut shared = [0x5a; SHARED_SECRET_LEN];
        m.ciphertext.fill(0xa5);
        for place in [0, 1, 2, 255, 256, 511, 512, 766, 767] {
            for (coefficient, valid) in [(Q - 1, true), (Q, false), (Q + 1, false), (0xfff, false)]
            {
                m.key = KEY;
                let pair = &mut m.key[place / 2 * 3..][..3];
                if place % 2 == 0 {
                    pair[0] = coefficient as u8;
                    pair[1] = (pair[1] & 0xf0) | (coefficient >> 8) as u8;
                } else {
                    pair[1] = (pair[1] & 0x0f) | (coefficient << 4) as u8;
                    pair[2] = (coefficient >> 4) as u8;
                }
                let got = encapsulate_with::<Platform>(
                    &m.key,
                    &MESSAGE,
                    &mut m.scratch,
                    &mut m.ciphertext,
                    &mut shared,
                );
                assert!(got == if valid { Ok(()) } else { Err(InvalidKey) });
                // Nothing is written for an invalid key.
                assert!(valid == (shared != [0x5a; SHARED_SECRET_LEN]));
                assert!(valid == (m.ciphertext != [0xa5; CIPHERTEXT_LEN]));
                shared.fill(0x5a);
                m.ciphertext.fill(0xa5);
            }
        }
        for len in [0, 1, ENCAPSULATION_KEY_LEN - 1] {
            let got = encapsulate_with::<Platform>(
                &KEY[..len],
                &MESSAGE,
                &mut m.scratch,
                &mut m.ciphertext,
                &mut shared,
            );
            assert!(got == Err(InvalidKey));
        }
    }

    /// FIPS 203, equation 4.7, with the division that secrets must not see.
    #[test]
    fn compression() {
        const Q: u64 = 3329;

        for a in 0..1 << 17 {
            // 2^d a / q + 1/2, rounded down.
            let exact = |bits: u32| ((a << (bits + 1)) + Q) / (2 * Q) % (1 << bits);
            assert!(compress::<10>(a | (!a) << 32) == exact(10));
            assert!(compress::<4>(a | (!a) << 32) == exact(4));
        }
    }
}
