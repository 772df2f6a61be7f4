// SPDX-License-Identifier: GPL-2.0

use crate::host_platform::{self, HostCrypto};
use crate::mlkem::Platform;
use sha3::digest::{ExtendableOutput, Update, XofReader};
use sha3::Digest;

impl Platform for HostCrypto {
    type Shake128 = sha3::Shake128Reader;

    fn sha3_256(data: &[u8], out: &mut [u8; 32]) {
        *out = sha3::Sha3_256::digest(data).into();
    }

    fn sha3_512(data: &[u8], out: &mut [u8; 64]) {
        *out = sha3::Sha3_512::digest(data).into();
    }

    fn shake256(data: &[u8], out: &mut [u8]) {
        sha3::Shake256::digest_xof(data, out);
    }

    fn shake128(data: &[u8]) -> sha3::Shake128Reader {
        let mut shake = sha3::Shake128::default();
        Update::update(&mut shake, data);
        shake.finalize_xof()
    }

    fn shake128_squeeze(shake: &mut sha3::Shake128Reader, out: &mut [u8]) {
        shake.read(out);
    }

    fn random(buf: &mut [u8]) {
        host_platform::random(buf)
    }

    fn with_avx2(run: impl FnOnce()) -> bool {
        let free = host_platform::has_avx2();
        if free {
            run();
        }
        free
    }
}
