"""nginx that serves files over TLS, with HTTP/2 or without, and writes down who fetched what."""

import http.client
import socket
import ssl
import subprocess
import threading

from harness import eventually, free_port


class FileServer:
    """Files of the folder `files` are found under /files/; what is asked under /flaky/ comes through
    `upstream` (HOST:PORT). A connection takes `requests` requests; after them it says GOAWAY.
    `more` is further text of the configuration, for every answer. With `delay` (seconds) the files
    are found under /slow/ as well, each answer that much later (needs libnginx-mod-http-echo)."""

    def __init__(self, folder, authority, files, http2=True, requests=100000, upstream="127.0.0.1:9",
                 more="", delay=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log = folder / "access.log"
        certificate, key = authority.issue(f"server{self.port}")
        config = folder / "nginx.conf"
        module, slow = "", ""
        if delay is not None:
            module = "load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;"
            slow = f"location ~ ^/slow/(.*)$ {{ echo_sleep {delay}; echo_exec /files/$1; }}"
        config.write_text(f"""
{module} daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  log_format each '$connection $server_protocol $ssl_session_reused $status $request_uri'
                  ' $http_range';
  access_log {self.log} each;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests {requests}; keepalive_timeout 60s; {more}
  server {{
    listen 127.0.0.1:{self.port} ssl {"http2" if http2 else ""};
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_session_cache shared:tls:1m; ssl_session_tickets on;
    location = /written {{ access_log off; return 204; }}
    location /files/ {{ alias {files}/; }}
    {slow}
    location /flaky/ {{ proxy_pass http://{upstream}/; }}
  }}
}}
""")
        self.process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(config)],
                                        stderr=subprocess.DEVNULL)
        eventually(lambda: (folder / "pid").exists() and self.process.poll() is None, 20, "nginx")

    @property
    def place(self):
        return f"127.0.0.1:{self.port}"

    def url(self, path):
        return f"https://{self.place}{path}"

    def requests(self):
        """(connection, protocol, resumed, status, path, range) of each request that was answered;
        the range as it was asked for, else `-`."""
        link = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60,
                                           context=ssl._create_unverified_context())
        link.request("GET", "/written")  # one thread: what it answered before is written down
        assert link.getresponse().status == 204
        link.close()
        rows = [line.split() for line in self.log.read_text().splitlines()]
        return [(int(c), protocol, resumed == "r", int(status), path, asked)
                for c, protocol, resumed, status, path, asked in rows]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait()


class ResettingLink:
    """A port before a server: of its connections the first `resets` are reset after so many bytes of
    answers; later ones last."""

    def __init__(self, port, resets, after):
        self.behind, self.left, self.after = port, resets, after
        self.mutex = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.mutex:
                is_reset = self.left > 0
                self.left -= is_reset
            server = socket.create_connection(("127.0.0.1", self.behind))
            most = self.after if is_reset else None
            for words in ((client, server, None), (server, client, most)):
                threading.Thread(target=self.carry, args=words, daemon=True).start()

    @staticmethod
    def carry(source, target, most):
        carried = 0
        try:
            while piece := source.recv(65536):
                carried += len(piece)
                if most is not None and carried > most:
                    target.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    target.shutdown(socket.SHUT_RD)
                    target.close()
                    return
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        finally:
            source.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.listener.close()


class FlakyUpstream:
    """Sends of each file, in turn: half of it, nothing at all, a reset in its middle, all of it."""

    def __init__(self, files):
        self.files = files
        self.asked = {}
        self.mutex = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.place = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            try:
                head = client.recv(65536)
                name = head.split(b" ")[1].decode().removeprefix("/")
                with self.mutex:
                    turn = self.asked[name] = self.asked.get(name, 0) + 1
                body = (self.files / name).read_bytes()
                start = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
                if turn == 1:
                    client.sendall(start + body[:len(body) // 2])
                elif turn == 3:
                    client.sendall(start + body[:100])
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                elif turn > 3:
                    client.sendall(start + body)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.listener.close()
