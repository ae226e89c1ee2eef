"""Shares that hang, break or go away, and roots that are replaced. Needs root, FUSE and bindfs."""

import atexit
import itertools
import os
import signal
import subprocess
import time
from pathlib import Path

from harness import (Agent, ApiServer, Scratch, converter_toml, eventually, folder_toml, main, png)

POLLED = {"poll": "300ms", "settle": "600ms"}
FILES = 10
SEEDS = itertools.count()
CONNECTIONS = Path("/sys/fs/fuse/connections")


class Share:
    """A folder `at` that bindfs serves from `behind`, as a network share is served."""

    def __init__(self, at):
        self.at = Path(at)
        self.behind = self.at.with_name(self.at.name + "-behind")
        self.at.mkdir(parents=True, exist_ok=True)
        self.behind.mkdir()
        self.process = None
        self.mount()

    def mount(self):
        self.process = subprocess.Popen(["bindfs", "-f", str(self.behind), str(self.at)])
        eventually(lambda: os.path.ismount(self.at), 20, "the mount")
        self.waiting = CONNECTIONS / str(os.minor(os.stat(self.at).st_dev)) / "waiting"

    def hang(self):
        """With nothing in hand: who waits for a request that was read cannot be killed."""
        eventually(self.stops_with_nothing_in_hand, 30, "a moment without requests")

    def stops_with_nothing_in_hand(self):
        self.process.send_signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{self.process.pid}/task")
        eventually(lambda: all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T"
                               for task in tasks.iterdir()), 20, "the stop")
        if int(self.waiting.read_text()) == 0:
            return True
        self.process.send_signal(signal.SIGCONT)
        return False

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def break_off(self):
        """The server dies: every call says ENOTCONN."""
        self.process.kill()
        self.process.wait()

    def unmount(self):
        subprocess.run(["umount", "-l", str(self.at)], check=False, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.go_on()
        self.break_off()
        self.unmount()


def pair(home, name):
    inbox, outbox = home / name / "in", home / name / "out"
    inbox.mkdir(parents=True)
    outbox.mkdir()
    return inbox, outbox


def put(inbox, first, files=FILES):
    """Writes under another name and renames, within the inbox: it may be a mount of its own.

    Every file has bytes of its own: equal ones would wait for one another.
    """
    for number in range(first, first + files):
        unfinished = Path(inbox) / f"{number}.part"
        unfinished.write_bytes(png(8, 8, next(SEEDS)))
        unfinished.rename(Path(inbox) / f"{number}.png")


def has(outbox, first, files=FILES):
    wanted = {f"{number}.webp" for number in range(first, first + files)}
    return wanted <= set(os.listdir(outbox))


def quick_status(agent):
    """Status has to answer at once whatever hangs."""
    began = time.monotonic()
    rows = {row["name"]: row for row in agent.command("status")["folders"]}
    assert time.monotonic() - began < 5, "status hung"
    return rows


def is_stalled(agent, name):
    health = quick_status(agent)[name]["health"]
    return (health["state"] == "stalled" or "inbox_stalled_s" in health or
            "outbox_stalled_s" in health)


def hang_and_go_on(home, server, share, inboxes, outboxes):
    """Folder `share` hangs, folder `plain` goes on; then everything is converted.

    The share may hold four workers, as many as there are requests allowed at a time.
    """
    agent = Agent(home / "a", folder_toml("share", inboxes[0], outboxes[0], **POLLED) +
                  folder_toml("plain", inboxes[1], outboxes[1]),
                  converter_toml(server.url, concurrency=4), agent="workers = 8")
    with agent:
        agent.start()
        put(inboxes[0], 0)
        put(inboxes[1], 0)
        eventually(lambda: has(outboxes[0], 0) and has(outboxes[1], 0), 60, "the first files")
        server.latency("300")  # so that work is under way when it hangs
        if share.at == outboxes[0]:
            put(inboxes[0], 100, 30)
        else:
            put(share.behind, 100, 30)
        eventually(lambda: server.bill()["posts"] > 2 * FILES, 60, "work under way")
        share.hang()
        server.latency("0")
        eventually(lambda: is_stalled(agent, "share"), 60, "the stalled share")
        began = time.monotonic()
        put(inboxes[1], 100, 50)
        eventually(lambda: has(outboxes[1], 100, 50), 30, "the other folder's files")
        assert time.monotonic() - began < 20, "the other folder was slowed down"
        began = time.monotonic()
        said = agent.command("explain", str(inboxes[0] / "100.png"))["says"]
        assert time.monotonic() - began < 5 and any("stalled" in line for line in said), said
        share.go_on()
        eventually(lambda: has(outboxes[0], 100, 30), 60, "what waited behind the share")
        eventually(lambda: not is_stalled(agent, "share"), 30, "the end of the stall")
        share.hang()
        put(inboxes[1], 200)
        eventually(lambda: has(outboxes[1], 200), 30, "the other folder's files")
        status, took = agent.stop()
        assert status == 0 and took < 5, (status, took)
        share.go_on()
        agent.start()
        eventually(lambda: agent.all_done("share", FILES + 30), 60, "the share's folder")
        bill = server.bill()
        assert bill["keys_billed_twice"] == 0 and bill["mismatches"] == 0, bill


def test_a_hung_inbox_holds_nobody_else_C2():
    with Scratch() as home, ApiServer() as server:
        _, out = pair(home, "share")
        plain_in, plain_out = pair(home, "plain")
        with Share(home / "share" / "in") as share:
            hang_and_go_on(home, server, share, (share.at, plain_in), (out, plain_out))


def test_a_hung_outbox_holds_nobody_else_C2():
    with Scratch() as home, ApiServer() as server:
        inbox, _ = pair(home, "share")
        plain_in, plain_out = pair(home, "plain")
        with Share(home / "share" / "out") as share:
            hang_and_go_on(home, server, share, (inbox, plain_in), (share.at, plain_out))


def test_the_agent_starts_beside_a_share_that_hangs_I7():
    with Scratch() as home, ApiServer() as server:
        inbox, _ = pair(home, "share")
        plain_in, plain_out = pair(home, "plain")
        with Share(home / "share" / "out") as share:
            put(inbox, 0)
            share.hang()
            folders = (folder_toml("share", inbox, share.at, **POLLED) +
                       folder_toml("plain", plain_in, plain_out))
            with Agent(home / "a", folders, converter_toml(server.url)) as agent:
                agent.start()
                put(plain_in, 0)
                eventually(lambda: has(plain_out, 0), 30, "the other folder's files")
                share.go_on()
                eventually(lambda: has(share.at, 0), 60, "the share's files")


def test_a_share_that_breaks_off_is_offline_and_comes_back_C1_C3_C4():
    with Scratch() as home, ApiServer() as server:
        _, outbox = pair(home, "share")
        with Share(home / "share" / "in") as share, Agent(
                home / "a", folder_toml("share", share.at, outbox, **POLLED),
                converter_toml(server.url)) as agent:
            agent.start()
            put(share.behind, 0)
            eventually(lambda: has(outbox, 0), 60, "files written behind the share")
            share.break_off()
            eventually(lambda: quick_status(agent)["share"]["health"]["state"] == "offline", 30,
                       "offline")
            share.unmount()
            put(share.behind, 100)
            share.mount()
            eventually(lambda: has(outbox, 100), 60, "files that came meanwhile")
            share.unmount()  # the bare mount point lies there now
            eventually(lambda: quick_status(agent)["share"]["health"]["state"] == "offline", 30,
                       "offline")
            posts = server.bill()["posts"]
            assert posts == 2 * FILES, posts
            row = agent.folder("share")
            assert row["cancelled"] == 0 and row["failed"] == 0, row


def test_an_inbox_that_is_removed_and_made_anew_is_watched_again_B6():
    with Scratch() as home, ApiServer() as server:
        inbox, outbox = pair(home, "plain")
        with Agent(home / "a", folder_toml("plain", inbox, outbox),
                   converter_toml(server.url)) as agent:
            agent.start()
            put(inbox, 0)
            eventually(lambda: has(outbox, 0), 60, "the first files")
            inbox.rename(home / "elsewhere")
            eventually(lambda: quick_status(agent)["plain"]["health"]["state"] == "offline", 30,
                       "offline")
            inbox.mkdir()
            put(inbox, 100)
            eventually(lambda: has(outbox, 100), 60, "files in the new folder")


def test_an_inbox_that_is_mounted_over_and_unmounted_B6():
    with Scratch() as home, ApiServer() as server:
        inbox, outbox = pair(home, "plain")
        with Agent(home / "a", folder_toml("plain", inbox, outbox),
                   converter_toml(server.url)) as agent:
            agent.start()
            put(inbox, 0)
            eventually(lambda: has(outbox, 0), 60, "the first files")
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", inbox], check=True)
            try:
                (inbox / "100.png").write_bytes(png(8, 8, 100))
                eventually(lambda: has(outbox, 100, 1), 60, "a file on the new file system")
            finally:
                subprocess.run(["umount", "-l", inbox], check=True)
            put(inbox, 200)
            eventually(lambda: has(outbox, 200), 60, "files below, after unmounting")
            assert server.bill()["posts"] == 2 * FILES + 1


if not os.path.ismount(CONNECTIONS):  # systemd has it mounted
    subprocess.run(["mount", "-t", "fusectl", "fusectl", str(CONNECTIONS)], check=True)
    atexit.register(subprocess.run, ["umount", "-l", str(CONNECTIONS)])
main(globals())
