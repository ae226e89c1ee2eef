"""Programs that write into an inbox, each in its own way, and what they wrote.

`write_all` runs them in a child process under another user; every complete version that a file
ever had goes into its truth list.
"""

import hashlib
import json
import os
import random
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from whole_files import MAKERS

KB64 = 64 * 1024


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Written:
    """One file: where it lies and what complete versions it had; `final` is None if deleted."""

    def __init__(self, inbox, name, seed):
        self.path = os.path.join(inbox, name)
        self.make = MAKERS[name.rsplit(".", 1)[1]]
        self.random = random.Random(seed)
        self.truth = []
        self.final = None

    def version(self, size):
        data = self.make(size, self.random.randrange(1 << 40))
        self.truth.append(sha256(data))
        self.final = self.truth[-1]
        return data


def pieces(data, size):
    return [data[at:at + size] for at in range(0, len(data), size)]


def one_go(file):
    with open(file.path, "wb") as out:
        out.write(file.version(file.random.randrange(1000, 300_000)))


def slowly(file):
    data = file.version(KB64 * 8)
    with open(file.path, "wb", buffering=0) as out:
        for piece in pieces(data, KB64):
            out.write(piece)
            time.sleep(0.2)


def close_and_reopen(file):
    data = file.version(KB64 * 4)
    open(file.path, "wb").close()
    for piece in pieces(data, KB64):
        time.sleep(file.random.uniform(0.2, 3))
        with open(file.path, "ab") as out:
            out.write(piece)


def rename_into_place(file):
    data = file.version(KB64 * 4)
    with open(file.path + ".part", "wb", buffering=0) as out:
        for piece in pieces(data, KB64):
            out.write(piece)
            time.sleep(0.2)
    os.rename(file.path + ".part", file.path)


def preallocate(file):
    data = file.version(KB64 * 6)
    with open(file.path, "wb", buffering=0) as out:
        os.posix_fallocate(out.fileno(), 0, len(data))
        for piece in pieces(data, KB64):
            out.write(piece)
            time.sleep(0.2)


def held_open(file):
    """Pauses longer than any quiet time of an event-driven folder, without closing."""
    data = file.version(KB64 * 3)
    with open(file.path, "wb", buffering=0) as out:
        for piece in pieces(data, KB64):
            out.write(piece)
            time.sleep(3.5)


def _put(file, data):
    aside = file.path + ".tmp"
    with open(aside, "wb") as out:
        out.write(data)
    os.rename(aside, file.path)


def replace(file):
    _put(file, file.version(KB64 * 30))
    for _ in range(2):
        time.sleep(file.random.uniform(0, 1.2))
        _put(file, file.version(KB64 * 30))


def rewrite_in_place(file):
    one_go(file)
    for _ in range(2):
        time.sleep(file.random.uniform(0, 1.5))
        data = file.version(KB64 * 30)
        with open(file.path, "r+b", buffering=0) as out:
            for piece in pieces(data, KB64 * 5):
                out.write(piece)
            out.truncate()


def delete(file):
    _put(file, file.version(KB64 * 30))
    time.sleep(file.random.uniform(0, 0.8))
    os.unlink(file.path)
    file.final = None


KINDS = [one_go, slowly, close_and_reopen, rename_into_place, preallocate, replace,
         rewrite_in_place, delete]


def write_all(inbox, plan, uid, at_once=32):
    """Runs `plan`, rows of (kind, name), as user `uid`; the truth by name."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os.umask(0o022)
            files = {name: Written(inbox, name, seed) for seed, (_, name) in enumerate(plan)}
            with ThreadPoolExecutor(at_once) as pool:
                list(pool.map(lambda row: row[0](files[row[1]]), plan))
            with os.fdopen(writer, "w") as out:
                json.dump({n: {"truth": f.truth, "final": f.final} for n, f in files.items()}, out)
            status = 0
        except Exception:  # the parent says only that it failed
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    assert os.waitpid(child, 0)[1] == 0, "a writer failed"
    return json.loads(text)


def plan_of(files, kinds, types):
    """`files` rows, every kind with every type in turn."""
    pairs = [(kind, ext) for ext in types for kind in kinds]
    return [(pairs[i % len(pairs)][0], f"{pairs[i % len(pairs)][0].__name__}-{i}."
             f"{pairs[i % len(pairs)][1]}") for i in range(files)]
