// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(
    CONFIG_KUNIT,
    kernel::macros::kunit_tests(tls_handshake_post_handshake)
)]
mod tests {
    use crate::engine::state::post_handshake::{Event, PostHandshake, MAX_WITHOUT_DATA};
    use crate::engine::wire::alert::Alert;

    const UPDATE: [u8; 5] = [24, 0, 0, 1, 0];
    const REQUEST: [u8; 5] = [24, 0, 0, 1, 1];
    /// The alert user_canceled.
    const CANCELED: [u8; 2] = [1, 90];

    #[test]
    fn key_updates() {
        let mut messages = PostHandshake::new();
        for (message, requested) in [(UPDATE, false), (REQUEST, true), (UPDATE, false)] {
            assert!(messages.on_record(22, &message) == Ok(Event::KeyUpdate { requested }));
            // In two records, cut anywhere, and in five.
            for at in 1..5 {
                assert!(messages.on_record(22, &message[..at]) == Ok(Event::More));
                let got = messages.on_record(22, &message[at..]);
                assert!(got == Ok(Event::KeyUpdate { requested }));
            }
            for byte in &message[..4] {
                assert!(messages.on_record(22, &[*byte]) == Ok(Event::More));
            }
            let got = messages.on_record(22, &message[4..]);
            assert!(got == Ok(Event::KeyUpdate { requested }));
            assert!(messages.on_application_data(1).is_ok());
        }
    }

    #[test]
    fn refused() {
        let cases: [(&[&[u8]], Alert); 16] = [
            // RFC 9846, section 4.7.3: what is no KeyUpdate.
            (&[&[24, 0, 0, 1, 2]], Alert::IllegalParameter),
            (&[&[24, 0, 0, 1, 255]], Alert::IllegalParameter),
            (&[&[24, 0, 0, 0]], Alert::DecodeError),
            (&[&[24, 0, 0, 2, 0, 0]], Alert::DecodeError),
            (&[&[24, 1, 0, 1, 0]], Alert::DecodeError),
            (&[&[24, 0], &[1]], Alert::DecodeError),
            (&[&[24, 1]], Alert::DecodeError),
            // Section 5.1: a KeyUpdate that does not end its record.
            (&[&[24, 0, 0, 1, 0, 24]], Alert::UnexpectedMessage),
            (&[&[24, 0], &[0, 1, 0, 0]], Alert::UnexpectedMessage),
            (&[&[24, 0, 0, 1], &[0, 0]], Alert::UnexpectedMessage),
            // Section 5.4: empty fragments.
            (&[&[]], Alert::UnexpectedMessage),
            (&[&[24], &[]], Alert::UnexpectedMessage),
            // Other messages: Finished, Certificate, NewSessionTicket, ClientHello.
            (&[&[20]], Alert::UnexpectedMessage),
            (&[&[11, 0, 0, 1, 0]], Alert::UnexpectedMessage),
            (&[&[4, 0, 0, 1, 0, 0]], Alert::UnexpectedMessage),
            (&[&UPDATE, &[1]], Alert::UnexpectedMessage),
        ];
        for (records, want) in cases {
            let mut messages = PostHandshake::new();
            let mut last = Ok(Event::More);
            for record in records {
                assert!(last.is_ok());
                last = messages.on_record(22, record);
            }
            assert!(last == Err(want));
        }
    }

    /// RFC 9846, section 6: what becomes of each alert, whatever its level.
    #[test]
    fn alerts() {
        for level in [0, 1, 2, 255] {
            let mut messages = PostHandshake::new();
            let mut alert = |description| messages.on_record(21, &[level, description]);
            assert!(alert(0) == Ok(Event::Closed));
            assert!(alert(90) == Ok(Event::More));
            for description in [1, 10, 20, 80, 100, 117, 255] {
                assert!(alert(description) == Ok(Event::Aborted(description)));
            }
        }
        let mut messages = PostHandshake::new();
        // Section 5.4: no empty ones; section 5.1: one to a record, in one piece.
        assert!(messages.on_record(21, &[]) == Err(Alert::UnexpectedMessage));
        assert!(messages.on_record(21, &[1]) == Err(Alert::DecodeError));
        assert!(messages.on_record(21, &[1, 0, 1]) == Err(Alert::DecodeError));
    }

    /// RFC 9846, section 5: after the handshake there is no ChangeCipherSpec, and no other type.
    #[test]
    fn content_types() {
        for content_type in (0..=255).filter(|t| ![21, 22].contains(t)) {
            let mut messages = PostHandshake::new();
            assert!(messages.on_record(content_type, &[1]) == Err(Alert::UnexpectedMessage));
        }
        let mut messages = PostHandshake::new();
        assert!(!messages.watches_data());
        assert!(messages.on_record(22, &REQUEST) == Ok(Event::KeyUpdate { requested: true }));
        assert!(messages.watches_data());
        assert!(messages.on_application_data(0) == Ok(()) && messages.watches_data());
        assert!(messages.on_application_data(1) == Ok(()) && !messages.watches_data());
        assert!(messages.on_record(22, &UPDATE[..1]) == Ok(Event::More));
        assert!(messages.watches_data());
        assert!(messages.on_record(21, &[1, 0]) == Err(Alert::UnexpectedMessage));
    }

    /// RFC 9846, section 5.1: no other record between the fragments of a message.
    #[test]
    fn interleaved() {
        let mut messages = PostHandshake::new();
        assert!(messages.on_record(21, &CANCELED) == Ok(Event::More));
        assert!(messages.on_record(22, &UPDATE[..1]) == Ok(Event::More));
        assert!(messages.on_record(21, &CANCELED) == Err(Alert::UnexpectedMessage));
        assert!(messages.on_record(22, &UPDATE[1..]).is_ok());
        assert!(messages.on_record(21, &CANCELED) == Ok(Event::More));

        assert!(messages.on_application_data(1) == Ok(()));
        assert!(messages.on_record(22, &UPDATE[..2]) == Ok(Event::More));
        assert!(messages.on_application_data(0) == Err(Alert::UnexpectedMessage));
    }

    /// Records without data are counted together, and from the last data on.
    #[test]
    fn flood() {
        for kind in 0..5 {
            let mut messages = PostHandshake::new();
            let mut send = |number: u8| match (kind, number % 4) {
                (0, _) | (4, 0) => messages.on_application_data(0).is_ok(),
                (1, _) | (4, 1) => messages.on_record(21, &CANCELED).is_ok(),
                (2, _) => messages.on_record(22, &REQUEST).is_ok(),
                (_, 0 | 2) => messages.on_record(22, &UPDATE[..1]).is_ok(),
                (_, _) => messages.on_record(22, &UPDATE[1..]).is_ok(),
            };
            assert!((0..MAX_WITHOUT_DATA).all(&mut send));
            assert!(!send(MAX_WITHOUT_DATA));
        }
        let mut messages = PostHandshake::new();
        for _ in 0..2 {
            let mut send = |_| messages.on_record(22, &UPDATE).is_ok();
            assert!((0..MAX_WITHOUT_DATA).all(&mut send));
            assert!(messages.watches_data());
            assert!(messages.on_application_data(1).is_ok() && !messages.watches_data());
        }
    }
}
