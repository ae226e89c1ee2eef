"""The order of system calls of the real binary: data synced, then renamed, then the directory
synced, then recorded, then the source archived; the attempt on disk before the request. And: no
call that changes the disk bypasses the numbering of the crash points. Needs strace (Debian).

Rows G2, G3, G4, G5, security checklist 1 and 6.
"""

import re
import shutil
import subprocess

from harness import (Agent, ApiServer, MILLRACE, Scratch, converter_toml, drop, folder_toml, main,
                     png)

CALLS = ("openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,rename,renameat,renameat2,link,"
         "linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat,ftruncate,truncate,"
         "fallocate,fsync,fdatasync,close,fchmod,fchmodat,chmod,sendto,sendmsg,copy_file_range,"
         "sendfile,splice,msync,socket,connect,accept4,dup,fcntl,utimensat,setxattr")
LINE = re.compile(r"^(\d+) +(\d+\.\d+) (\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)(.*)$")
PART = re.compile(r"^(\d+) +(\d+\.\d+) (.*) <unfinished \.\.\.>$")
REST = re.compile(r"^(\d+) +(\d+\.\d+) <\.\.\. (\w+) resumed>(.*)$")
PATH = re.compile(r'<((?:[^<>\\]|\\.)*)>')
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Call:
    def __init__(self, thread, name, arguments, result, order):
        self.thread, self.name, self.arguments = thread, name, arguments
        self.result, self.order = result, order
        found = PATH.findall(arguments)
        self.path = found[0] if found else ""  # of the first descriptor
        self.texts = TEXT.findall(arguments)

    def __repr__(self):
        return f"#{self.order} {self.name}({self.arguments[:150]}) = {self.result}"


def parse(trace):
    """Calls that succeeded, in the order in which they returned."""
    calls, open_parts = [], {}
    for line in trace.splitlines():
        if part := PART.match(line):
            open_parts[part[1]] = part[3]
            continue
        if rest := REST.match(line):
            begun = open_parts.pop(rest[1], None)
            if begun is None:
                continue
            line = f"{rest[1]} {rest[2]} {begun}{rest[4]}"
        whole = LINE.match(line)
        if whole and (whole[5][0] not in "-?" or "/dev/null/crash-point" in whole[4]):
            calls.append(Call(whole[1], whole[3], whole[4], whole[5], len(calls)))
    return calls


def traced_run(home, agent, environment=None):
    trace = home / "trace"
    done = subprocess.run(
        ["strace", "-f", "-y", "-s", "4096", "-ttt", "-e", f"trace={CALLS}", "-o", str(trace),
         MILLRACE, "run", "--once", "--config", str(agent.config)],
        env={**agent.environment, **(environment or {})}, capture_output=True, text=True,
        timeout=300)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr[-3000:])
    calls = parse(trace.read_text(errors="replace"))
    assert len(calls) > 50, "strace saw nothing"
    return calls


def converted_once(home, environment=None, **keys):
    assert shutil.which("strace"), "this test needs strace (apt-get install strace)"
    for folder in ("in", "out"):
        (home / folder).mkdir()
    drop(home / "in", "a.png", png(64, 64, 5))
    with ApiServer("--output-bytes", "300000") as server:
        agent = Agent(home / "a", folder_toml("f", home / "in", home / "out", settle="0s", **keys),
                      converter_toml(server.url))
        return traced_run(home, agent, environment)


class Story:
    """The calls of one delivery, and whether they stand in the promised order."""

    def __init__(self, home, calls):
        self.calls, self.home = calls, home
        self.wal = str(home / "a" / "state" / "ledger.db-wal")

    def last(self, what, test):
        found = [call for call in self.calls if test(call)]
        assert found, f"never seen: {what}"
        return found[-1]

    def first(self, what, test):
        found = [call for call in self.calls if test(call)]
        assert found, f"never seen: {what}"
        return found[0]

    def is_wal_sync(self, call):
        return call.name in ("fsync", "fdatasync") and call.path == self.wal

    def wal_written_with(self, mark):
        """The sync of the first WAL frame that holds these bytes."""
        frame = self.first(f"{mark} in the WAL", lambda c: c.name == "pwrite64" and
                           c.path == self.wal and any(mark in t for t in c.texts))
        return self.first(f"the sync of {mark}",
                          lambda c: self.is_wal_sync(c) and c.order > frame.order)

    def broken(self):
        """What is out of order; empty if nothing is."""
        out = str(self.home / "out")
        renamed = self.first("the rename", lambda c: c.name in ("renameat2", "linkat") and
                             c.texts and c.texts[-1] == "a.webp")
        temporary = f"{out}/{renamed.texts[0]}"
        wrote = self.last("the data", lambda c: c.name == "write" and c.path == temporary)
        request = self.first("the request", lambda c: c.name in ("sendto", "write", "sendmsg") and
                             any("POST /v1/convert" in t for t in c.texts))
        synced = [c for c in self.calls if c.name == "fsync" and c.path == temporary and
                  wrote.order < c.order < renamed.order]
        directory = [c for c in self.calls if c.name == "fsync" and c.path == out and
                     c.order > renamed.order]
        attempt = [c for c in self.calls if self.is_wal_sync(c) and c.order < request.order]
        delivering = [c for c in self.calls if self.is_wal_sync(c) and
                      wrote.order < c.order < renamed.order]
        problems = []
        if not synced:
            problems.append("renamed before its data was synced")
        if not directory:
            return problems + ["the directory is never synced"]
        recorded = [c for c in self.calls if self.is_wal_sync(c) and
                    c.order > directory[0].order]
        key = re.search(r"Idempotency-Key: (\w+)", " ".join(request.texts))
        if not key:
            problems.append("the request has no Idempotency-Key")
        elif not attempt or self.wal_written_with(key[1]).order > request.order:
            problems.append("the request left before its attempt was on disk")
        if not delivering:
            problems.append("published before the ledger knew of it")
        early = [c for c in self.calls if self.is_wal_sync(c) and
                 renamed.order < c.order < directory[0].order]
        if not recorded or early:
            problems.append("recorded before the directory was synced")
        gone = [c for c in self.calls if c.name in ("renameat2", "unlinkat") and
                c.texts and c.texts[0].endswith("a.png")]
        if gone and recorded and gone[0].order < recorded[0].order:
            problems.append("the source left before its delivery was on disk")
        return problems


def test_synced_renamed_synced_recorded_then_archived():
    with Scratch() as home:
        story = Story(home, converted_once(home, after="archive"))
        assert story.broken() == [], story.broken()
        assert (home / "archive" / "a.png").exists()
        left = story.first("the archiving", lambda c: c.name == "renameat2" and
                           c.texts[0].endswith("a.png"))
        shelves = [c for c in story.calls if c.name == "fsync" and c.order > left.order and
                   c.path in (str(home / "archive"), str(home / "in"))]
        assert len(shelves) >= 2, "archive and inbox are synced after the move"


def test_synced_renamed_synced_recorded_then_deleted():
    with Scratch() as home:
        story = Story(home, converted_once(home, after="delete"))
        assert story.broken() == [], story.broken()
        assert list((home / "in").iterdir()) == []


def test_the_order_check_sees_what_is_out_of_order():
    """The control: the same story with calls left out or exchanged is refused."""
    with Scratch() as home:
        calls = converted_once(home, after="delete")
        out = str(home / "out")
        story = Story(home, calls)
        renamed = story.first("the rename", lambda c: c.name == "renameat2" and
                              c.texts[-1] == "a.webp")
        temporary = f"{out}/{renamed.texts[0]}"

        def broken_without(left_out):
            kept = [call for call in calls if not left_out(call)]
            return Story(home, kept).broken()

        assert "renamed before its data was synced" in broken_without(
            lambda c: c.name == "fsync" and c.path == temporary)
        assert "the directory is never synced" in broken_without(
            lambda c: c.name == "fsync" and c.path == out)
        assert "published before the ledger knew of it" in broken_without(
            lambda c: story.is_wal_sync(c) and c.order < renamed.order and
            c.order > story.first("data", lambda d: d.path == temporary).order)
        request = story.first("the request", lambda c: any("POST /v1" in t for t in c.texts))
        assert "the request left before its attempt was on disk" in broken_without(
            lambda c: story.is_wal_sync(c) and c.order < request.order)
        recorded = story.first("delivered", lambda c: story.is_wal_sync(c) and
                               c.order > renamed.order)
        source = story.first("the deletion", lambda c: c.name == "unlinkat" and
                             c.texts[0] == "a.png")
        assert recorded.order < source.order
        assert "the source left before its delivery was on disk" in broken_without(
            lambda c: story.is_wal_sync(c) and renamed.order < c.order < source.order)


CHANGES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "rename", "renameat", "renameat2",
           "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "symlink",
           "symlinkat", "ftruncate", "truncate", "fallocate", "fsync", "fdatasync", "creat",
           "copy_file_range", "sendfile", "splice", "msync", "fchmod", "fchmodat", "chmod"}


def changes(home, calls):
    """Calls that change something beneath the folders, SQLite's own left out."""
    ours = [str(home / name) for name in ("in", "out", "archive", "failed", "a/state")]
    found = []
    for call in calls:
        makes = call.name in ("openat", "open") and "O_CREAT" in call.arguments
        if call.name not in CHANGES and not makes:
            continue
        names = [path for path in [*PATH.findall(call.arguments), *call.texts]
                 if any(path == folder or path.startswith(folder + "/") for folder in ours)]
        sqlite = any("/ledger.db" in name for name in names) or (
            call.name in ("fsync", "fdatasync") and call.path == str(home / "a/state"))
        if names and not sqlite:
            found.append(call)
    return found


def bypasses(home, calls):
    """Changes whose thread passed no crash point since its last one."""
    armed, bypassing = {}, []
    changing = set(id(call) for call in changes(home, calls))
    for call in calls:
        if "/dev/null/crash-point" in call.arguments:
            armed[call.thread] = True
        elif id(call) in changing and not armed.pop(call.thread, False):
            bypassing.append(call)
    return bypassing


# Made at the start, and no part of any file's way: the state folder, and the lock with a number.
HARMLESS = {("mkdir", "/a/state"), ("fchmodat", "/a/state"), ("openat", "/a/state/lock"),
            ("ftruncate", "/a/state/lock"), ("pwrite64", "/a/state/lock")}


def is_harmless(home, call):
    names = [*call.texts, call.path]
    return any(call.name == name and str(home) + place in names for name, place in HARMLESS)


def test_no_change_on_disk_bypasses_the_crash_points():
    with Scratch() as home:
        calls = converted_once(home, {"MILLRACE_MARK_CALLS": "1"}, after="archive")
        made = changes(home, calls)
        assert len(made) >= 10, made
        wrong = [call for call in bypasses(home, calls) if not is_harmless(home, call)]
        assert wrong == [], wrong
        marks = [call for call in calls if "/dev/null/crash-point" in call.arguments]
        print(f"  {len(made)} changes outside SQLite, {len(marks)} crash points")
        # The control: with one crash point gone, a change shows.
        for mark in marks[-3:]:
            if bypasses(home, [call for call in calls if call is not mark]):
                break
        else:
            raise AssertionError("the check does not see a change without its crash point")


main(globals())
