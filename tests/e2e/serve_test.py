"""`millrace serve` on its own, with curl as the client."""

import json
import os
import signal
import socket
import subprocess

from harness import MILLRACE, Scratch, eventually, free_port, main, png
from tls_server import Authority, Nginx


class Serve:
    """`millrace serve` with a home of its own; `curl` knows how to reach it."""

    def __init__(self, home, *options):
        self.home = home
        self.scratch = home / "scratch"
        self.process = subprocess.Popen(
            [MILLRACE, "serve", "--listen", "127.0.0.1:0", "--scratch", str(self.scratch), "--json",
             *options],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=dict(os.environ, HOME=str(home)))
        self.base = json.loads(self.process.stdout.readline())["serving_on"]
        self.listen = self.base.partition("://")[2]

    def curl(self, path, *words, data=None):
        """(status, content type, body)"""
        out = self.home / "answer"
        out.unlink(missing_ok=True)
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "60", "-o", str(out), "-w",
             "%{http_code}\n%{content_type}\n%header{retry-after}\n%header{idempotent-replay}",
             *map(str, words), self.base + path], input=data, capture_output=True, timeout=90)
        assert done.returncode == 0, done.stderr
        self.headers = done.stdout.decode().split("\n")
        body = out.read_bytes() if out.exists() else b""
        return int(self.headers[0]), self.headers[1], body

    def code(self, path, *words, data=None):
        """(status, error code)"""
        status, _, body = self.curl(path, *words, data=data)
        return status, json.loads(body)["error"]["code"]

    def metric(self, line):
        body = self.curl("/metrics")[2].decode().splitlines()
        return int(next(x for x in body if x.startswith(line + " ")).split()[-1])

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(10) == 0


def picture(home, seed=1, size=16):
    path = home / f"p{seed}.png"
    path.write_bytes(png(size, size, seed))
    return path


def files_in(folder):
    """What lies there beside the lock, which stays."""
    return [p for p in folder.rglob("*") if p.is_file() and p.name != "lock"]


def refused(*options):
    """What a `serve` says that must not start."""
    done = subprocess.run([MILLRACE, "serve", *map(str, options)], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 2, (options, done)
    return done.stderr


def test_form_raw_and_link_give_the_same_picture():
    with Scratch() as home:
        authority = Authority(home / "ca")
        (home / "served.png").write_bytes(png(16, 16, 1))
        with Nginx(home / "nginx", authority, f"127.0.0.1:{free_port()}", files=home) as nginx:
            place = f"127.0.0.1:{nginx.port}"
            with Serve(home, "--allow-fetch", place, "--ca-file", str(authority.ca)) as serve:
                source = picture(home)
                form = serve.curl("/v1/convert", "-F", f"file=@{source}", "-F", "target=webp")
                raw = serve.curl("/v1/convert?target=webp", "--data-binary", f"@{source}",
                                 "-H", "Content-Type: image/png")
                link = serve.curl("/v1/convert", "-F",
                                  f"file_url=https://{place}/files/served.png", "-F", "target=webp")
                assert form[0] == raw[0] == link[0] == 200, (form, raw, link)
                assert form[1] == "image/webp" and form[2][8:12] == b"WEBP"
                assert form[2] == raw[2] == link[2]
                small = serve.curl("/v1/convert", "-F", f"file=@{source}", "-F", "target=png",
                                   "-F", "width=8")
                assert small[2][16:24] == b"\0\0\0\x08\0\0\0\x08", small
                eventually(lambda: not files_in(serve.scratch), 20, "an empty scratch folder")


def test_a_link_leads_to_public_addresses_unless_it_is_allowed():
    with Scratch() as home:
        authority = Authority(home / "ca")
        (home / "served.png").write_bytes(png(16, 16, 1))
        with Nginx(home / "nginx", authority, f"127.0.0.1:{free_port()}", files=home) as nginx, \
                Serve(home, "--ca-file", str(authority.ca)) as serve:

            def ask(url):
                status, _, body = serve.curl("/v1/convert", "-F", f"file_url={url}", "-F",
                                             "target=webp")
                error = json.loads(body)["error"]
                return status, error["code"], error["message"]
            port = nginx.port
            for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}",
                         f"[::ffff:127.0.0.1]:{port}", f"2130706433:{port}", "10.1.2.3",
                         "169.254.169.254"):
                status, code, message = ask(f"https://{host}/files/served.png?token=hush")
                assert (status, code) == (422, "file_url_disabled"), (host, message)
                assert "--allow-fetch" in message and "hush" not in message, message
            assert ask("http://example.com/a.png")[1] == "file_url_disabled"
            assert ask("file:///etc/passwd")[1] == "file_url_disabled"
            assert not nginx.requests()


def test_every_refusal_has_its_status():
    with Scratch() as home:
        token = home / "token"
        token.write_text("sesame\n")
        token.chmod(0o600)
        with Serve(home, "--token-file", str(token), "--max-size", "20KB") as serve:
            source = picture(home)
            bearer = ["-H", "Authorization: Bearer sesame"]
            form = ["-F", f"file=@{source}", "-F", "target=webp"]
            assert serve.code("/v1/convert", *form) == (401, "unauthorized")
            assert serve.code("/v1/convert", *form, "-H", "Authorization: Bearer x")[0] == 401
            assert serve.curl("/v1/convert", *form, *bearer)[0] == 200
            assert serve.curl("/healthz")[0] == 200 and serve.code("/metrics")[0] == 401
            large = home / "large.png"
            large.write_bytes(os.urandom(30_000))
            raw = ["--data-binary", f"@{large}", *bearer]
            assert serve.code("/v1/convert?target=webp", *raw) == (413, "too_large")
            large.write_bytes(os.urandom(900_000))
            assert serve.code("/v1/convert?target=webp", *raw)[0] == 413
            for more, want in ((["-F", "target=docx"], (415, "unsupported_route")),
                               (["-F", "target=webp", "-F", "quality=900"], (422, "bad_option")),
                               (["-F", "target=webp", "-F", "qualty=9"], (422, "bad_option")),
                               ([], (400, "bad_request"))):
                assert serve.code("/v1/convert", "-F", f"file=@{source}", *more, *bearer) == want
            torn = home / "torn.png"
            torn.write_bytes(source.read_bytes()[:60])
            assert serve.code("/v1/convert?target=webp", "--data-binary", f"@{torn}",
                              *bearer) == (422, "conversion_failed")
            assert serve.code("/nothing")[0] == 404
            assert serve.code("/v1/convert", *bearer)[0] == 405


def test_what_others_reach_needs_tls_and_a_token():
    with Scratch() as home:
        certificate, key = Authority(home / "ca").issue()
        token = home / "token"
        token.write_text("sesame")
        token.chmod(0o600)
        tls = ["--cert", certificate, "--key", key]
        scratch = ["--scratch", home / "s"]
        for more in ([], tls, ["--token-file", token]):
            said = refused("--listen", "0.0.0.0:0", *scratch, *more)
            assert "TLS" in said and "token" in said, said
        assert "there is no file" in refused("--ca-file", home / "no.pem", *scratch)
        assert "size" in refused("--max-size", "much", *scratch)
        for limit in ("much", "0s", "8d"):
            assert "--time-limit" in refused("--time-limit", limit, *scratch)
        token.chmod(0o644)
        assert "token" in refused("--token-file", token, *scratch)
        token.chmod(0o600)
        with Serve(home, *map(str, tls), "--token-file", str(token)) as serve:
            trust = ["--cacert", str(home / "ca/ca.pem")]
            form = ["-F", f"file=@{picture(home)}", "-F", "target=webp"]
            bearer = ["-H", "Authorization: Bearer sesame"]
            assert serve.curl("/v1/convert", *trust, *form, *bearer)[0] == 200
            assert serve.code("/v1/convert", *trust, *form)[0] == 401


def test_a_repeated_key_is_answered_again_and_stands_for_one_content():
    with Scratch() as home, Serve(home) as serve:
        def form(seed):
            return ["-F", f"file=@{picture(home, seed)}", "-F", "target=webp", "-H",
                    "Idempotency-Key: k1"]
        first = serve.curl("/v1/convert", *form(1))
        again = serve.curl("/v1/convert", *form(1))
        assert first == again and serve.headers[3] == "true", serve.headers
        assert serve.code("/v1/convert", *form(2)) == (422, "idempotency_key_reused")
        assert serve.metric("millrace_serve_replays_total") == 1
        assert serve.metric('millrace_serve_conversions_total{result="ok"}') == 1
        serve.process.terminate()
        assert serve.process.wait(10) == 0
        assert not files_in(serve.scratch), "kept answers outlive the server"


def test_a_scratch_folder_belongs_to_one_server():
    with Scratch() as home, Serve(home) as serve:
        form = ["-F", f"file=@{picture(home)}", "-F", "target=webp", "-H", "Idempotency-Key: k1"]
        first = serve.curl("/v1/convert", *form)
        assert first[0] == 200, first
        second = subprocess.run(
            [MILLRACE, "serve", "--listen", serve.listen, "--scratch", str(serve.scratch)],
            capture_output=True, text=True, timeout=60, env=dict(os.environ, HOME=str(home)))
        assert second.returncode == 3 and "--scratch" in second.stderr, second
        again = serve.curl("/v1/convert", *form)
        assert again == first and serve.headers[3] == "true", (again, serve.headers)


def noise(home):
    """What takes long to compress."""
    path = home / "noise.ppm"
    path.write_bytes(b"P6 3000 3000 255\n" + os.urandom(27_000_000))
    return path


def test_a_conversion_ends_at_the_time_limit():
    with Scratch() as home, Serve(home, "--renderers", "1", "--time-limit", "1s") as serve:
        slow = ["-F", f"file=@{noise(home)}", "-F", "target=avif"]
        assert serve.code("/v1/convert", *slow) == (422, "too_slow")
        small = ["-F", f"file=@{picture(home)}", "-F", "target=webp"]
        assert serve.curl("/v1/convert", *small)[0] == 200


def workers_of(serve):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read()
        except OSError:
            continue
        if b"millrace-render" in line and str(serve.scratch).encode() in line:
            found.append(int(pid))
    return found


def cpu_seconds(pid):
    """What it has used so far: a worker that is only started uses a fraction of it."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_worker_that_dies_in_mid_work_costs_one_job():
    with Scratch() as home, Serve(home, "--renderers", "1") as serve:
        source = noise(home)
        slow = subprocess.Popen(
            ["curl", "-sS", "-o", str(home / "slow"), "-w", "%{http_code}", "-F",
             f"file=@{source}", "-F", "target=avif", serve.base + "/v1/convert"],
            stdout=subprocess.PIPE, text=True)
        busy = eventually(lambda: [pid for pid in workers_of(serve) if cpu_seconds(pid) > 0.4], 60,
                          "a worker at work")
        for pid in busy:
            os.kill(pid, signal.SIGKILL)
        assert slow.communicate(timeout=60)[0] == "422"
        assert json.loads((home / "slow").read_text())["error"]["code"] == "decoder_crashed"
        small = picture(home)
        assert serve.curl("/v1/convert", "-F", f"file=@{small}", "-F", "target=avif")[0] == 200
        assert serve.metric('millrace_serve_conversions_total{result="decoder_crashed"}') == 1
        eventually(lambda: not files_in(serve.scratch), 20, "an empty scratch folder")


def test_above_its_queue_it_answers_429_and_says_when_to_come_again():
    with Scratch() as home, Serve(home, "--renderers", "1") as serve:
        host, port = serve.listen.split(":")
        held = []
        head = b"POST /v1/convert?target=webp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        for _ in range(65):  # one renderer and its queue of 64: uploads that never end
            link = socket.create_connection((host, int(port)))
            link.sendall(head)
            held.append(link)
        eventually(lambda: serve.metric("millrace_serve_in_flight") == 65, 30, "a full queue")
        form = ["-F", f"file=@{picture(home)}", "-F", "target=webp"]
        assert serve.code("/v1/convert", *form) == (429, "rate_limited")
        assert serve.headers[2] == "1", serve.headers
        for link in held:
            link.close()
        eventually(lambda: serve.curl("/v1/convert", *form)[0] == 200, 30, "a free place")


if __name__ == "__main__":
    main(globals())
