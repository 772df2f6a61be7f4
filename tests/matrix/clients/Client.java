// SPDX-License-Identifier: GPL-2.0
// A TLS client with Java's own library, or with the first provider of provider=CLASS:
//	java Client.java NAME PORT REQUEST [OPTION=VALUE]...

import java.io.*;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.util.*;
import javax.net.ssl.*;

public class Client {
	static final byte[] FIRST =
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".getBytes();

	public static void main(String[] args) throws Exception {
		Map<String, String> option = new HashMap<>();
		for (int i = 3; i < args.length; i++) {
			String[] word = args[i].split("=", 2);
			option.put(word[0], word[1]);
		}
		SSLContext context;
		if (option.containsKey("provider")) {
			Security.insertProviderAt((Provider) Class.forName(
				"org.bouncycastle.jce.provider.BouncyCastleProvider")
				.getDeclaredConstructor().newInstance(), 1);
			Security.insertProviderAt((Provider) Class.forName(option.get("provider"))
				.getDeclaredConstructor().newInstance(), 1);
		}
		KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
		store.load(null, null);
		int n = 0;
		for (java.security.cert.Certificate ca : CertificateFactory.getInstance("X.509")
				.generateCertificates(new FileInputStream("ca.pem")))
			store.setCertificateEntry("ca" + n++, ca);
		TrustManagerFactory trust = TrustManagerFactory.getInstance(
			TrustManagerFactory.getDefaultAlgorithm());
		trust.init(store);
		context = SSLContext.getInstance("TLS");
		context.init(null, trust.getTrustManagers(), null);

		if (option.containsKey("twice"))
			talk(context, args[0], Integer.parseInt(args[1]), FIRST, option);
		byte[] answer = talk(context, args[0], Integer.parseInt(args[1]),
			Files.readAllBytes(Path.of(args[2])), option);
		System.out.write(answer);
		System.out.flush();
	}

	static byte[] talk(SSLContext context, String name, int port, byte[] request,
			Map<String, String> option) throws Exception {
		try (SSLSocket s = (SSLSocket) context.getSocketFactory().createSocket(name, port)) {
			SSLParameters p = s.getSSLParameters();
			p.setServerNames(List.of(new SNIHostName(name)));
			p.setEndpointIdentificationAlgorithm("HTTPS");
			if (option.containsKey("suite"))
				p.setCipherSuites(new String[] { option.get("suite") });
			if ("1.2".equals(option.get("version")))
				p.setProtocols(new String[] { "TLSv1.2" });
			if (option.containsKey("alpn"))
				p.setApplicationProtocols(option.get("alpn").split(","));
			s.setSSLParameters(p);
			s.startHandshake();
			// The last request is long: half of it before the key update, half after.
			OutputStream out = s.getOutputStream();
			out.write(request, 0, request.length / 2);
			if (option.containsKey("update")) {
				out.flush();
				s.startHandshake();
			}
			out.write(request, request.length / 2, request.length - request.length / 2);
			out.flush();
			return s.getInputStream().readAllBytes();
		}
	}
}
