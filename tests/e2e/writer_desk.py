"""An agent, a stand-in API that keeps a bill book, and folders that other users write into."""

import hashlib
import json
import os

from harness import Agent, ApiServer, Running, converter_toml, eventually, folder_toml

NOBODY, DAEMON = 65534, 1


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Desk(Running):
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

    def complete_requests(self):
        self.server.bill()  # flushes the book
        whole = self.book.read_text().rpartition("\n")[0]  # of a line under way only a part
        rows = [json.loads(line) for line in whole.splitlines()]
        return [row["sha256"] for row in rows if row["complete"]]

    def inputs_of_outputs(self, name):
        inputs = set()
        for path in self.folders[name][1].glob("[!.]*.webp"):
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
