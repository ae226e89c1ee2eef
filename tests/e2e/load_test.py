"""Many files at once: none is missed, and the agent stays small."""

import os
import signal
import time
from pathlib import Path

from harness import (LONG, Agent, ApiServer, Running, Scratch, converter_toml, count, eventually,
                     folder_toml, main, png)

MOST_MEMORY_KB = 60_000
DISK, MEMORY = None, "/dev/shm"


class Load(Running):
    """An agent on one folder beneath `home`, and a server that answers at once."""

    def __init__(self, home):
        self.home = home
        self.inbox, self.outbox = home / "in", home / "out"
        self.inbox.mkdir()
        self.outbox.mkdir()
        self.server = ApiServer()
        self.agent = Agent(home / "a", folder_toml("load", self.inbox, self.outbox),
                           converter_toml(self.server.url, concurrency=16))

    def memory_kb(self):
        for line in Path(f"/proc/{self.agent.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1])
        raise AssertionError("no VmHWM")

    def check(self, files, what):
        began = time.monotonic()
        eventually(lambda: self.agent.all_done("load", files), 60 + files // 50, what)
        took = time.monotonic() - began
        memory = self.memory_kb()
        print(f"        {what}: {files} files in {took:.1f} s, {memory / 1000:.1f} MB", flush=True)
        outputs = sum(len(names) for _, _, names in os.walk(self.outbox))
        assert outputs == files, f"{outputs} outputs of {files}"
        row = self.agent.folder("load")
        assert row["delivered"] == files, row
        bill = self.server.bill()
        assert bill["posts"] == files and bill["keys"] == files, bill
        assert memory < MOST_MEMORY_KB, f"{memory} KB"


def write_files(folder, numbers):
    for number in numbers:
        with open(folder / f"picture-{number:06}.png", "wb") as out:
            out.write(png(4, 4, number))


def both_places(test):
    """On disk and in memory when all is asked for; else in one of them, by turns."""
    places = [DISK, MEMORY] if LONG else [[DISK, MEMORY][len(test.__name__) % 2]]
    for place in places:
        with Scratch(place) as home, Load(home) as load:
            test(load)


def created_at_once(load):
    files = count(10_000)
    write_files(load.inbox, range(files))
    load.check(files, "created at once")


def moved_in_as_one_folder(load):
    files = count(10_000)
    aside = load.home / "aside"
    aside.mkdir()
    write_files(aside, range(files))
    aside.rename(load.inbox / "moved")
    load.check(files, "moved in as one folder")


def made_in_new_folders(load):
    folders, each = count(1_000), 10
    for number in range(folders):
        folder = load.inbox / f"{number % 7}" / f"folder-{number}"
        folder.mkdir(parents=True)
        write_files(folder, range(number * each, number * each + each))
    load.check(folders * each, "made in new folders")


def made_while_stopped(load):
    """More events than the kernel's queue holds, so that some are lost for certain."""
    files = count(20_000)
    losses = load.agent.folder("load")["health"]["losses"]
    load.agent.process.send_signal(signal.SIGSTOP)
    write_files(load.inbox, range(files))
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(queue):
        (load.inbox / f"{number % 2}.part").touch()
    load.agent.process.send_signal(signal.SIGCONT)
    load.check(files, "made while stopped")
    assert load.agent.folder("load")["health"]["losses"] > losses, "the queue never overflowed"


def test_files_created_at_once_A14():
    both_places(created_at_once)


def test_files_moved_in_as_one_folder_A14():
    both_places(moved_in_as_one_folder)


def test_files_in_folders_made_faster_than_watched_B8():
    both_places(made_in_new_folders)


def test_files_made_while_the_agent_is_stopped_B1_B9():
    both_places(made_while_stopped)


main(globals())
