"""Three books that must agree: what the API billed, what the ledger recorded, what the outbox has."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path


def ask_ledger(file, question):
    """Rows of a question to a ledger, over a connection that only reads."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as ledger:
        return ledger.execute(question).fetchall()


def attempts(file):
    return ask_ledger(file, "SELECT count(*) FROM attempt")[0][0]


def made_from(file):
    """The SHA-256 of the input that the stand-in API made an output from; None if it is not whole."""
    data = Path(file).read_bytes()
    mark = data.find(b"MILLRACE-FAKE input=")
    # Every output of a test is WebP: its RIFF header tells its length.
    whole = data[:4] == b"RIFF" and int.from_bytes(data[4:8], "little") + 8 == len(data)
    return data[mark + 20:mark + 84].decode() if whole and mark >= 0 else None


def expect_right(inbox, outbox):
    """Every source has its output, made from its bytes, and nothing else lies there."""
    wanted = {source.with_suffix(".webp").name: hashlib.sha256(source.read_bytes()).hexdigest()
              for source in Path(inbox).iterdir()}
    found = {made.name: made_from(made) for made in Path(outbox).iterdir()}
    wrong = {name for name in wanted.keys() | found.keys()
             if wanted.get(name) != found.get(name)}
    assert not wrong, f"{len(wrong)} outputs are wrong or missing: {sorted(wrong)[:5]}"


def expect_books_agree(server, ledger, files, replays=None):
    """One bill a file, and every POST on the wire is an attempt that was recorded before it.

    The server misses only what went into a connection that it was just closing: the attempts
    without an answer are more than the requests that it left unanswered, by just as many."""
    bill = server.bill()
    recorded = attempts(ledger)
    unanswered = ask_ledger(ledger, "SELECT count(*) FROM attempt WHERE status = 0")[0][0]
    unseen = max(0, unanswered - bill["unanswered"])
    assert recorded - unseen <= bill["posts"] <= recorded, (
        f"{bill['posts']} POSTs, {recorded} attempts, {unanswered} without an answer: {bill}")
    assert bill["keys_billed_twice"] == 0, bill
    assert bill["billed_without_key"] == 0 and bill["mismatches"] == 0, bill
    assert bill["billed"] == files, bill
    if replays is not None:
        assert bill["replays"] == replays, bill
    return bill
