"""Stands before a store and does to the agent what a real one does now and then."""

import http.client
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    """One request, by what tells it from others."""
    method: str
    path: str
    query: dict
    headers: dict = field(repr=False)

    def is_part(self):
        return self.method == "PUT" and "partNumber" in self.query

    def is_begin_of_parts(self):
        return self.method == "POST" and "uploads" in self.query

    def is_completion(self):
        return self.method == "POST" and "uploadId" in self.query

    def is_put(self):
        return self.method == "PUT" and not self.is_part()


@dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: dict = field(default_factory=dict)


def error(status, code, **headers):
    body = f"<Error><Code>{code}</Code><Message>words</Message></Error>".encode()
    return Answer(status, body, {"Content-Type": "application/xml"} |
                  {name.replace("_", "-"): value for name, value in headers.items()})


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """An agent that is gone before its answer is what some tests are about."""


class StoreProxy:
    """`before(asked)` gives an Answer in the store's place, or None; `after(asked, answer)` sees
    what the store answered before the agent does. Both run on threads of the proxy's own."""

    def __init__(self, store, before=lambda asked: None, after=lambda asked, answer: None):
        self.store, self.before, self.after = urlsplit(store.plain).netloc, before, after
        self.asked = []
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def count(self, what):
        with self.lock:
            return sum(1 for asked in self.asked if what(asked))

    def answer(self, asked, target, body):
        with self.lock:
            self.asked.append(asked)
        given = self.before(asked)
        if given:
            return given
        link = http.client.HTTPConnection(self.store, timeout=120)
        try:
            link.putrequest(asked.method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in asked.headers.items():
                link.putheader(name, value)
            link.endheaders(body)
            reply = link.getresponse()
            answer = Answer(reply.status, reply.read(), dict(reply.getheaders()))
        finally:
            link.close()
        self.after(asked, answer)
        return answer

    def handler(self):
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                url = urlsplit(self.path)
                query = parse_qs(url.query, keep_blank_values=True)
                headers = {name: value for name, value in self.headers.items()
                           if name.lower() not in ("expect", "connection")}
                asked = Asked(self.command, url.path, query, headers)
                self.reply(proxy.answer(asked, self.path, body))

            def reply(self, answer):
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                        self.send_header(name, value)
                if self.command == "HEAD":
                    length = answer.headers.get("Content-Length", "0")
                else:
                    length = len(answer.body)
                if answer.status != 204:
                    self.send_header("Content-Length", str(length))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve

            def log_message(self, *_):
                pass

        return Handler
