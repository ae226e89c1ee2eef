"""Lists dropped into a folder: fetched from a real server with TLS, handed on to a folder that
converts, reported on; killed, stopped, wrong."""

import hashlib
import json
import os
import plistlib
import socket
import subprocess
import threading

from file_server import FileServer
from harness import (MILLRACE, Agent, ApiServer, Running, Scratch, converter_toml, count, drop, eventually,
                     folder_toml, free_port, main, png, toml_value)
from tls_server import Authority

WEBLOC = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict><key>URL</key><string>{}</string></dict></plist>
"""
SHORTCUT = "[{{000214A0-0000-0000-C000-000000000046}}]\r\nProp3=19,11\r\n[InternetShortcut]\r\nURL={}\r\n"


class Desk(Running):
    """Lists dropped into `lists` are fetched into `fetched`, the inbox of a folder that converts
    into `out`; what they name lies in `files` on a server."""

    def __init__(self, home, pictures, after="keep", upstream="127.0.0.1:9", **download):
        self.home, self.files = home, home / "files"
        self.inbox, self.fetched, self.out = home / "lists", home / "fetched", home / "out"
        for folder in (self.files, self.inbox, self.fetched, self.out):
            folder.mkdir()
        self.names = [f"p{i:04}.png" for i in range(pictures)]
        for i, name in enumerate(self.names):
            (self.files / name).write_bytes(png(8, 8, i))
        authority = Authority(home / "ca")
        self.web = FileServer(home / "nginx", authority, self.files, upstream=upstream)
        self.server = ApiServer()
        keys = dict(ca_file=str(authority.ca), allow_fetch=[self.web.place], **download)
        section = "[converter.download]\n" + "".join(
            f"{key} = {toml_value(value)}\n" for key, value in keys.items())
        folders = (f'[[folder]]\nname = "lists"\ninbox = "{self.inbox}"\noutbox = "{self.fetched}"\n'
                   'via = "download"\n' +
                   folder_toml("pictures", self.fetched, self.out, after=after))
        self.agent = Agent(home, folders, converter_toml(self.server.url) + section)

    def __exit__(self, *unused):
        super().__exit__()
        self.web.__exit__()

    def url(self, name):
        return self.web.url(f"/files/{name}")

    def drop(self, name, text):
        drop(self.inbox, name, text.encode())

    def report(self, name, seconds=120):
        path = self.fetched / f"{name}.result.json"
        eventually(path.exists, seconds, path.name)
        return json.loads(path.read_text())

    def converted(self):
        return {name for name in os.listdir(self.out) if not name.startswith(".")}

    def expect_row(self, row, name):
        data = (self.files / name).read_bytes()
        assert row["name"] == name and row["size"] == len(data), row
        assert row["sha256"] == hashlib.sha256(data).hexdigest(), row


def test_shortcuts_of_a_browser_and_a_list_are_fetched_and_converted():
    with Scratch() as home, Desk(home, 12) as desk:
        first, second, third, *rest = desk.names
        drop(desk.inbox, "from Safari.webloc",
             plistlib.dumps({"URL": desk.url(first)}, fmt=plistlib.FMT_BINARY))
        desk.drop("from Firefox.webloc", WEBLOC.format(desk.url(third)))
        desk.drop("from Edge.url", SHORTCUT.format(desk.url(second)))
        desk.drop("rest.urls", "# the rest\n" + "".join(desk.url(n) + "\n" for n in rest))
        desk.drop("notes.txt", desk.url("never"))
        for name, files in (("from Safari.webloc", [first]), ("from Edge.url", [second]),
                            ("from Firefox.webloc", [third]),
                            ("rest.urls", rest)):
            report = desk.report(name)
            # Written last: all that it tells of lies there.
            for row in report["files"]:
                assert (desk.fetched / row["name"]).read_bytes() == \
                    (desk.files / row["name"]).read_bytes()
            assert report["list"] == name and report["whole_list"], report
            assert (report["fetched"], report["failed"]) == (len(files), 0), report
            rows = sorted(report["files"], key=lambda row: row["line"])
            for row, file in zip(rows, files, strict=True):
                assert row["state"] == "fetched", row
                desk.expect_row(row, file)
        assert [row["line"] for row in rows] == list(range(2, 11)), rows
        eventually(lambda: len(desk.converted()) == 12, 120, "the results")
        assert {name.removesuffix(".webp") + ".png" for name in desk.converted()} == set(desk.names)
        eventually(lambda: desk.agent.all_done("pictures", 12), 60, "the end")
        assert desk.agent.folder("pictures")["failed"] == 0
        assert desk.server.bill()["billed"] == 12, "a report was converted"
        assert {row[1] for row in desk.web.requests()} == {"HTTP/2.0"}
        # The same list under another name asks the ledger and no server.
        asked = len(desk.web.requests())
        desk.drop("again.urls", (desk.inbox / "rest.urls").read_text())
        again = desk.report("again.urls")
        assert (again["fetched"], again["skipped"]) == (0, 9), again
        for row in again["files"]:
            desk.expect_row(row, row["name"])
        assert len(desk.web.requests()) == asked


def test_a_list_that_is_killed_half_way_fetches_nothing_twice_that_was_handed_on_P5():
    files = count(5000)
    with Scratch() as home, Desk(home, files, after="delete", rate="200/s") as desk:
        done = lambda: {name.removesuffix(".webp") for name in desk.converted()} | {
            name.removesuffix(".png") for name in os.listdir(desk.fetched)
            if name.endswith(".png")}
        desk.drop("all.urls", "".join(desk.url(n) + "\n" for n in desk.names))
        eventually(lambda: len(done()) >= files // 3, 300, "a third of the files")
        desk.agent.kill()
        complete = done()
        assert len(complete) < files, "it was killed too late"
        asked = len(desk.web.requests())
        desk.agent.start()
        report = desk.report("all.urls", 300)
        assert report["fetched"] + report["skipped"] == files, {**report, "files": []}
        again = {row[4].removeprefix("/files/").removesuffix(".png")
                 for row in desk.web.requests()[asked:]}
        assert not again & complete, sorted(again & complete)[:5]
        eventually(lambda: len(desk.converted()) == files, 300, "the results")
        assert not [name for name in os.listdir(home / "state" / "lists") if "tmp" in name]


def test_two_lists_at_once_that_name_one_file_ask_for_it_once():
    with Scratch() as home, Desk(home, 200) as desk:
        text = "".join(desk.url(n) + "\n" for n in desk.names)
        for i in range(3):
            desk.drop(f"{i}.urls", text + f"# list {i}\n")
        reports = [desk.report(f"{i}.urls") for i in range(3)]
        assert sum(report["fetched"] for report in reports) == 200, reports
        for report in reports:
            assert report["fetched"] + report["skipped"] == 200
            for row in report["files"]:
                desk.expect_row(row, row["name"])
        assert len(desk.web.requests()) == 200


def test_what_is_wrong_with_a_list_is_told_with_its_line():
    with Scratch() as home, Desk(home, 2) as desk:
        desk.drop("mixed.urls", f"{desk.url(desk.names[0])}\nnonsense\n{desk.url('absent.png')}\n"
                                f"{desk.url(desk.names[1])}?token=secret\n")
        report = desk.report("mixed.urls")
        assert (report["fetched"], report["failed"], report["whole_list"]) == (2, 2, True), report
        failed = {row["line"]: row for row in report["files"] if row["state"] == "failed"}
        assert failed[2]["reason"] == "a URL must begin with https://", failed
        assert failed[3]["name"] == "absent.png" and "404" in failed[3]["reason"], failed
        assert "secret" not in json.dumps(report)

        desk.drop("dead.urls", f"{desk.url('a')}\n{desk.url('b')}\n")
        desk.drop("broken.metalink", '<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n<file\n')
        eventually(lambda: desk.agent.folder("lists")["failed"] == 2, 60, "the failures")
        reasons = {row["file"]: row for row in desk.agent.command("failures")["failures"]}
        assert "none of 2 files could be fetched; dead.urls:1: a: " in reasons["dead.urls"]["reason"]
        assert "broken.metalink:2:" in reasons["broken.metalink"]["reason"], reasons
        assert {row["kind"] for row in reasons.values()} == {"input"}, reasons
        # No report on a job that failed, and nothing paid for any list.
        assert {name for name in os.listdir(desk.fetched) if name.endswith(".json")} == \
            {"mixed.urls.result.json"}
        # Each address of this machine is refused unless it was allowed.
        config = desk.agent.config.read_text()
        refused = "\n".join(line for line in config.splitlines() if "allow_fetch" not in line)
        desk.agent.config.write_text(refused)
        desk.agent.command("reload")
        desk.drop("inside.urls", desk.url(desk.names[0] + "?again"))
        eventually(lambda: desk.agent.folder("lists")["failed"] == 3, 60, "the refusal")


class HalfUpstream:
    """Sends half of what it is asked for and then nothing more, until it may."""

    def __init__(self, size):
        self.body = os.urandom(size)
        self.may, self.heads = threading.Event(), []
        self.half_sent = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            head = client.recv(65536).decode()
            self.heads.append(head)
            first = next((int(line.split("=")[1].rstrip("-")) for line in head.splitlines()
                          if line.lower().startswith("range:")), 0)
            size = len(self.body)
            start = (f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{size - 1}/{size}"
                     if first else "HTTP/1.1 200 OK")
            start += f'\r\nETag: "one"\r\nContent-Length: {size - first}\r\nConnection: close\r\n\r\n'
            try:
                client.sendall(start.encode() + self.body[first:size // 2])
                self.half_sent.set()
                self.may.wait()
                client.sendall(self.body[max(first, size // 2):])
            except OSError:
                pass


def test_a_stop_ends_a_list_at_once_and_the_next_start_goes_on_with_it():
    upstream = HalfUpstream(8_000_000)
    with Scratch() as home, Desk(home, 3, upstream=upstream.place) as desk:
        desk.drop("big.urls", "".join(desk.url(n) + "\n" for n in desk.names) +
                  desk.web.url("/flaky/big.bin") + "\n")
        eventually(lambda: set(desk.names) <= set(os.listdir(desk.fetched)) and
                   upstream.half_sent.is_set(), 60, "half of the list")
        parts = lambda: [entry.stat().st_size for entry in os.scandir(desk.fetched)
                         if entry.name.startswith(".millrace-list-")]
        eventually(lambda: parts() and parts()[0] > 2_000_000, 60, "the first bytes")
        status, took = desk.agent.stop()
        assert status == 0 and took < 5, (status, took)
        assert parts() and parts()[0] > 2_000_000, parts()
        assert not (desk.fetched / "big.urls.result.json").exists()
        upstream.may.set()
        asked = len(desk.web.requests())
        desk.agent.start()
        report = desk.report("big.urls")
        assert (report["fetched"], report["skipped"], report["failed"]) == (1, 3, 0), report
        assert (desk.fetched / "big.bin").read_bytes() == upstream.body
        assert [row[4] for row in desk.web.requests()[asked:]] == ["/flaky/big.bin"]
        assert "range: bytes=" in upstream.heads[-1].lower(), upstream.heads[-1]
        assert parts() == []


def test_headers_of_the_settings_are_sent_by_the_agent_and_by_fetch():
    upstream = HalfUpstream(1000)
    upstream.may.set()
    with Scratch() as home, Desk(home, 1, upstream=upstream.place) as desk:
        token = home / "token"
        token.write_text("Bearer CANARY-7\n")
        token.chmod(0o600)
        header = f'headers = {{ "{desk.web.place}" = {{ Authorization = {{ file = "{token}" }} }} }}\n'
        config = desk.agent.config.read_text()
        desk.agent.config.write_text(config.replace("[converter.download]\n",
                                                    "[converter.download]\n" + header))
        desk.agent.command("reload")
        desk.drop("a.urls", desk.web.url("/flaky/a.bin"))
        assert desk.report("a.urls")["fetched"] == 1
        (home / "b.urls").write_text(desk.web.url("/flaky/b.bin") + "\n")
        done = subprocess.run(
            [MILLRACE, "fetch", str(home / "b.urls"), "--into", str(home / "into"), "--ca-file",
             str(home / "ca" / "ca.pem"), "--allow-fetch", desk.web.place, "--config",
             str(desk.agent.config)], env=desk.agent.environment, capture_output=True, text=True,
            timeout=60)
        assert done.returncode == 0, done
        assert len(upstream.heads) == 2, upstream.heads
        for head in upstream.heads:
            assert "authorization: bearer canary-7\r\n" in head.lower(), head
        findings = [row for row in desk.agent.command("check")["findings"]
                    if row["subject"].startswith("header ")]
        assert [row["level"] for row in findings] == ["ok"], findings
        assert "CANARY" not in desk.agent.read_log() + done.stdout + done.stderr + str(findings)


def test_a_server_that_is_away_is_asked_until_the_patience_ends_and_then_later():
    with Scratch() as home, Desk(home, 1, patience="2s") as desk:
        port = free_port()  # nobody listens there
        config = desk.agent.config.read_text()
        desk.agent.config.write_text(config.replace(
            f'allow_fetch = ["{desk.web.place}"',
            f'allow_fetch = ["127.0.0.1:{port}", "{desk.web.place}"'))
        desk.agent.command("reload")
        away = f"https://127.0.0.1:{port}/away.png\n"
        desk.drop("away.urls", away)
        desk.drop("half.urls", away + desk.url(desk.names[0]) + "\n")
        report = desk.report("half.urls")
        assert (report["fetched"], report["waiting"]) == (1, 1), report
        row = next(row for row in report["files"] if row["state"] == "waiting")
        assert row["line"] == 1 and row["reason"], row
        eventually(lambda: desk.agent.folder("lists")["waiting"] == 1, 60, "the list that waits")
        assert not (desk.fetched / "away.urls.result.json").exists()


if __name__ == "__main__":
    main(globals())
