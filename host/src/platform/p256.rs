// SPDX-License-Identifier: GPL-2.0

use crate::host_platform::{self, HostCrypto};
use crate::p256::Platform;
use hmac::{Hmac, Mac};
use sha2::Sha256;

impl Platform for HostCrypto {
    type HmacKey = Hmac<Sha256>;

    fn hmac_key(raw: &[u8]) -> Self::HmacKey {
        Mac::new_from_slice(raw).unwrap()
    }

    fn hmac<const N: usize>(key: &Self::HmacKey, parts: [&[u8]; N], out: &mut [u8; 32]) {
        let mut mac = key.clone();
        for part in parts {
            mac.update(part);
        }
        out.copy_from_slice(&mac.finalize().into_bytes());
    }

    fn random(buf: &mut [u8]) {
        host_platform::random(buf)
    }
}
