// SPDX-License-Identifier: GPL-2.0

use crate::host_platform::{self, HostCrypto};
use crate::rsa_pss::Platform;
use sha2::{Digest, Sha256};

impl Platform for HostCrypto {
    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        hash.finalize().into()
    }

    fn random(buf: &mut [u8]) {
        host_platform::random(buf)
    }

    #[cfg(target_arch = "x86_64")]
    fn with_ifma(run: impl FnOnce()) -> bool {
        let free = host_platform::has_ifma();
        if free {
            run();
        }
        free
    }
}
