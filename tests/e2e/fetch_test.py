"""`millrace fetch` on a real server with TLS and HTTP/2: killed, resumed, cut short, told to go."""

import hashlib
import json
import os
import subprocess
from collections import Counter

from file_server import FileServer, FlakyUpstream, ResettingLink
from harness import LONG, MILLRACE, Scratch, count, eventually, main
from tls_server import Authority

FILES = 12217 if LONG else 2000
SIZE = 20_000


class Fetch:
    """A folder of files, a list of them, and the command that fetches it."""

    def __init__(self, home, files):
        self.home, self.into = home, home / "into"
        self.files = home / "files"
        self.files.mkdir()
        self.names = [f"{i:05}.bin" for i in range(files)]
        for name in self.names:
            (self.files / name).write_bytes(hashlib.sha256(name.encode()).digest() * (SIZE // 32))
        self.authority = Authority(home / "ca")
        self.list = home / "list.csv"

    def write_list(self, server, under="/files/"):
        rows = [f"{server.url(under + name)},{self.digest(self.files / name)}"
                for name in self.names]
        self.list.write_text("url,sha256\n" + "\n".join(rows) + "\n")

    def command(self, server, *more):
        return [MILLRACE, "fetch", str(self.list), "--into", str(self.into), "--ca-file",
                str(self.authority.ca), "--allow-fetch", server.place, "--state-dir",
                str(self.home / "state"), "--json", *more]

    def run(self, server, *more):
        """The summary; every other line that is no progress fails the test."""
        done = subprocess.run(self.command(server, *more), capture_output=True, text=True,
                              timeout=600, env=dict(os.environ, HOME=str(self.home)))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        told = [line for line in lines if line.get("type") != "progress"]
        assert len(told) == 1 and done.returncode == 0, (done.returncode, told[:5], done.stderr)
        return told[0]

    @staticmethod
    def digest(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def complete(self):
        """Names in the folder that are no temporaries."""
        if not self.into.exists():
            return set()
        return {name for name in os.listdir(self.into) if not name.startswith(".")}

    def expect_all_right(self):
        assert set(os.listdir(self.into)) == set(self.names)
        for name in self.names:
            assert self.digest(self.into / name) == self.digest(self.files / name), name


def connections(rows):
    return {row[0] for row in rows}


def full_handshakes(rows):
    return {row[0] for row in rows if not row[2]}


def expect_few_connections(rows):
    """One TLS session serves a run: what connects after it has an answer resumes it."""
    print(f"        {len(rows)} requests, {len(connections(rows))} connections, "
          f"{len(full_handshakes(rows))} full handshakes")
    assert {row[1] for row in rows} == {"HTTP/2.0"}
    assert 1 <= len(connections(rows)) <= 4, len(connections(rows))
    assert len(full_handshakes(rows)) == 1, len(full_handshakes(rows))


def test_a_list_that_is_killed_half_way_fetches_no_complete_file_twice_P5():
    with Scratch() as home:
        fetch = Fetch(home, FILES)
        with FileServer(home / "nginx", fetch.authority, fetch.files) as server:
            fetch.write_list(server)
            first = subprocess.Popen(fetch.command(server, "--rate", "1000/s"), stdout=subprocess.DEVNULL)
            eventually(lambda: len(fetch.complete()) >= FILES // 2, 300, "half of the files")
            first.kill()
            first.wait()
            complete = fetch.complete()
            assert len(complete) < FILES, "it was killed too late"
            before = server.requests()
            summary = fetch.run(server)
            after = server.requests()[len(before):]
            fetch.expect_all_right()
            assert summary["fetched"] + summary["skipped"] == FILES, summary
            asked_again = {row[4].removeprefix("/files/") for row in after} & complete
            assert not asked_again, sorted(asked_again)[:5]
            for rows in (before, after):
                expect_few_connections(rows)
            # A third run asks for nothing at all, and --refresh for what has changed.
            assert fetch.run(server)["skipped"] == FILES
            assert len(server.requests()) == len(before) + len(after)


def test_refresh_fetches_what_changed_and_nothing_else():
    with Scratch() as home:
        fetch = Fetch(home, 50)
        with FileServer(home / "nginx", fetch.authority, fetch.files) as server:
            fetch.list = home / "list.txt"
            fetch.list.write_text("".join(server.url(f"/files/{n}") + "\n" for n in fetch.names))
            assert fetch.run(server, "--no-sync")["fetched"] == 50
            (fetch.files / fetch.names[7]).write_bytes(b"changed")
            summary = fetch.run(server, "--refresh")
            assert (summary["fetched"], summary["skipped"]) == (1, 49), summary
            fetch.expect_all_right()
            statuses = Counter(row[3] for row in server.requests()[50:])
            assert statuses == {200: 1, 304: 49}, statuses


def test_answers_cut_short_and_resets_and_goaway_leave_every_file_right_N7():
    with Scratch() as home:
        fetch = Fetch(home, count(1000))
        with FlakyUpstream(fetch.files) as upstream, \
                FileServer(home / "nginx", fetch.authority, fetch.files, requests=300,
                           upstream=upstream.place) as server:
            fetch.write_list(server, "/flaky/")
            assert fetch.run(server, "--patience", "5m")["fetched"] == len(fetch.names)
            fetch.expect_all_right()
            assert min(upstream.asked.values()) >= 4, "no fault was made"


def test_connections_that_are_reset_amid_many_answers_leave_every_file_right_N7():
    with Scratch() as home:
        fetch = Fetch(home, count(10_000))
        with FileServer(home / "nginx", fetch.authority, fetch.files) as server, \
                ResettingLink(server.port, resets=8, after=count(10_000) * 1500) as link:
            fetch.write_list(server)
            server.port, port = link.port, server.port
            fetch.list.write_text(fetch.list.read_text().replace(f":{port}/", f":{link.port}/"))
            assert fetch.run(server)["fetched"] == len(fetch.names)
            server.port = port
            assert link.left == 0, "no fault was made"
            fetch.expect_all_right()


def test_goaway_every_300_requests_costs_nothing_N7():
    with Scratch() as home:
        fetch = Fetch(home, FILES // 2 if not LONG else FILES)
        with FileServer(home / "nginx", fetch.authority, fetch.files, requests=300) as server:
            fetch.write_list(server)
            assert fetch.run(server)["fetched"] == len(fetch.names)
            fetch.expect_all_right()
            rows = server.requests()
            assert len(connections(rows)) >= len(fetch.names) // 300
            # A session that is resumed may still go with the connection that ends it.
            assert len(full_handshakes(rows)) < len(connections(rows)), rows[::100]
            twice = len(rows) - len({row[4] for row in rows})
            print(f"        {len(connections(rows))} connections, {len(full_handshakes(rows))} full "
                  f"handshakes, {twice} files asked for twice")


class LongFile(Fetch):
    """One file that is fetched in ranges; the server sends each of them slowly, if told to."""

    SIZE = 80_000_000
    SLOWLY = "limit_rate 4m;"

    def __init__(self, home):
        super().__init__(home, 0)
        self.names = ["long.bin"]
        self.file = self.files / "long.bin"
        self.make()

    def make(self):
        self.file.write_bytes(os.urandom(self.SIZE))

    def kept(self):
        """Sizes of the temporaries."""
        if not self.into.exists():
            return []
        return [entry.stat().st_size for entry in os.scandir(self.into)
                if entry.name.startswith(".")]

    def has_four_ranges(self):
        try:
            kept = self.kept()
        except FileNotFoundError:
            return False  # they are being joined
        return len(kept) == 4 and min(kept) > 2_000_000

    def kill_amid_its_ranges(self, server):
        """What was there by then."""
        running = subprocess.Popen(self.command(server), stdout=subprocess.DEVNULL)
        eventually(self.has_four_ranges, 60, "four ranges")
        running.kill()
        running.wait()
        assert "long.bin" not in os.listdir(self.into)
        return sum(self.kept())


def test_a_long_file_is_fetched_in_ranges_and_a_kill_costs_no_byte_of_them_N7():
    with Scratch() as home:
        fetch = LongFile(home)
        with FileServer(home / "nginx", fetch.authority, fetch.files, more=fetch.SLOWLY) as server:
            fetch.write_list(server)
            kept = fetch.kill_amid_its_ranges(server)
            asked = {row[5] for row in server.requests()}
            assert len(asked) == 4 and "-" in asked, asked
            # A run into the folder around it takes nothing of ours for its own leftovers.
            subprocess.run([MILLRACE, "fetch", "-", "--into", str(fetch.into.parent), "--state-dir",
                            str(home / "state")], input="", text=True, check=True,
                           env=dict(os.environ, HOME=str(home)))
            before = len(server.requests())
            summary = fetch.run(server)
            fetch.expect_all_right()
            assert (summary["fetched"], summary["anew"]) == (1, 0), summary
            assert summary["bytes"] == fetch.SIZE - kept, (summary, kept)
            rows = server.requests()[before:]
            assert {row[3] for row in rows} == {206}, rows
            print(f"        {kept} of {fetch.SIZE} bytes kept, {len(rows)} ranges asked for again")


def test_a_long_file_that_changes_amid_its_ranges_is_fetched_anew_N3():
    with Scratch() as home:
        fetch = LongFile(home)
        with FileServer(home / "nginx", fetch.authority, fetch.files, more=fetch.SLOWLY) as server:
            fetch.write_list(server)
            fetch.kill_amid_its_ranges(server)
            before = fetch.file.stat().st_mtime
            fetch.make()
            # nginx makes its ETag of the size and of the second; this file is of another one.
            os.utime(fetch.file, (before + 10, before + 10))
            fetch.write_list(server)
            summary = fetch.run(server)
            assert (summary["fetched"], summary["anew"]) == (1, 1), summary
            fetch.expect_all_right()


def test_a_long_file_of_a_server_without_ranges_is_fetched_in_one_answer():
    with Scratch() as home:
        fetch = LongFile(home)
        with FileServer(home / "nginx", fetch.authority, fetch.files, more="max_ranges 0;") as server:
            fetch.write_list(server)
            assert fetch.run(server)["fetched"] == 1
            fetch.expect_all_right()
            assert [row[3] for row in server.requests()] == [200]


def status_of(fetch, *words):
    """Of this user, who has no configuration."""
    done = subprocess.run([MILLRACE, "status", "--state-dir", str(fetch.home / "state"), *words],
                          capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, HOME=str(fetch.home / "nobody")))
    return done.returncode, done.stdout


def test_status_tells_of_a_fetch_while_it_runs():
    with Scratch() as home:
        fetch = Fetch(home, 300)
        with FileServer(home / "nginx", fetch.authority, fetch.files) as server:
            fetch.write_list(server)
            assert status_of(fetch, "--json")[0] == 2
            running = subprocess.Popen(fetch.command(server, "--rate", "50/s"),
                                       stdout=subprocess.DEVNULL)

            def told():
                status, text = status_of(fetch, "--json")
                rows = json.loads(text)["fetches"] if status == 0 else []
                return rows and rows[0]["fetched"] > 0 and rows

            row, = eventually(told, 60, "the status")
            assert (row["list"], row["into"]) == (str(fetch.list), str(fetch.into)), row
            assert row["fetched"] + row["waiting"] <= 300 and row["failed"] == 0, row
            assert row["bytes"] >= row["fetched"] * SIZE and row["seconds"] > 0, row
            status, text = status_of(fetch)
            assert status == 0 and f"fetch: {fetch.list} -> {fetch.into}" in text, text
            assert " of " in text and "0 failed" in text, text
            running.kill()
            running.wait()
            # What a killed run left is not taken for one that runs.
            assert any((home / "state" / "batch").glob("*/progress.json"))
            assert status_of(fetch, "--json")[0] == 2


def test_a_server_without_http2_is_asked_over_few_kept_connections():
    with Scratch() as home:
        fetch = Fetch(home, 300)
        with FileServer(home / "nginx", fetch.authority, fetch.files, http2=False) as server:
            fetch.write_list(server)
            assert fetch.run(server, "--max-connections", "2")["fetched"] == 300
            fetch.expect_all_right()
            rows = server.requests()
            assert {row[1] for row in rows} == {"HTTP/1.1"}
            assert len(connections(rows)) <= 2, len(connections(rows))


def test_a_list_from_standard_input_and_what_is_wrong_with_one():
    with Scratch() as home:
        fetch = Fetch(home, 3)
        with FileServer(home / "nginx", fetch.authority, fetch.files) as server:
            command = fetch.command(server)
            command[2] = "-"
            text = "".join(server.url(f"/files/{n}") + "\n" for n in fetch.names)
            done = subprocess.run(command, input=text + "ftp://x/y\n", capture_output=True,
                                  text=True, timeout=60)
            assert done.returncode == 1, done
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            failed = next(line for line in lines if line["type"] == "failed")
            assert failed["line"] == 4, failed
            assert "a URL must begin with https://" in failed["reason"], failed
            fetch.expect_all_right()
            # Without leave, this machine's own addresses are never asked.
            without = [word for word in command if word not in ("--allow-fetch", server.place)]
            refused = subprocess.run(without, input=server.url("/files/none"), text=True,
                                     capture_output=True, timeout=60)
            assert refused.returncode == 1 and "public internet" in refused.stdout, refused
            command[2] = str(home / "absent")
            assert subprocess.run(command, capture_output=True, timeout=60).returncode == 2


if __name__ == "__main__":
    main(globals())
