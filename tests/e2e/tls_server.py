"""nginx with TLS in front of a conversion API, with an authority made for the test."""

import http.client
import ssl
import subprocess
from collections import Counter

from harness import eventually, free_port


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


class Authority:
    """A CA, and certificates of it; good for 127.0.0.1 unless told otherwise."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = folder / "ca.pem"
        self.ca_key = folder / "ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.ca_key, "-out", self.ca, "-days", 2, "-subj", "/CN=test authority",
                "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, name="server", hosts="IP:127.0.0.1,DNS:localhost"):
        """(certificate, key)"""
        key, request, made = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        names = self.folder / f"{name}.ext"
        names.write_text(f"subjectAltName={hosts}\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key,
                "-CAcreateserial", "-out", made, "-days", 2, "-extfile", names)
        return made, key


class Nginx:
    """Passes on to `upstream` ("unix:PATH" or "127.0.0.1:PORT"); closes what idles for `idle`.

    What lies in the folder `files` is found under /files/."""

    def __init__(self, folder, authority, upstream, protocol="TLSv1.3", files=None, idle="1s"):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log = folder / "access.log"
        certificate, key = authority.issue()
        config = folder / "nginx.conf"
        config.write_text(f"""
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  log_format each '$connection $connection_requests $ssl_session_reused $ssl_protocol $status';
  access_log {self.log} each;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  client_max_body_size 200m; keepalive_timeout {idle}; keepalive_requests 100000;
  server {{
    listen 127.0.0.1:{self.port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_protocols {protocol}; ssl_session_cache shared:tls:1m; ssl_session_tickets on;
    location = /written {{ access_log off; return 204; }}
    location /files/ {{ alias {files or folder}/; }}
    location / {{ proxy_pass http://{upstream}; proxy_set_header Host localhost; }}
  }}
}}
""")
        self.process = subprocess.Popen(["nginx", "-p", str(folder), "-c", str(config)],
                                        stderr=subprocess.DEVNULL)
        eventually(lambda: (folder / "pid").exists() and self.process.poll() is None, 20, "nginx")

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}/v1/convert"

    def wait_for_log(self):
        """nginx has one thread, and writes of a request when it has answered it: when it answers
        the next one, of every one before."""
        link = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60,
                                           context=ssl._create_unverified_context())
        link.request("GET", "/written")
        assert link.getresponse().status == 204
        link.close()

    def requests(self):
        """One (connection, number on it, resumed, protocol, status) for each request."""
        self.wait_for_log()
        rows = [line.split() for line in self.log.read_text().splitlines()]
        return [(int(c), int(n), resumed == "r", protocol, int(status))
                for c, n, resumed, protocol, status in rows]

    def connections(self):
        """(how many, how many of them resumed a session)"""
        firsts = [row for row in self.requests() if row[1] == 1]
        return len(firsts), sum(row[2] for row in firsts)

    def statuses(self):
        return Counter(row[4] for row in self.requests())

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait()
