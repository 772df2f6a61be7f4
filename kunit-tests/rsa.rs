// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_rsa))]
mod tests {
    #[cfg(target_arch = "x86_64")]
    use crate::crypto::Crypto;
    use crate::rsa::mont::{Limbs, Portable};
    use crate::rsa::{
        blind, sign_pss, sign_pss_on, sign_pss_with, Components, KeyError, PrivateKey, Scratch,
        SignError,
    };
    use crate::tests::{hex, zeroed, Platform};

    /// A key made by OpenSSL; the signature over SHA-256 of "sample" with the salt 00, 01, ... 1f
    /// was computed from RFC 8017 with Python's integers.
    struct Vector<const N: usize, const H: usize> {
        n: [u8; N],
        p: [u8; H],
        q: [u8; H],
        dp: [u8; H],
        dq: [u8; H],
        qinv: [u8; H],
        signature: [u8; N],
    }

    const DIGEST: [u8; 32] =
        hex("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf");

    const E: &[u8] = &[1, 0, 1];

    static RSA_2048: Vector<256, 128> = Vector {
        n: hex(concat!(
            "e686f4436fa2fb948edc0d407f1409c4fa5883fb4392e472d05dd85e2cd850ca",
            "97df9d3f1c4e227036873d545fb1e1a9904af36d02b4feb375ea4bd21b8cb595",
            "c11f1f92966d6bec8b9e45dbf7cded1bc5ebf8a29e96891c7f9c2231e5b1244d",
            "1dd3d8de964367d2a9b8ccf136d7744168223a2ba27214f227fbfbef8d10ecdf",
            "5875f82f64926c055f53efe739df08d6ccad2da93162a7412057caa053dc0349",
            "d4dfc0aa688a5b85966ddc9c767235486ae4f3b031931b1aa2096ba504b44a95",
            "9a07f9445862d0fc32d47d16480809fab8029d0e400a566b8badfbf80c4dfa39",
            "b4e3252d1f9387374b3d388917e6f64999c6c538ed2d640d80ad31353a57bb49"
        )),
        p: hex(concat!(
            "f69a406d5e84b7e535e249f50abd36f43f46fab346fd288359a81423e05c0745",
            "11cf5b3f3ef0bf74b18edb344a036229e57c2c151b9c4ece07f647103b05084b",
            "be002203d56d90cc788800841edbed36eb34d029ae640aab3a3f182663498da3",
            "5ef51291b7fd90dd6c555c766163ebb87aa4b5356f63ded622c06a58a2b83e71"
        )),
        q: hex(concat!(
            "ef4fe0c3a8fa16d9bda86aa264b3e8e651759cffb0497b3e75e4cbbccf446b6a",
            "f824ddeec02489b052f139ed73754fbe1832598794527b4eefc5975c398a6d40",
            "aee0def868c20d01d3222e53604616bde0943abf21a8abd7bc2873ec830c2709",
            "ffeeb2e6f604af8895dc18b466e350e10ef2614982d78b9af29c976b7c796659"
        )),
        dp: hex(concat!(
            "26332ed7c2547cc81cd8b8ec2485bb058ae7cbde09991db57b25f638b88088ff",
            "c20a84efff27fc006fa0d983f8131e19af5ad4d950359e5f7c0c4265d93ea652",
            "55545ff0881738def3acdda799c027b6e228843670b53e91d7abfe69b3e7a8f1",
            "2dbc78ebe9bc75bc5713c206f47f2dfc9dc2f5ef191a3762a46f7a09d0eb0981"
        )),
        dq: hex(concat!(
            "42105f102499c5ad1e7a5bd5b0cf29c04b4498aecd4fbbc226719efce48b12cc",
            "58ec7487f06b25c7935e1c8bbc8fea0fa4466208d79d5d8511140f10daa1a83f",
            "6f078d062e854369f98b3a16b241270e0bed5fba5be4606c11f968e725d63900",
            "bdb27b98ded9b44b94734a2ea328a5af3b9d15d6615477a9b2c81fd5006bd321"
        )),
        qinv: hex(concat!(
            "209b06980372164387a70af4391d44ec9a4a93f7d139992e032044fc47a61f08",
            "e26aff89f24968d818e5bc63de69c449383a41c2f25b5eaa82a73a0ec8faf3dc",
            "2ac075d24ac16e81da71d53124643ef372a34b5c7dcf1c38e8bbd1d5c4280adc",
            "c9f0ee800bc7ea0c077b29272cd76f43fd2cfca9fa2767e33f3342865c1845ee"
        )),
        signature: hex(concat!(
            "09703ba1950fae239fa4ecf04c80feabca6a1ed17cc26b510d7962f210deac77",
            "eea0daffcaea74f2f059e57de5fcdce04bf04e025f7cce25a103510f215f267e",
            "e99be30a31e89ebd9479031702b45dcbefc8c31f57b4c7c69d086680d41e6040",
            "90a4b7b92c281da3c84bac4ecac75edd8ba384e9c6f8dbc7dafb96185e70f52f",
            "343bfc90532c59476faf9e3a988535d22f72eeb88e2f8135ee62c2f94cad555c",
            "1acb2f43581f62f7ea934a830cfd47a4bb9e09eb3d00021c19e627877df6640b",
            "fa48afa84d6c3d6206a0a53ac2426ac8fb3b295410cada12d35a8525939b952d",
            "8ba4b370d8f5aa826a5d5c0192900ba89609890fd89a543ef998fbf257f5306d"
        )),
    };

    static RSA_3072: Vector<384, 192> = Vector {
        n: hex(concat!(
            "904c63b720dbb4862fb30d9becb05627c15b780d16c8c0663ca3778450aff4ac",
            "bc3b0b76550d2c140668a6d1b6c88673982514bac519868fab17714c49a6d573",
            "4164aaa3e5e1e247668c446ce89aa50f49835ed2d3c424f6407c70a8f9d90c69",
            "428256248b49fc534e6a48283ed8b04b5cc7bd2621d0872f3dab31774a1fb61f",
            "0231228731880cd351ded1d3e46011d59d794b711658c51ea7bd72c21b1cca73",
            "089cc8fd5d73f981ff26ae6f1c847a8c0503650d1c1a2b8169077d049fad3623",
            "1806102014a2cb30c33ac61fe71d8281f06c9ae88ff961719ba1abcef075542f",
            "24dff0bd309faaee8ce604af9dc0cb5bf5e71fc7fc72811c5ac5720be072798f",
            "d65f5bfa46438c291a67a6cafdc78a634af7832078ecd25ca5042671c0f469c9",
            "8d4c1348cb13fa5e0ba0093fbb8d31c78c07abc7b9d8ca3b1fcb6c910080f833",
            "20d97e577b973b8a6060be9eb105b3c2fc62d5a9276438588f924b936196023c",
            "61af55c946bf002080c41ed1d1a070241cd1d9639f5e7e085390bff927efa327"
        )),
        p: hex(concat!(
            "c0b258502d75abe4abcc32a9b79afe377bb87d8b776bc809a412bcb7626d7f30",
            "1d1eba54c43102636e4fe835df1282e961030897acffcc0c6bba784af836bdcc",
            "33f0402a8bd9cce88898969ca70651024462b7a195c140df7f5de856f6a218ce",
            "8e3cf8d153c9b206bb7082de7c5caec8de80faeade356053f60acb38ff694ed4",
            "dd14829adbc4e251821cd2abc30f26dfcc6f3ec0d504586520f182d61906b4a8",
            "d89b0fe64afef28f2ed705d0390e092e5ca8a0bacba0e5cdb355c31c6c71b425"
        )),
        q: hex(concat!(
            "bfb3c8c4eb98fc98d9fd730f7c6fb1d90e5af58a0a31b2752230dfc63ded3f75",
            "8fb898cd6ae254719100e60a88d9fe83ec7864139564fbeb8fe79247fc62688a",
            "5f780a2966dfcbed81b35b58be1bb4254cc17ac4fbaed18a1ce1b961f4d78cd2",
            "47b2c3df68c2ee876c4fc94a2006549b7fb64d9fe37b932e5a84a7101fe85103",
            "1478eddc69b32ecf2db1252f45cd616e25e2816896ece0d9ee26153b8cb81c6c",
            "130721616ad0837f15d448fd735119c04756a24995e949902ae0e4267552125b"
        )),
        dp: hex(concat!(
            "2f13a325bb65732043a47880241e169b617b7a18778d7a6a788e2752ba163c2b",
            "7a01c6cdecbc7873e840575fc9e6d0dac95b9f5ec6e21b6cb168f5f882d984d6",
            "fd9d655fbf98ef49a40d7b463c3bfbd08cfa7d1859e8c3bb96774fcae72844dd",
            "39bcc5a10652514ef9be0c0ae4e113c6792d939f8bb808979a959a7e8b4fa3f5",
            "b7294a9b20b3e202bdc1e2ea19967b0dd3f91da0a8aa0e1a6ec8f208f246441e",
            "b8047206f62d80fee017a210f3cf6d08c9945ce825d5622f35efeee1e3d0878d"
        )),
        dq: hex(concat!(
            "8667c9c2ef20133223dc84587e395dab3e5a5dbf0bc8ae435bd6827e5e9ac19c",
            "6e48d1b16c5805369ea0cfa8e12c5e3b26877e3b10ca7daa39f9f560cd3e3de7",
            "8e69fe4dead7cc05d8a2e4cfc272700a9ad7287985b09b2f4772a7645ba2e913",
            "e1bb1f83bad2b9246fb73cfce0992fa6da92f9b7b969c1d685166e7f6aaf9a65",
            "1b6c71f0d09715a1a27a8a04abdf048992bc4d5904404ea1dd4c0c24f5537c71",
            "f5a15131190fdab2369ee111fa510949fb7a6d4c44740ce4ac7b82dac7f4e3f3"
        )),
        qinv: hex(concat!(
            "a72c9f3879cc4ebe7ac65e0a52027a860a06ede53b37902282aff19215d325e5",
            "0b0f317e43fa860fc8a4df247b35b510140219e62cc99036a818a00082e08f8c",
            "f49a365af0e81921f0d6308ffcd68624d214ebe6ea0fb9d6bda2a790f63040b7",
            "5afabdb4e742c2f8cd5e9c4446f9881675a7df97f40d294f31905ad699e94571",
            "08807efa269aebe0b8bceefd6df17b810d0fe8be1a5c7d38a7e27f34c72982f9",
            "f14f030635edbeb15c3ad90e6437660d70fbf1de0140829b7191d400e85229eb"
        )),
        signature: hex(concat!(
            "551a297204349e2169560c9989f3d10dfa6309f22f453e1a4211ad96551fbe45",
            "2767cd0c8fdd4ac83bb5d687ea7dc8a2810e61b62a8394d23f2a43f45213df31",
            "45e263c599cfe0970323c1a3fb0255809f9893a23363ca4cf3248ec8c0b18dd3",
            "9323c4e2bfcb007324131b68352c3f7d233d84bdf40a8cf2c8edc47142f65761",
            "16764140525eb55091befb86b09f72dad0935a4007180871cd7a63935e200143",
            "8f915f295fd547cce0f35f6bc8371f134166db5e9b4029911d5e9930c53ad2cc",
            "41109d8bd7b11e1c9567fd39b1a3ae4de7272b1eeec0492b5256dbeba5165d6a",
            "c1a85be3e4a3ff11c1c8909ba8b5efb9ae6664dcd534c79b326e9dcf8b89a805",
            "456a186c49b0920d57bdb8bc68e09abb8aab52622a224b4eeaddb378e294bccf",
            "87146fed299309e6f79fa8a334a45c1228bb38ff4c86f6a51655b7a8d65bbb8a",
            "67766ffbe91243605cbb1ad26bd7fbc971eb28c2aa7e71284be1999741aeef4f",
            "40586a9ca54f75861cf9fc23a98c27860fef2fc5d3bbad8faf8b884cf87eb1b0"
        )),
    };

    static RSA_4096: Vector<512, 256> = Vector {
        n: hex(concat!(
            "b42c14f7b5154bc8be09183c3a32a7d38dc8848bd69f73680655549ecdafe731",
            "f1e6de5fdea86ed645da8dd0069efa852c084bc911f5fd537fb1a7718e95b9b0",
            "769b69f002fd4cb59c66d7e751fdf8ecfb5fe237227fe0307669c0cfa8ffa39d",
            "07f6734733f390f0fcd61c893b74a6e7c64a187bdf1f994c92d2c28b58e9ddb7",
            "e4737841c122fa1b355174098001257b9a9c1110cdd7687db0af5a198a034351",
            "52cbfcf85e0a17b5e00b7214973bf9c6d1203ebb8829c82c2183867d726bb67e",
            "15d1cbc3b83a3dc074ddf907fd35f15d4ef4006010178be1a893d81bba94a600",
            "6f9aed13e3da72f1b0ddc3f69b74860e656eac9b2525f0d7cfc525b0466fe1b4",
            "5629f8ebbfeb168f30adb577042323d1203fb03158c66c99834546e8eadc1500",
            "a469c729d2c9c3e607b14e028299a1bd8689ba861e0426385c7881da86f5db2c",
            "710f09ee8c9ab304222781ee950cec2a5bcd0aca15537ab0f12e4cb546a10bc7",
            "14924035a855a886d779937db6994c464864a9099bcc1c57f0dc1c47c01cfb28",
            "e27e95868a3cacde428dce67fb007ea3a8c6455882547d35fcca47e3fb678578",
            "93b1390d686f1d917abf8b46bfc14dad077c317e485aa26d2120cb6a027ed009",
            "9bd5ab26d57611cb21d575e0431a1e285d274b4acff03fd8087e7390f6a8de9e",
            "4c43202e8cd1fe64f7531b67e240031a56810144a6054652098556397213bed7"
        )),
        p: hex(concat!(
            "ec3a1e2a797cd221323125d07d454c4056f341a83b4de56d71a829c828899788",
            "fcdf3c12a221fe35140b67cdd318084a029fc569307876fb28c923382a673fea",
            "9bf0ca6f05f7d055b62f77139c5641acf4f871b6470eb041734698aba267a7c4",
            "068f1c85ca23a659c8cbbb54b2c3fcfa68c031a511a315c1b7586e51eb66c4a4",
            "bdb1068aaa719f563c2f836ef25010ffc14b93fa3476a893497eb98e2c6b9593",
            "62b886e9aedc1c2a08984c9fbd5956b08dd2cc052bfe601dd28eb9bfa9274ffa",
            "52805174f549e4db85821be194ee0781e240084d7ead1a8817701d1ac5c0b8c0",
            "41c36d174a82c31a955fe4d81127a34d40a5511db184e5b30dce13cd472867db"
        )),
        q: hex(concat!(
            "c340d1a7490669d6b1a79dbf04ea4a174635d191a1fcab578fdcba28a3f9bce5",
            "8009176f934d1bf315ae05ab8abf4cd6e5d419377d0c017afaeefdcaa1c93bc7",
            "e05d911885a9627ae1439cb04f871308c1972fbb41b406af733ba33db6056301",
            "5a739bb8666e76e7ddac1997fdd967cc0296b8065c9f309f5feebd82ad911e9d",
            "dfdc191600b577218eb40333f9245539e2760e7b8749eb9a93e7ffbbc23f62ee",
            "f35db10a905a5ed48dbebfc30ee1210819f84ce8e16a7fca69874e7dabc3f3b6",
            "4819677579f18139b472d7d5665de363568bf1a8e52ebe20b86bceebfc06a9a0",
            "8a31704e669990ed9eb5dec070eba0316b35a8b00eda1de73c02698c283c43b5"
        )),
        dp: hex(concat!(
            "c3d21da58a15edbeb4f3c6ec009c4c6c5d67c33aa90696b455ee57cc63c64346",
            "bc907524e1201ab1774f491a76edca1947f997d4ede83e814f3b05260f088e14",
            "767671e8fce283e23967396799466ba4eb617429ecd78146903faa594504762e",
            "ea5d0200ea2309480e4acc9c96a01efa999110d64c3b8bd28ca112ba77d0361c",
            "765ee41458dc5d8047ddff2f1e513ef6340ee9b9147a749dbbe3ffff9a5508a6",
            "27c4dd99a3693533a6f2513a6de53c16994a6ff3ad976da7eb1e835e1ce3c8c9",
            "b2504ab6108bd3da21df4c2b80a09cba8f8a1317e275aeb3b7f2293e4345d221",
            "15a2e1b0d80473a57ac40659124770789ea92c07d85b596a477c582fe7d7d7d7"
        )),
        dq: hex(concat!(
            "8f5ffd93956ffc3006ec4a4d8652746d7ac4f24aba644b7d54ca84786b506b81",
            "2aef8222104c4305d119a4583ede12928ad9a05aba9c224a28116e936911d7b0",
            "01f533228aa3c308f0793189d61c1dc20445fc6ac8e8653058b1a6411e73fe2b",
            "743c0850f4069191d999128225898b4aa76bfd5dce8da6aaa14b3225cf460cf1",
            "68fcb9ff0a2e367891cd65bcb86a119b1bcc0cfe706dbb701ac3f569ee4d955c",
            "59a0a6ec56ebc54ed7770661397fdf3d8fb460e571013f2d6728505ebfce781b",
            "95fdf196b620bcff9e9de61771bfe7c57e3bed0c549e6a46a4a5a5a06bc488b2",
            "b6476f6c62b2c9557381a13c36af0f46baaf005ba7cc4ac10db3c7c57f962131"
        )),
        qinv: hex(concat!(
            "512a256e3f5d11482bfed132e356e68af9e8bc6ca7d39004bfc89be9399a6bc9",
            "adfa0dd763835f0930389924299923234424ad6f38ece7f1803f14faa83ed506",
            "00e42381c91337787d520bcb3099a8cf12f8890ac423f59b1125cb2413f8f81c",
            "ae3f8454319562fca4ad906a0b04e6814351190c6113e43cfecd8362254d626b",
            "72f19e002ca4c8afc11daebb357d01c0945d751a7790652ad68a3150021d63b0",
            "a266c518970617ca7031d6f086e4346fb56e9aa73ded12c558e9917bb03cb71f",
            "1de2e5a662c74343e77fd099b228a05e5004028a865b78a44e7a196f1c85b845",
            "06fb1597db82852d835976907f6f9c6cfe1c43fcdaa8c41118ca73cec02abeb3"
        )),
        signature: hex(concat!(
            "a7c1f27c847051cba1379f47be2ceb7fff84edf865ae13fbfa2f7325da3450bd",
            "db0c43a48b7332436712954dc1ed3bb1c4ac537f57d9d2fe10a6948065b7010c",
            "45f3edbd553dcd529098fa25e0ecb81646c0f7afbeefd9240fb8064dff8cd009",
            "248dbc5e7e8c030228428311675ebf8d563d68220b9dfc33f2c85cc04c2db20e",
            "402c4c44cfc371ef7f5b0a5ecdd2a1737499f111c963a2bd80b56dc421d64b9f",
            "b3b8a43aaa840ea64646468aee4f308806929137cba502b96678c08a2c0b6af6",
            "1c0a757d0cf115c1bb2d075bdb533005df03035244f8ae08da4fc2f21a47f97f",
            "f2fc024f2ec1cb37ba9a169d7be4d79f6c81fb156af80ef3e6e16f6899d1407d",
            "dc90bcf811361f9439687695f46bda25c959eb5012836a1699e72068eeb65d8c",
            "b408a2664194b0b50a560cc52c1969e4baf72ac5ce8686e587ce03d3d5b30a56",
            "83d50fe48d87f1f315e26c522e6460336425e44b921c5e19b92329338ba9e9b6",
            "e27c692b5327f7b8f74ac0d1d8559b6f069c9f07b2548b17bc1876412182626d",
            "e5cd6673ff6c04b2fbcde73440cef2db95292e0a4e721f0f8ef5f98595866906",
            "e5ce6076975d2be1994338148d895085e6f3dd18e1bfa0a58234d91dae3c16a4",
            "748a3a9215eac7fdd4c0972c7317c8c98e103191bbd651314070942de7ba68f0",
            "0ed565524169d30d8e6bc956d9a2af73f7c177b62e016b0318058364ba6f978b"
        )),
    };

    fn components<const N: usize, const H: usize>(v: &Vector<N, H>) -> Components<'_> {
        Components {
            n: &v.n,
            e: E,
            d: &[],
            p: &v.p,
            q: &v.q,
            dp: &v.dp,
            dq: &v.dq,
            qinv: &v.qinv,
        }
    }

    fn signs<const N: usize, const H: usize>(vector: &Vector<N, H>) -> bool {
        let (Some(mut key), Some(mut scratch)) = (zeroed::<PrivateKey>(), zeroed::<Scratch>())
        else {
            return false;
        };
        let mut salt = [0; 32];
        for (s, i) in salt.iter_mut().zip(0..) {
            *s = i;
        }
        if key.init(&components(vector)).is_err() || key.modulus_len() != N {
            return false;
        }
        // What the CPU has, and without its assembly.
        let mut signature = [0; N];
        let fast = sign_pss_with::<Platform>(&key, &DIGEST, &salt, &mut scratch, &mut signature)
            == Ok(N)
            && signature == vector.signature;
        signature = [0; N];
        let (key, scratch) = (&*key, &mut *scratch);
        let rc = sign_pss_on::<Platform, _>(Portable, key, &DIGEST, &salt, scratch, &mut signature);
        fast && rc == Ok(N) && signature == vector.signature
    }

    #[test]
    fn known_signatures() {
        assert!(signs(&RSA_2048));
        assert!(signs(&RSA_3072));
        assert!(signs(&RSA_4096));
    }

    #[test]
    fn salt_is_random() {
        let (Some(mut key), Some(mut scratch)) = (zeroed::<PrivateKey>(), zeroed::<Scratch>())
        else {
            return;
        };
        let (mut a, mut b) = ([0; 256], [0; 256]);
        assert!(key.init(&components(&RSA_2048)).is_ok());
        assert!(sign_pss::<Platform>(&key, &DIGEST, &mut scratch, &mut a) == Ok(256));
        assert!(sign_pss::<Platform>(&key, &DIGEST, &mut scratch, &mut b) == Ok(256));
        assert!(a != b);
    }

    #[test]
    fn short_buffer() {
        let (Some(mut key), Some(mut scratch)) = (zeroed::<PrivateKey>(), zeroed::<Scratch>())
        else {
            return;
        };
        assert!(key.init(&components(&RSA_2048)).is_ok());
        let rc = sign_pss::<Platform>(&key, &DIGEST, &mut scratch, &mut [0; 255]);
        assert!(rc == Err(SignError::Buffer));
    }

    /// A fault in one half must not give a signature, as that would give the factors away.
    #[test]
    fn faults_are_caught() {
        let (Some(mut key), Some(mut scratch)) = (zeroed::<PrivateKey>(), zeroed::<Scratch>())
        else {
            return;
        };
        for part in 0..3 {
            let good = components(&RSA_2048);
            let mut faulty = *[&RSA_2048.dp, &RSA_2048.dq, &RSA_2048.qinv][part];
            faulty[100] ^= 4;
            let c = match part {
                0 => Components {
                    dp: &faulty,
                    ..good
                },
                1 => Components {
                    dq: &faulty,
                    ..good
                },
                _ => Components {
                    qinv: &faulty,
                    ..good
                },
            };
            assert!(key.init(&c).is_ok());
            let mut signature = [1; 256];
            let rc = sign_pss::<Platform>(&key, &DIGEST, &mut scratch, &mut signature);
            assert!(rc == Err(SignError::Fault));
            assert!(signature == [0; 256]);
            signature.fill(1);
            let rc = sign_pss_on::<Platform, _>(
                Portable,
                &key,
                &DIGEST,
                &[0; 32],
                &mut scratch,
                &mut signature,
            );
            assert!(rc == Err(SignError::Fault));
            assert!(signature == [0; 256]);
        }
    }

    /// Numbers of up to 64 limbs, too long for a stack. All zeroes is a valid value.
    struct Numbers {
        a: [u64; 64],
        b: [u64; 64],
        m: [u64; 64],
        out: [[u64; 64]; 2],
        t: [[u64; 128]; 2],
        #[cfg(target_arch = "x86_64")]
        table: [u64; 32 * 64],
    }

    /// Numbers that make long carries, and one that looks random.
    #[cfg(target_arch = "x86_64")]
    fn pattern(number: u64, to: &mut [u64]) {
        let len = to.len();
        let mut state = number;
        for (i, limb) in to.iter_mut().enumerate() {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            *limb = match number {
                0 => 0,
                1 => u64::MAX,
                2 => u64::from(i == 0),
                3 => u64::from(i + 1 == len) << 63,
                4 if i < len / 2 => u64::MAX,
                5 if i >= len / 2 => u64::MAX,
                6 if i % 2 == 0 => u64::MAX,
                7 if i % 8 == 7 => u64::MAX,
                8 => u64::MAX - u64::from(i == 0),
                9 => 1 << 63,
                10 => (1 << 32) - 1,
                11 => u64::MAX << 32,
                4..=7 => 0,
                _ => state ^ state >> 29,
            };
        }
    }

    #[cfg(target_arch = "x86_64")]
    const PATTERNS: u64 = 16;

    /// Compares two implementations on numbers of `len` limbs.
    #[cfg(target_arch = "x86_64")]
    fn same<L: Limbs>(l: L, len: usize, n: &mut Numbers) -> bool {
        let Numbers {
            a, b, m, out, t, ..
        } = n;
        let (a, b, m) = (&mut a[..len], &mut b[..len], &mut m[..len]);
        let ([x, y], [u, v]) = (out, t);
        let (x, y) = (&mut x[..len], &mut y[..len]);
        let (u, v) = (&mut u[..2 * len], &mut v[..2 * len]);
        for i in 0..PATTERNS {
            pattern(i, a);
            l.square(u, a);
            Portable.square(v, a);
            if u != v {
                return false;
            }
            for j in 0..PATTERNS {
                pattern(j, b);
                pattern(j, m);
                m[0] |= 1;
                m[len - 1] |= 1 << 63;
                let n0 = crate::rsa::mont::negated_inverse(m[0]);
                l.multiply(u, a, b);
                Portable.multiply(v, a, b);
                if u != v {
                    return false;
                }
                l.reduce(x, u, m, n0);
                Portable.reduce(y, v, m, n0);
                if x != y {
                    return false;
                }
                // Not only products are reduced.
                for t in [&mut *u, &mut *v] {
                    t[..len].copy_from_slice(a);
                    t[len..].copy_from_slice(b);
                }
                l.reduce(x, u, m, n0);
                Portable.reduce(y, v, m, n0);
                if x != y {
                    return false;
                }
            }
        }
        true
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn assembly_is_portable_code() {
        let Some(adx) = crate::rsa::adx::Adx::new::<Platform>() else {
            assert!(!Platform::cpu_has_adx());
            return;
        };
        let Some(mut numbers) = zeroed::<Numbers>() else {
            return;
        };
        for len in [8, 16, 24, 32, 48, 64] {
            assert!(same(adx, len, &mut numbers));
        }
        let n = &mut *numbers;
        pattern(PATTERNS, &mut n.table);
        for len in [16, 24, 32] {
            let table = &n.table[..32 * len];
            for digit in 0..32 {
                let out = &mut n.out[0][..len];
                adx.select(out, table, digit as u64);
                assert!(*out == table[digit * len..][..len]);
                Portable.select(out, table, digit as u64);
                assert!(*out == table[digit * len..][..len]);
            }
        }
    }

    /// The products of the largest numbers are known, and where reduction loses a bit on top.
    #[test]
    fn extreme_products() {
        let Some(mut numbers) = zeroed::<Numbers>() else {
            return;
        };
        let Numbers { a, out, t, .. } = &mut *numbers;
        for len in [16, 24, 32, 48, 64] {
            // (2^k - 1)^2 = 2^2k - 2^(k + 1) + 1
            let (a, t) = (&mut a[..len], &mut t[0][..2 * len]);
            a.fill(u64::MAX);
            for square in [false, true] {
                if square {
                    Portable.square(t, a);
                } else {
                    Portable.multiply(t, a, a);
                }
                assert!(t[0] == 1 && t[1..len].iter().all(|limb| *limb == 0));
                assert!(t[len] == u64::MAX - 1);
                assert!(t[len + 1..].iter().all(|limb| *limb == u64::MAX));
            }
            // (R - 1)^2 + (R - 1) = R * (R - 1)
            let out = &mut out[0][..len];
            Portable.reduce(out, t, a, 1);
            assert!(out.iter().all(|limb| *limb == u64::MAX));
        }
    }

    /// `r^-1 * r = 1`, the modulus being a prime or the product of two.
    #[test]
    fn blinding_factors_are_inverted() {
        let Some(mut numbers) = zeroed::<Numbers>() else {
            return;
        };
        let Numbers { a, b, m, t, .. } = &mut *numbers;
        let (n, inverse, r) = (&mut m[..32], &mut a[..32], &mut b[..32]);
        crate::rsa::mont::from_be_bytes(n, &RSA_2048.n);
        for random in [
            [0; 16],
            [0xff; 16],
            [0x5a; 16],
            DIGEST.first_chunk().copied().unwrap_or([1; 16]),
        ] {
            let factor = blind::factor(&random);
            blind::invert(inverse, factor, n);
            r.fill(0);
            r[..2].copy_from_slice(&factor);
            let t = &mut t[0][..64];
            Portable.multiply(t, inverse, r);
            assert!(is_one_modulo(t, n));
        }
    }

    /// Whether `t = 1 mod n`, bit by bit from the top.
    fn is_one_modulo(t: &[u64], n: &[u64]) -> bool {
        let mut rest = [0u64; 33];
        for bit in (0..64 * t.len()).rev() {
            let mut carry = t[bit / 64] >> (bit % 64) & 1;
            for limb in rest.iter_mut() {
                (*limb, carry) = (*limb << 1 | carry, *limb >> 63);
            }
            let mut difference = rest;
            let borrow = crate::rsa::mont::sub_assign(&mut difference[..32], n);
            if rest[32] >= borrow {
                difference[32] = rest[32] - borrow;
                rest = difference;
            }
        }
        rest[0] == 1 && rest[1..].iter().all(|limb| *limb == 0)
    }

    #[test]
    fn bad_keys() {
        let Some(mut key) = zeroed::<PrivateKey>() else {
            return;
        };
        let good = components(&RSA_2048);
        let mut refused = |c: Components<'_>| key.init(&c).err();
        assert!(refused(good).is_none());
        let short = Components {
            n: &RSA_2048.n[..128],
            ..good
        };
        assert!(refused(short) == Some(KeyError::UnsupportedSize));
        for c in [
            Components { e: &[3], ..good },
            Components {
                e: &[1, 0, 0],
                ..good
            },
            Components {
                e: &[1, 0, 0, 0, 1],
                ..good
            },
            Components { p: good.q, ..good },
        ] {
            assert!(refused(c) == Some(KeyError::Inconsistent));
        }
        for c in [
            Components {
                dp: &[0xff; 128],
                ..good
            },
            Components {
                n: &[0xff; 256],
                ..good
            },
            Components { q: &[], ..good },
        ] {
            assert!(refused(c) == Some(KeyError::Inconsistent));
        }
    }
}
