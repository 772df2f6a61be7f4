// SPDX-License-Identifier: GPL-2.0
// HTTP/1.1 with Node's http, or with "h2c" HTTP/2 without TLS with its http2.
const kind = process.argv[2] === 'h2c' ? require('http2') : require('http');
kind.createServer((request, response) => {
  const address = request.socket.remoteAddress;
  console.log(address);
  response.end(`${address}\n`);
}).listen({ fd: 3 });
