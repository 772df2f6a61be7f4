// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(
    CONFIG_KUNIT,
    kernel::macros::kunit_tests(tls_handshake_ticket_request)
)]
mod tests {
    use crate::engine::wire::alert::Alert;
    use crate::engine::wire::codec::Reader;
    use crate::engine::wire::ticket_request::TicketRequest;

    /// RFC 9149, section 3: ClientTicketRequest is two bytes, new_session_count and
    /// resumption_count.
    #[test]
    fn form() {
        let parse = |body| TicketRequest::parse(Reader::new(body));
        let request = TicketRequest {
            new_session_count: 3,
            resumption_count: 1,
        };
        assert!(parse(&[3, 1]) == Ok(request));
        for body in [&[][..], &[3], &[3, 1, 0]] {
            assert!(parse(body) == Err(Alert::DecodeError));
        }
    }

    /// RFC 9149, section 3: no more than the client asks for, and no more than the server's limit.
    #[test]
    fn count() {
        for (asked, given) in [(0, 0), (1, 1), (4, 4), (5, 4), (255, 4)] {
            let full = TicketRequest {
                new_session_count: asked,
                resumption_count: 9,
            };
            assert!(full.count(false) == given);
            let resumption = TicketRequest {
                new_session_count: 9,
                resumption_count: asked,
            };
            assert!(resumption.count(true) == given);
        }
    }
}
