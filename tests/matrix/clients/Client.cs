// SPDX-License-Identifier: GPL-2.0
// A TLS client with Mono's library, which ends at TLS 1.2: mono client.exe NAME PORT REQUEST

using System;
using System.IO;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;

class Client {
	static void Main(string[] args) {
		var request = File.ReadAllBytes(args[2]);
		using (var tcp = new TcpClient("127.0.0.1", int.Parse(args[1])))
		using (var s = new SslStream(tcp.GetStream(), false, (a, b, c, d) => true)) {
			s.AuthenticateAsClient(args[0], null, SslProtocols.Tls12, false);
			s.Write(request);
			s.CopyTo(Console.OpenStandardOutput());
		}
	}
}
