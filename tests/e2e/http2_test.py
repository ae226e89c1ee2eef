"""Servers that would rather speak HTTP/2: the agent asks for HTTP/1.1 only, so that no stream is
refused and no GOAWAY can make libcurl send a document again by itself."""

import socket
import ssl
import threading

from books import attempts, expect_books_agree, expect_right
from harness import (Agent, ApiServer, Scratch, converter_toml, drop, eventually, folder_toml, main,
                     png)
from tls_server import Authority

# RFC 9113: SETTINGS, then GOAWAY with ENHANCE_YOUR_CALM (11) for the last stream 0.
FRAMES = (b"\0\0\0\x04\0\0\0\0\0" + b"\0\0\x08\x07\0\0\0\0\0" + b"\0\0\0\0" + b"\0\0\0\x0b")
FILES = 20


class TlsFront:
    """TLS in front of the API, with ALPN; a connection that becomes HTTP/2 hears GOAWAY."""

    def __init__(self, authority, port, protocols):
        self.upstream = port
        self.goes_away = 0  # the next connections that do, whatever was agreed on
        self.goes_on = threading.Event()  # what the connections after them wait for
        self.goes_on.set()
        self.agreed, self.heads = [], []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*authority.issue())
        self.context.set_alpn_protocols(protocols)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}/v1/convert"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            with self.context.wrap_socket(client, server_side=True) as tls:
                self.agreed.append(tls.selected_alpn_protocol())
                if self.agreed[-1] == "h2" or self.goes_away > 0:
                    self.goes_away -= 1
                    self.heads.append(tls.recv(65536))
                    tls.sendall(FRAMES)
                else:
                    self.goes_on.wait(60)
                    self.pass_on(tls)
        except OSError:
            pass

    def pass_on(self, tls):
        with socket.create_connection(("127.0.0.1", self.upstream)) as upstream:
            answers = threading.Thread(target=copy, args=(upstream, tls), daemon=True)
            answers.start()
            copy(tls, upstream, self.heads.append)
            answers.join()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.listener.close()


def copy(source, target, tell=lambda data: None):
    try:
        while data := source.recv(65536):
            tell(data)
            target.sendall(data)
    except OSError:
        pass
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Bench:
    def __init__(self, protocols):
        self.scratch, self.api = Scratch(), ApiServer()
        self.home = self.scratch.path
        authority = Authority(self.home / "ca")
        self.front = TlsFront(authority, self.api.port, protocols)
        self.inbox, self.outbox = self.home / "in", self.home / "out"
        self.inbox.mkdir()
        self.outbox.mkdir()
        self.agent = Agent(self.home / "a", folder_toml("p", self.inbox, self.outbox),
                           converter_toml(self.front.url, ca_file=str(authority.ca)))
        self.ledger = self.agent.state / "ledger.db"

    def drop(self, files):
        for i in range(files):
            drop(self.inbox, f"{i}.png", png(8, 8, i))

    def finish(self, files):
        eventually(lambda: self.agent.all_done("p", files), 60, "every file")
        expect_right(self.inbox, self.outbox)
        assert self.agent.folder("p")["delivered"] == files

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.agent.__exit__()
        self.front.__exit__()
        self.api.stop()
        self.scratch.__exit__(*error)


def test_http_1_1_is_agreed_on_with_a_server_that_prefers_h2_E19():
    with Bench(["h2", "http/1.1"]) as bench:
        bench.agent.start()
        bench.drop(FILES)
        bench.finish(FILES)
        assert bench.front.agreed and set(bench.front.agreed) == {"http/1.1"}, bench.front.agreed
        expect_books_agree(bench.api, bench.ledger, FILES, replays=0)
        requests = b"".join(bench.front.heads)
        assert requests.count(b" HTTP/1.1\r\n") == FILES
        for word in (b"Upgrade:", b"HTTP2-Settings", b"PRI * HTTP/2.0"):
            assert word not in requests, word


def test_a_server_that_goes_away_costs_counted_attempts_and_no_storm_E19():
    """GOAWAY with ENHANCE_YOUR_CALM as the first bytes, which no HTTP/1.1 client can believe."""
    with Bench(["h2"]) as bench:
        bench.front.goes_away = 2
        bench.front.goes_on.clear()
        bench.agent.start()
        bench.drop(1)
        eventually(lambda: len(bench.front.heads) == 2, 30, "two requests")
        assert not list(bench.outbox.iterdir())
        assert bench.agent.folder("p")["failed"] == 0
        bench.front.goes_on.set()
        bench.finish(1)
        assert set(bench.front.agreed) == {None}, bench.front.agreed
        # Each request on the wire was an attempt of ours: libcurl repeated none by itself.
        posts = sum(head.startswith(b"POST ") for head in bench.front.heads)
        assert posts == attempts(bench.ledger) == 3, (posts, attempts(bench.ledger))
        assert bench.api.bill()["billed"] == 1, bench.api.bill()


if __name__ == "__main__":
    main(globals())
