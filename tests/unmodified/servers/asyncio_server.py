# SPDX-License-Identifier: GPL-2.0
"""HTTP/1.1 by hand on asyncio's streams."""
import asyncio
import socket


async def serve(reader, writer):
    """One connection."""
    address = writer.get_extra_info("peername")[0]
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            print(address, flush=True)
            body = f"{address}\n".encode()
            close = b"connection: close\r\n" if b"connection: close" in head.lower() else b""
            writer.write(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" %
                         (close, len(body), body))
            await writer.drain()
            if close:
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main():
    """Takes the inherited socket."""
    server = await asyncio.start_server(serve, sock=socket.socket(fileno=3))
    await server.serve_forever()


asyncio.run(main())
