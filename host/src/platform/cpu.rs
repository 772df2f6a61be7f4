// SPDX-License-Identifier: GPL-2.0

use crate::cpu::Cpu;
use crate::host_platform::{self, HostCrypto};

impl Cpu for HostCrypto {
    fn has_adx() -> bool {
        host_platform::has_adx()
    }
}
