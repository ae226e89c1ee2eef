"""The machine fails beneath the agent: full, read-only, forbidden and broken folders. Work there
pauses with a reason that `status` shows, goes on by itself when the cause ends, nothing half-written
is seen, nothing is paid for twice, and the other folders never notice.

Mounts file systems and starts the agent as another user: needs root, setpriv and a C compiler."""

import os
import shutil
import subprocess
from contextlib import contextmanager

from bench import Bench
from books import attempts, made_from
from harness import count, drop, eventually, folder_toml, main, png
from kept_test import files_in, kept_and_killed

FOLDERS = ("hurt", "well")
NOBODY = 65534


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


@contextmanager
def tmpfs(at, options):
    mount("-t", "tmpfs", "-o", options, "none", at)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


@contextmanager
def bench_without_rights():
    """A bench whose agent runs as a user that is not root; everything belongs to that user."""
    with Bench(folders=FOLDERS, user=NOBODY) as bench:
        for box in (bench.inbox("hurt"), bench.outbox("hurt")):
            (box / "sub").mkdir()
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(bench.home)], check=True)
        yield bench


def expect_paused(bench, *words):
    """The folder says why it waits, shows whole files only, and the other folder goes on."""
    def paused():
        row = bench.agent.folder("hurt")
        reason = row.get("blocked", "")
        return row if any(word in reason for word in words) else None
    eventually(paused, 60, f"a reason with one of {words}")
    before = bench.agent.folder("well")["delivered"]
    bench.drop(5, "well", first=before)
    bench.delivered("well", before + 5, 60)
    eventually(paused, 60, "the reason, still or again")
    for made in filter(os.path.isfile, bench.outbox("hurt").iterdir()):
        assert made.name.startswith(".millrace-") or made_from(made), f"{made.name} is not whole"


def expect_held_by_the_ledger(bench):
    eventually(lambda: "ledger" in bench.agent.folder("hurt").get("blocked", ""), 60,
               "a folder that says what the ledger lacks")


def expect_healed(bench, files):
    bench.delivered("hurt", files, 120)
    assert "blocked" not in bench.agent.folder("hurt"), bench.agent.folder("hurt")
    return bench.expect_all_right()


def test_an_inbox_from_which_nothing_may_be_taken_fills_no_archive():
    """[F2]: the source stays, and no copy of it is left however often the move is tried."""
    with bench_without_rights() as bench:
        inbox, archive = bench.inbox("hurt"), bench.home / "archive"
        folder = folder_toml("hurt", inbox, bench.outbox("hurt"), after="archive",
                             archive=str(archive))
        bench.agent.write_config(folder, bench.converter())
        os.chown(inbox, 0, 0)
        bench.agent.start()
        bench.drop(1, "hurt")
        for tries in (1, 2):
            eventually(lambda n=tries: bench.agent.read_log().count("stays where it is") >= n, 60,
                       f"try {tries} at the move")
            bench.agent.stop()
            bench.agent.start()
        assert [p.name for p in archive.rglob("*") if p.is_file()] == []
        assert (inbox / "hurt-0.png").exists()


def test_an_outbox_that_fills_up_pauses_and_resumes_by_itself():
    """[F1]: ENOSPC while results are written; those fetched again are replays of the same key."""
    files = count(200)
    with Bench("--output-bytes", "100000", folders=FOLDERS) as bench:
        with tmpfs(bench.outbox("hurt"), "size=1m"):
            bench.agent.start()
            bench.drop(files, "hurt")
            expect_paused(bench, "bytes free", "No space left")
            mount("-o", "remount,size=64m", bench.outbox("hurt"))
            bill = expect_healed(bench, files)
            # The pause holds requests back, so that a full disk is not paid for in uploads.
            assert bill["replays"] <= 40, bill


def test_an_outbox_without_inodes_is_not_paid_for():
    """[F1]"""
    with Bench(folders=FOLDERS) as bench:
        with tmpfs(bench.outbox("hurt"), "size=16m,nr_inodes=20"):
            bench.agent.start()
            bench.drop(20, "hurt")
            expect_paused(bench, "inodes")
            assert bench.server.bill()["billed"] == 5  # the other folder's
            mount("-o", "remount,nr_inodes=1000", bench.outbox("hurt"))
            expect_healed(bench, 20)


def test_an_outbox_that_becomes_read_only_pauses_and_resumes_by_itself():
    """[F2]: EROFS"""
    with Bench(folders=FOLDERS) as bench:
        with tmpfs(bench.outbox("hurt"), "size=64m"):
            bench.agent.start()
            bench.drop(5, "hurt")
            bench.delivered("hurt", 5)
            mount("-o", "remount,ro", bench.outbox("hurt"))
            bench.drop(20, "hurt", first=5)
            expect_paused(bench, "cannot be written to")
            assert bench.server.bill()["billed"] == 10
            mount("-o", "remount,rw", bench.outbox("hurt"))
            expect_healed(bench, 25)


def test_an_outbox_that_becomes_read_only_under_an_answer_keeps_what_is_paid():
    """[F2]: the request is under way when the file system turns."""
    with Bench(folders=FOLDERS) as bench:
        with tmpfs(bench.outbox("hurt"), "size=64m"):
            bench.server.hold()
            bench.agent.start()
            bench.drop(8, "hurt")
            eventually(lambda: bench.server.bill()["posts"] == 8, 60, "eight requests")
            mount("-o", "remount,ro", bench.outbox("hurt"))
            bench.server.release()
            expect_paused(bench, "Read-only", "cannot be written to")
            mount("-o", "remount,rw", bench.outbox("hurt"))
            bill = expect_healed(bench, 8)
            assert bill["replays"] <= 8, bill


def test_a_paid_result_whose_folder_takes_no_files_holds_up_no_other():
    """[F2] [G1]: neither the one that was kept beside it, nor what comes later."""
    with kept_and_killed(["a.png", "sub/b.png"]) as (agent, server, inbox, outbox):
        sub = outbox / "sub"
        mount("--bind", sub, sub)
        try:
            mount("-o", "remount,bind,ro", sub)
            agent.start()
            drop(inbox, "c.png", png(8, 8, 9))
            eventually(lambda: {"a.webp", "c.webp"} <= set(files_in(outbox)), 60, "the others")
            assert server.bill()["posts"] == 3, server.bill()
        finally:
            subprocess.run(["umount", "-l", str(sub)], check=True)
        eventually(lambda: agent.folder("pictures")["delivered"] == 3, 60, "the kept result")
        assert server.bill()["posts"] == 3, server.bill()
        assert files_in(outbox) == ["a.webp", "c.webp", "sub/b.webp"]


def test_an_outbox_without_permission_pauses_and_resumes_by_itself():
    """[F2]: EACCES"""
    with bench_without_rights() as bench:
        bench.outbox("hurt").chmod(0o555)
        bench.agent.start()
        bench.drop(20, "hurt")
        expect_paused(bench, "cannot be written to")
        assert bench.server.bill()["billed"] == 5
        bench.outbox("hurt").chmod(0o755)
        bench.delivered("hurt", 20)
        bench.drop(5, "well", first=5)
        bench.delivered("well", 10)
        assert bench.server.bill()["posts"] == attempts(bench.ledger) == 30


def test_a_sub_folder_of_the_outbox_without_permission_hurts_its_files_only():
    """[F2] [P7]: what lies elsewhere in the same folder is converted; what cannot be written is not
    asked for."""
    with bench_without_rights() as bench:
        (bench.outbox("hurt") / "sub").chmod(0o555)
        bench.agent.start()
        drop(bench.inbox("hurt") / "sub", "shut.png", png(8, 8, 5000))
        bench.drop(5, "hurt")
        bench.delivered("hurt", 5, 120)
        shut = str(bench.inbox("hurt") / "sub" / "shut.png")
        eventually(lambda: "sub cannot be written to" in str(bench.agent.command("explain", shut)),
                   60, "an explanation")
        assert bench.server.bill()["posts"] == 5
        (bench.outbox("hurt") / "sub").chmod(0o755)
        bench.delivered("hurt", 6, 120)
        assert made_from(bench.outbox("hurt") / "sub" / "shut.webp")
        assert bench.server.bill()["posts"] == attempts(bench.ledger) == 6


SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* EIO for what lies under EIO_UNDER while the file EIO_WHILE is there. */
static int broken(int fd) {
  const char *under = getenv("EIO_UNDER"), *flag = getenv("EIO_WHILE");
  char link[64], path[4096];
  ssize_t n;
  if (!under || !flag || access(flag, F_OK) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  n = readlink(link, path, sizeof path - 1);
  if (n <= 0) return 0;
  path[n] = 0;
  return strncmp(path, under, strlen(under)) == 0;
}
int fsync(int fd) {
  static int (*next)(int);
  if (!next) next = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  if (broken(fd)) return errno = EIO, -1;
  return next(fd);
}
int fdatasync(int fd) {
  static int (*next)(int);
  if (!next) next = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  if (broken(fd)) return errno = EIO, -1;
  return next(fd);
}
"""


@contextmanager
def bench_with_shim(under):
    """A bench whose agent gets EIO from every sync beneath `under` while home/broken is there."""
    with Bench(folders=FOLDERS) as bench:
        source, shim = bench.home / "shim.c", bench.home / "shim.so"
        source.write_text(SHIM)
        subprocess.run([shutil.which("cc") or "gcc", "-shared", "-fPIC", "-o", str(shim),
                        str(source), "-ldl"], check=True)
        flag = bench.home / "broken"
        bench.agent.environment |= {"LD_PRELOAD": str(shim), "EIO_WHILE": str(flag),
                                    "EIO_UNDER": str(under(bench))}
        yield bench, flag


def test_a_sync_that_fails_is_never_taken_for_done():
    """[F3]: EIO from fsync; the bytes look right, yet nothing may be called delivered."""
    with bench_with_shim(lambda bench: bench.outbox("hurt")) as (bench, flag):
        flag.touch()
        bench.agent.start()
        bench.drop(20, "hurt")
        expect_paused(bench, "Input/output error")
        assert bench.agent.folder("hurt")["delivered"] == 0
        assert not [made for made in bench.outbox("hurt").iterdir()
                    if not made.name.startswith(".")]
        flag.unlink()
        expect_healed(bench, 20)


def test_a_ledger_whose_syncs_fail_sends_nothing():
    """[J2]: no request without a durable row."""
    with bench_with_shim(lambda bench: bench.agent.state) as (bench, flag):
        bench.agent.start()
        bench.drop(5, "hurt")
        bench.delivered("hurt", 5)
        flag.touch()
        bench.drop(20, "hurt", first=5)
        expect_held_by_the_ledger(bench)
        assert bench.server.bill()["posts"] == attempts(bench.ledger) == 5
        flag.unlink()
        expect_healed(bench, 25)


@contextmanager
def bench_on_small_state():
    """A bench whose state folder holds 2 MB, and what fills the rest of it."""
    with Bench("--latency-ms", "1000", folders=FOLDERS) as bench:
        bench.agent.state.mkdir()
        with tmpfs(bench.agent.state, "size=2m"):
            yield bench
            bench.agent.stop()


def fill(file):
    with open(file, "wb", buffering=0) as all_there_is:
        try:
            while True:
                all_there_is.write(bytes(4096))
        except OSError:
            return


def test_a_full_state_folder_sends_nothing_that_is_not_recorded():
    """[J2]: ENOSPC beneath the ledger."""
    with bench_on_small_state() as bench:
        bench.agent.start()
        bench.drop(5, "hurt")
        bench.delivered("hurt", 5)
        fill(bench.agent.state / "filler")
        bench.drop(200, "hurt", first=5)
        expect_held_by_the_ledger(bench)
        os.remove(bench.agent.state / "filler")
        mount("-o", "remount,size=64m", bench.agent.state)
        expect_healed(bench, 205)


def test_a_state_folder_that_fills_up_under_way_loses_no_result():
    """[J2] [P4]: the answers come while their end cannot be recorded."""
    with bench_on_small_state() as bench:
        bench.server.hold()
        bench.agent.start()
        bench.drop(16, "hurt")
        # The other folder's half of the workers stays free for it.
        eventually(lambda: bench.server.bill()["posts"] == 8, 60, "eight requests")
        fill(bench.agent.state / "filler")
        bench.server.release()
        expect_held_by_the_ledger(bench)
        os.remove(bench.agent.state / "filler")
        bill = expect_healed(bench, 16)
        assert bill["posts"] <= 32, bill


if __name__ == "__main__":
    if os.geteuid() != 0:
        raise SystemExit("this test mounts file systems: run it as root")
    main(globals())
