// SPDX-License-Identifier: GPL-2.0
// A TLS client with the library that a JavaScript runtime has:
//	node client.js NAME PORT REQUEST [OPTION=VALUE]...

const tls = require('tls'), fs = require('fs');

const [name, port, file, ...words] = process.argv.slice(2);
const option = Object.fromEntries(words.map((w) => w.split(/=(.*)/)));
const settings = { host: name, port: +port, servername: name, ca: fs.readFileSync('ca.pem') };
if (option.suite)
	settings.ciphers = option.suite;
if (option.groups)
	settings.ecdhCurve = option.groups;
if (option.version)
	settings.maxVersion = settings.minVersion = 'TLSv' + option.version;
if (option.alpn)
	settings.ALPNProtocols = option.alpn.split(',');

function fail(err) {
	console.error(err.message);
	process.exit(1);
}

function talk(request, session, then) {
	const parts = [];
	let ticket;
	const s = tls.connect({ ...settings, session }, () => s.write(request));
	s.on('session', (value) => { ticket = value; });
	s.on('data', (data) => parts.push(data));
	s.on('error', fail);
	s.on('close', () => then(Buffer.concat(parts), ticket));
}

const last = (ticket) => talk(fs.readFileSync(file), ticket, (answer) => {
	fs.writeSync(1, '');
	process.stdout.write(answer);
});

if (option.twice)
	talk('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', undefined,
		(answer, ticket) => last(ticket));
else
	last();
