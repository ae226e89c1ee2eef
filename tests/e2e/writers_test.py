"""Writers of every kind, as another user: no upload is ever torn. Needs root to change users."""

import json
import os

from harness import (Agent, ApiServer, Scratch, converter_toml, count, eventually, folder_toml,
                     main)
from writers import KINDS, close_and_reopen, plan_of, slowly, write_all

NOBODY, DAEMON = 65534, 1
MARKED = ["png", "pdf", "jpg", "tif"]  # types with an end mark


class Desk:
    """An agent, a stand-in API that takes its time, and folders that another user writes into."""

    def __init__(self, home, agent_user=0, **folders):
        os.chmod(home, 0o755)
        self.home = home
        self.book = home / "book.jsonl"
        self.server = ApiServer("--bill-book", str(self.book), "--latency-ms", "300")
        self.folders = {}
        text = ""
        for name, keys in folders.items():
            inbox, outbox = home / name / "in", home / name / "out"
            for place in (inbox, outbox):
                place.mkdir(parents=True)
                os.chmod(place, 0o777)
            self.folders[name] = (inbox, outbox)
            text += folder_toml(name, inbox, outbox, **keys)
        self.agent = Agent(home / "a", text, converter_toml(self.server.url), user=agent_user)

    def __enter__(self):
        self.agent.start()
        return self

    def __exit__(self, *unused):
        self.agent.__exit__()
        self.server.stop()

    def complete_requests(self):
        self.server.bill()  # flushes the book
        rows = [json.loads(line) for line in self.book.read_text().splitlines()]
        return [row["sha256"] for row in rows if row["complete"]]

    def inputs_of_outputs(self, name):
        inputs = set()
        for path in self.folders[name][1].iterdir():
            data = path.read_bytes()
            at = data.index(b"MILLRACE-FAKE input=") + 20
            inputs.add(data[at:at + 64].decode())
        return inputs

    def wait_until_converted(self, name, truth, seconds=150):
        finals = {file["final"] for file in truth.values() if file["final"]}
        try:
            eventually(lambda: finals <= self.inputs_of_outputs(name), seconds, "every last version")
        except AssertionError:
            missing = finals - self.inputs_of_outputs(name)
            files = [n for n, f in truth.items() if f["final"] in missing]
            raise AssertionError(f"never converted: {files}\n{self.agent.read_log()[-3000:]}")


def torn(desk, *truths):
    whole = {sha for truth in truths for file in truth.values() for sha in file["truth"]}
    return [sha for sha in desk.complete_requests() if sha not in whole]


def check(desk, *truths):
    found = torn(desk, *truths)
    assert not found, f"{len(found)} torn uploads\n{desk.agent.read_log()[-3000:]}"
    bill = desk.server.bill()
    assert bill["mismatches"] == 0, bill
    assert bill["keys_billed_twice"] == 0, bill


def test_no_writer_of_another_user_has_a_torn_upload_A1_A2_A4_A5_A6_A7_A8_A9():
    with Scratch() as home, Desk(home, scans={}) as desk:
        inbox = desk.folders["scans"][0]
        truth = write_all(inbox, plan_of(count(500), KINDS, MARKED), NOBODY)
        desk.wait_until_converted("scans", truth)
        check(desk, truth)
        assert not list(inbox.glob("delete-*"))


def test_nor_where_the_lease_is_refused_to_an_unprivileged_agent_A1_A2():
    with Scratch() as home, Desk(home, DAEMON, scans={}) as desk:
        inbox = desk.folders["scans"][0]
        truth = write_all(inbox, plan_of(count(500), KINDS, MARKED), NOBODY)
        desk.wait_until_converted("scans", truth)
        check(desk, truth)


def test_types_without_an_end_mark_need_the_settle_time_of_the_scanner_A2():
    """The preset of the README for scanners that append page by page."""
    with Scratch() as home, Desk(home, DAEMON, scans={"settle": "6s"}) as desk:
        inbox = desk.folders["scans"][0]
        truth = write_all(inbox, plan_of(count(100), KINDS, ["dat"]), NOBODY)
        desk.wait_until_converted("scans", truth)
        check(desk, truth)


def test_the_oracle_sees_torn_uploads_where_nothing_waits():
    """Without settling and without a lease the same writers do harm."""
    with Scratch() as home, Desk(home, DAEMON, scans={"settle": "1ms"}) as desk:
        inbox = desk.folders["scans"][0]
        truth = write_all(inbox, plan_of(16, [slowly, close_and_reopen], ["dat"]), NOBODY)
        desk.wait_until_converted("scans", truth)
        assert torn(desk, truth), "the control shows nothing"


main(globals())
