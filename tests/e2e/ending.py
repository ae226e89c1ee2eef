"""For tests that end the agent early: what must hold afterwards, and a reader of the outbox."""

import hashlib
import sqlite3
import threading
from pathlib import Path


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def leftovers(*folders):
    """Every temporary file of ours beneath the folders."""
    return [path for folder in folders for path in Path(folder).rglob(".millrace-*")]


def input_of(data, target):
    """The SHA-256 of the input that a stand-in output embeds; an AssertionError if it is torn."""
    if target == "webp":
        whole = data[:4] == b"RIFF" and len(data) == 8 + int.from_bytes(data[4:8], "little")
    elif target == "jpg":
        whole = data[:3] == b"\xff\xd8\xff" and data[-2:] == b"\xff\xd9"
    else:
        raise AssertionError(f"no check for {target}")
    mark = b"MILLRACE-FAKE input="
    at = data.find(mark)
    assert whole and at >= 0, f"torn: {len(data)} bytes, {data[:16]!r}"
    return data[at + len(mark):at + len(mark) + 64].decode()


def ledger_rows(agent, sql):
    """Read-only, for when no agent runs; SQLite recovers the WAL of a killed one."""
    with sqlite3.connect(agent.state / "ledger.db") as db:
        return db.execute(sql).fetchall()


def check_all_delivered(agent, files):
    states = dict(ledger_rows(agent, "SELECT state, count(*) FROM job GROUP BY state"))
    assert states == {"delivered": files}, states
    assert ledger_rows(agent, "PRAGMA integrity_check") == [("ok",)]
    counted = dict(ledger_rows(agent, "SELECT state, sum(count) FROM folder_count GROUP BY state"))
    counted = {state: n for state, n in counted.items() if n}
    assert counted == {"delivered": files}, counted


def check_bill(server, keys):
    bill = server.bill()
    assert bill["keys_billed_twice"] == 0 and bill["mismatches"] == 0, bill
    assert bill["billed_without_key"] == 0, bill
    assert bill["billed"] == keys, bill
    return bill


class OutboxReader(threading.Thread):
    """Opens whatever has a final name, over and over, as an impatient consumer would."""

    def __init__(self, outbox, target="webp"):
        super().__init__(daemon=True)
        self.outbox, self.target = Path(outbox), target
        self.torn, self.reads = [], 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.01):
            self.look()

    def look(self):
        for path in list(self.outbox.rglob("*")):
            if path.name.startswith(".millrace-") or not path.is_file():
                continue
            try:
                input_of(path.read_bytes(), self.target)
                self.reads += 1
            except FileNotFoundError:
                pass  # replaced between listing and opening
            except AssertionError as torn:
                self.torn.append((path.name, str(torn)))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        self.ended.set()
        self.join()
