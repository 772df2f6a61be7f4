// SPDX-License-Identifier: GPL-2.0
import java.io.*;
import java.net.*;
import java.nio.channels.*;
import java.util.concurrent.*;

/** HTTP/1.1 by hand on the channel that Java takes for inherited: descriptor 0. */
public class Server {
    static void serve(SocketChannel channel) {
        try (channel) {
            Socket socket = channel.socket();
            String address = socket.getInetAddress().getHostAddress();
            BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream()));
            OutputStream out = socket.getOutputStream();
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                boolean close = false;
                for (; line != null && !line.isEmpty(); line = in.readLine())
                    close |= line.equalsIgnoreCase("connection: close");
                System.out.println(address);
                out.write(("HTTP/1.1 200 OK\r\n" + (close ? "Connection: close\r\n" : "") +
                           "Content-Length: " + (address.length() + 1) +
                           "\r\n\r\n" + address + "\n").getBytes());
                if (close)
                    break;
            }
        } catch (IOException e) {
            System.out.println("connection: " + e);
        }
    }

    public static void main(String[] args) throws IOException {
        ServerSocketChannel listener = (ServerSocketChannel) System.inheritedChannel();
        ExecutorService pool = Executors.newCachedThreadPool();
        listener.configureBlocking(true);
        while (true) {
            SocketChannel channel = listener.accept();
            pool.execute(() -> serve(channel));
        }
    }
}
