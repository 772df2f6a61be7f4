// SPDX-License-Identifier: GPL-2.0

//! A connection after the handshake: its traffic keys (RFC 9846, sections 7.2 and 7.3), exporters
//! (section 7.5), and what the client sends besides data.

use crate::engine::crypto::Crypto;
use crate::engine::keys::schedule::TrafficKeys;
use crate::engine::state::memory::{ApplicationSecrets, Memory};
use crate::engine::state::post_handshake::PostHandshake;
use crate::engine::state::states::Traffic;
use crate::engine::wire::names::CipherSuite;

/// A connection whose handshake is complete.
pub struct Connection<'a> {
    /// What the client sends besides data.
    pub messages: &'a mut PostHandshake,
    secrets: &'a mut ApplicationSecrets,
    suite: CipherSuite,
}

impl Traffic {
    /// The connection.
    pub(super) fn connection<'a>(&'a mut self, memory: &'a mut Memory) -> Connection<'a> {
        Connection {
            messages: &mut self.messages,
            secrets: &mut memory.application,
            suite: memory.negotiated.suite,
        }
    }
}

impl Connection<'_> {
    /// Sequence number of the first record that is not the session's: of what the server sends,
    /// where tickets came first, or receives.
    pub fn sequence(&self, sending: bool) -> u64 {
        if sending {
            self.secrets.records.seq()
        } else {
            0
        }
    }

    /// The keys of application data: of what the server sends, or receives.
    pub fn traffic_keys<C: Crypto>(&self, sending: bool) -> TrafficKeys {
        if sending {
            self.secrets.records.keys().copy()
        } else {
            self.secrets.client.keys::<C>(self.suite)
        }
    }

    /// Replaces the secret of one direction by its next generation and gives the keys that come of
    /// it. Their records start with sequence number 0 again.
    #[inline(never)]
    pub fn update_traffic_keys<C: Crypto>(&mut self, sending: bool) -> TrafficKeys {
        let secrets = &mut *self.secrets;
        if sending {
            secrets.server.update::<C>();
            secrets
                .records
                .start(&secrets.server.prepare::<C>(), self.suite);
        } else {
            secrets.client.update::<C>();
        }
        self.traffic_keys::<C>(sending)
    }

    /// TLS-Exporter (section 7.5). False if that is not possible; see
    /// [`ExporterSecret::export`](crate::engine::keys::schedule::ExporterSecret::export).
    pub fn export<C: Crypto>(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> bool {
        self.secrets.exporter.export::<C>(label, context, out)
    }
}
