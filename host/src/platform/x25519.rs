// SPDX-License-Identifier: GPL-2.0

use crate::host_platform::{self, HostCrypto};
use crate::x25519::Platform;

impl Platform for HostCrypto {
    fn cpu_has_adx() -> bool {
        host_platform::has_adx()
    }
}
