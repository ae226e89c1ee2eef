"""Names and things that no converter should see, and files that misbehave: each is explained,
costs nothing, and holds up nobody. Needs root to change users.
"""

import os
import socket
import stat
from pathlib import Path

from harness import (Agent, ApiServer, Running, Scratch, converter_toml, drop, eventually,
                     folder_toml, main, png)
from whole_files import png as big_png

DAEMON = 1


class Bench(Running):
    """An agent (as `user`, when given) on one folder, with fast settling of odd cases."""

    def __init__(self, home, user=0, converter=None, **folder):
        os.chmod(home, 0o755)
        self.inbox, self.outbox = home / "in", home / "out"
        for place in (self.inbox, self.outbox):
            place.mkdir()
            os.chown(place, user, user)
        self.server = ApiServer()
        self.agent = Agent(home / "a", folder_toml("odd", self.inbox, self.outbox, **folder),
                           converter_toml(self.server.url, **(converter or {})), user=user)

    def says(self, path):
        return " / ".join(self.agent.command("explain", str(path))["says"])

    def good_file_is_converted(self, posts_before=0):
        """The proof that nobody else was held up, and that nothing else was sent."""
        drop(self.inbox, "good.png", png(8, 8, 1))
        eventually(lambda: (self.outbox / "good.webp").exists(), 60, "the good file")
        posts = self.server.bill()["posts"]
        assert posts == posts_before + 1, posts


def test_links_fifos_sockets_and_devices_are_never_opened_K1_K3_K5():
    with Scratch() as home:
        secret = home / "secret.png"
        secret.write_bytes(png(8, 8, 9))
        (home / "elsewhere").mkdir()
        (home / "elsewhere" / "outside.png").write_bytes(png(8, 8, 8))
        with Bench(home) as bench:
            (bench.inbox / "link.png").symlink_to(secret)
            (bench.inbox / "folder.png").symlink_to(home / "elsewhere")
            (bench.inbox / "loop").symlink_to(bench.inbox)
            os.mkfifo(bench.inbox / "pipe.png")
            os.mknod(bench.inbox / "device.png", stat.S_IFCHR | 0o600, os.makedev(1, 3))
            with socket.socket(socket.AF_UNIX) as listener:
                here = os.getcwd()
                os.chdir(bench.inbox)  # a socket's path holds 107 bytes
                listener.bind("socket.png")
                os.chdir(here)
            bench.good_file_is_converted()
            bench.agent.command("rescan")
            for name, word in [("link.png", "link"), ("pipe.png", "regular"),
                               ("device.png", "regular"), ("socket.png", "regular"),
                               ("folder.png", "link")]:
                assert word in bench.says(bench.inbox / name), (name,
                                                                bench.says(bench.inbox / name))
                eventually(lambda n=name: f"file={n}" in bench.agent.read_log(), 30,
                           f"a line in the log on {name}")
            eventually(lambda: bench.agent.folder("odd")["health"]["not_taken"] >= 5, 30,
                       "the number of what was not taken")
            assert os.listdir(bench.outbox) == ["good.webp"], os.listdir(bench.outbox)


ODD_NAMES = [b"not-utf8-\xff\xfe.png", b"new\nline.png", b"quote\"'`$(reboot).png", b"a..png.png",
             b"a..%2f..%2fetc.png", b"back\\..\\slash.png", b"-rf.png", b" leading.png",
             b"esc\x1b[31m.png", "umlaut-ü-日本.png".encode(), b"CON.png", b"a:b.png",
             b"<script>.png", b"=cmd.png", b"x" * 251 + b".png", b"\xe2\x80\xaertl.png"]


def test_odd_names_are_converted_and_stay_beneath_the_outbox_A17_F8_F9_K6():
    with Scratch() as home, Bench(home) as bench:
        for seed, name in enumerate(ODD_NAMES):
            aside = os.path.join(os.fsencode(home), b"aside")
            Path(os.fsdecode(aside)).write_bytes(png(8, 8, 100 + seed))
            os.rename(aside, os.path.join(os.fsencode(bench.inbox), name))
        eventually(lambda: bench.agent.all_done("odd", len(ODD_NAMES)), 60, "every odd name")
        row = bench.agent.folder("odd")
        assert row["delivered"] == len(ODD_NAMES), (row, bench.agent.command("failures"))
        outputs = os.listdir(os.fsencode(bench.outbox))
        assert len(outputs) == len(ODD_NAMES), outputs
        assert all(len(name) <= 255 and b"\n" not in name for name in outputs), outputs
        assert sorted(os.listdir(home)) == ["a", "in", "out"], os.listdir(home)
        log = bench.agent.log.read_bytes()
        assert b"\x1b[31m" not in log and b"\nline.png" not in log
        bench.good_file_is_converted(len(ODD_NAMES))


def test_empty_and_too_large_files_are_told_and_never_sent_A10_A11():
    with Scratch() as home, Bench(home, converter={"max_size": "1MB"}) as bench:
        (bench.inbox / "empty.png").touch()
        drop(bench.inbox, "large.png", big_png(1_200_000, 1))
        with open(bench.inbox / "huge.png", "wb") as out:
            out.truncate(5_000_000_000)
        bench.good_file_is_converted()
        eventually(lambda: len(bench.agent.command("failures")["failures"]) == 3, 60, "failures")
        reasons = {row["file"]: row["reason"]
                   for row in bench.agent.command("failures")["failures"]}
        assert "empty" in reasons["empty.png"], reasons
        assert "larger than max_size" in reasons["large.png"], reasons
        assert "larger than max_size" in reasons["huge.png"], reasons
        assert "empty" in bench.says(bench.inbox / "empty.png")
        assert bench.server.bill()["posts"] == 1


def test_an_unreadable_file_waits_and_is_taken_when_it_may_be_read_A12():
    with Scratch() as home, Bench(home, user=DAEMON) as bench:
        locked = bench.inbox / "locked.png"
        locked.write_bytes(png(8, 8, 3))
        os.chmod(locked, 0)
        bench.good_file_is_converted()
        eventually(lambda: "ermission" in bench.says(locked), 30, "the reason")
        os.chmod(locked, 0o644)
        eventually(lambda: (bench.outbox / "locked.webp").exists(), 60, "the unlocked file")


def test_an_unreadable_folder_is_told_and_holds_nobody():
    with Scratch() as home, Bench(home, user=DAEMON) as bench:
        closed = bench.inbox / "closed"
        closed.mkdir(mode=0o700)
        (closed / "inside.png").write_bytes(png(8, 8, 4))
        bench.good_file_is_converted()
        bench.agent.command("rescan")
        eventually(lambda: "closed" in bench.agent.read_log(), 30, "a line in the log")


def test_files_that_vanish_cost_nothing_A9():
    with Scratch() as home, Bench(home, settle="5s") as bench:
        for number in range(50):
            drop(bench.inbox, f"{number}.png", png(8, 8, number)).unlink()
        bench.good_file_is_converted()
        eventually(lambda: bench.agent.all_done("odd", 1), 30, "its record")
        row = bench.agent.folder("odd")
        assert row["failed"] == 0 and row["delivered"] == 1, row
        assert "no such file" in bench.says(bench.inbox / "0.png")


main(globals())
