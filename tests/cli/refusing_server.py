"""An HTTP server that answers 404 to everything and remembers what it was asked."""

import contextlib
import email.utils
import http.server
import ssl
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_HEAD = do_PUT = do_GET

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(time.time() + self.server.ahead, usegmt=True)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that refuses the certificate hangs up


@contextlib.contextmanager
def server(certificate=None, ahead=0):
    httpd = Server(("127.0.0.1", 0), Handler)
    httpd.seen, httpd.ahead = [], ahead
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate + ".pem", certificate + ".key")
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True,
                                           do_handshake_on_connect=False)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    httpd.port = httpd.server_address[1]
    try:
        yield httpd
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
