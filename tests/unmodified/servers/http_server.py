# SPDX-License-Identifier: GPL-2.0
"""The standard library's http.server on an inherited socket; it logs as ever."""
import http.server
import socket


class Handler(http.server.BaseHTTPRequestHandler):
    """Tells the client its address."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):  # pylint: disable=invalid-name
        """Any path."""
        body = f"{self.client_address[0]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return self.client_address[0]


server = http.server.ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=3)
server.server_address = server.socket.getsockname()
server.serve_forever()
