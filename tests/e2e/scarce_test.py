"""Too few descriptors, too little memory: less is done at a time, or the process ends and starts
again, and nothing is lost or paid for twice."""

import random
import shutil
import socket
import sqlite3
import subprocess
from contextlib import closing

from bench import Bench
from books import expect_books_agree, expect_right
from harness import count, main


def test_with_few_descriptors_fewer_workers_do_it_all():
    """[D5]: also while guests hold the command channel open."""
    for limit in (30, 32, 40):
        with Bench() as bench:
            bench.agent.prefix = ["prlimit", f"--nofile={limit}"]
            bench.agent.start()
            guests = [socket.socket(socket.AF_UNIX) for _ in range(4)]
            for guest in guests:
                guest.connect(str(next(bench.agent.home.rglob("*.sock"))))
            bench.drop(60)
            bench.finish(60)
            for guest in guests:
                guest.close()
            assert "fewer workers" in bench.agent.read_log()
            assert bench.agent.stop()[0] == 0, bench.agent.read_log()[-2000:]


def test_with_too_few_descriptors_it_says_what_it_needs():
    """[D5]"""
    with Bench() as bench:
        bench.agent.prefix = ["prlimit", "--nofile=29"]
        bench.agent.start(wait=False)
        assert bench.agent.process.wait(30) == 2
        log = bench.agent.read_log()
        assert "may open 29 files (ulimit -n); 30 are needed" in log, log


SHIM = r"""
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
/* The FAIL_AT-th allocation of the process and the FAIL_FOR - 1 after it fail; the number of all is
   written to FAIL_COUNT at the end. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
static atomic_long made;
static long fail_at, fail_for;
__attribute__((constructor)) static void begin(void) {
  const char *at = getenv("FAIL_AT"), *how_many = getenv("FAIL_FOR");
  fail_for = how_many ? atol(how_many) : 0;
  fail_at = at ? atol(at) : 0;
}
__attribute__((destructor)) static void end(void) {
  const char *path = getenv("FAIL_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (file == NULL) return;
  fprintf(file, "%ld", atomic_load(&made));
  fclose(file);
}
static int fails(void) {
  const long now = atomic_fetch_add(&made, 1) + 1;
  if (fail_at == 0 || now < fail_at || now >= fail_at + fail_for) return 0;
  errno = ENOMEM;
  return 1;
}
void *malloc(size_t n) { return fails() ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return fails() ? NULL : __libc_calloc(n, size); }
void *realloc(void *old, size_t n) { return fails() ? NULL : __libc_realloc(old, n); }
"""


def build_shim(home):
    source, shim = home / "shim.c", home / "shim.so"
    source.write_text(SHIM)
    subprocess.run([shutil.which("cc") or "gcc", "-O1", "-shared", "-fPIC", "-o", str(shim),
                    str(source)], check=True)
    return shim


def expect_sound(ledger):
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def fail_once(bench, shim, at, how_many):
    """One run in which allocations fail. It may end in any way, but not hang."""
    bench.agent.environment |= {"LD_PRELOAD": str(shim), "FAIL_AT": str(at),
                                "FAIL_FOR": str(how_many)}
    try:
        return bench.agent.run_once(timeout=60).returncode
    finally:
        for name in ("LD_PRELOAD", "FAIL_AT", "FAIL_FOR"):
            del bench.agent.environment[name]


def test_whichever_allocation_fails_nothing_is_lost_or_paid_twice():
    """[D4]"""
    files = 3
    with Bench(timeout="2s") as bench:
        bench.drop(files)
        shim = build_shim(bench.home)
        bench.agent.environment |= {"LD_PRELOAD": str(shim), "FAIL_COUNT": str(bench.home / "n")}
        assert bench.agent.run_once().returncode == 0
        allocations = int((bench.home / "n").read_text())
    chance = random.Random(20261128)
    ends = {}
    for _ in range(count(200)):
        at, how_many = chance.randrange(1, allocations), chance.choice((1, 1, 5, 100))
        with Bench(timeout="2s") as bench:
            shim = build_shim(bench.home)
            bench.drop(files)
            status = fail_once(bench, shim, at, how_many)
            ends[status] = ends.get(status, 0) + 1
            where = f"allocations {at} to {at + how_many - 1} of {allocations}: status {status}"
            again = bench.agent.run_once("--patience", "60s")
            assert again.returncode == 0, f"{where}: {again.stdout}{again.stderr}"
            expect_sound(bench.ledger)
            expect_right(bench.inbox(), bench.outbox())
            expect_books_agree(bench.server, bench.ledger, files)
    print(f"  {allocations} allocations a run; how the runs ended: {ends}")


main(globals())
