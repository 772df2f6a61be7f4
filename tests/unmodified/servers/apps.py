# SPDX-License-Identifier: GPL-2.0
"""Applications for gunicorn (WSGI) and uvicorn (ASGI)."""


def wsgi(environ, start_response):
    """Tells the client its address."""
    body = f"{environ['REMOTE_ADDR']}\n".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, _receive, send):
    """The same."""
    if scope["type"] != "http":
        return
    body = f"{scope['client'][0]}\n".encode()
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
