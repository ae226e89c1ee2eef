"""The running agent: how soon it notices, what it costs at rest, how fast it first looks."""

import hashlib
import time

import harness
from measure import cpu_seconds, let_settle, median, memory_mb, picture, read_book, share

CLOSED_QUIET_MS = 300  # settle time of a picture whose writer closed it (README)
RESCAN_SECONDS = 300   # rescan_every, by default
REST_SECONDS = 60
RESCANS = 4


def report(what, values):
    print(f"| {what} | {len(values)} | {median(values):.2f} | {share(values, .95):.2f} |"
          f" {share(values, .99):.2f} | {max(values):.2f} |", flush=True)


def watched_agent(scratch, url, inbox):
    """An agent whose inbox holds nothing that waits."""
    return harness.Agent(scratch / "home",
                         harness.folder_toml("bench", inbox, scratch / "out"),
                         harness.converter_toml(url, concurrency=16)).start()


def drop(inbox, scratch, count, how):
    """Puts `count` pictures into the inbox, one at a time; when, by their SHA-256."""
    dropped = {}
    for i in range(count):
        content = picture(20_000)
        name = f"{how}{i:05d}.png"
        if how == "rename":
            aside = scratch / "aside.png"
            aside.write_bytes(content)
            at = time.time_ns()
            aside.rename(inbox / name)
        else:
            with open(inbox / name, "wb") as file:
                file.write(content)
            at = time.time_ns()
        dropped[hashlib.sha256(content).hexdigest()] = at / 1000
        time.sleep(0.02)
    return dropped


def notice(scratch, less):
    count = 1000 // less
    inbox = scratch / "in"
    inbox.mkdir()
    (scratch / "out").mkdir()
    book = scratch / "book"
    dropped = {}
    with harness.ApiServer("--bill-book", str(book)) as api:
        with watched_agent(scratch, api.url, inbox) as agent:
            for how in ("rename", "close"):
                dropped[how] = drop(inbox, scratch, count, how)
            harness.eventually(lambda: api.bill()["billed"] == 2 * count, 120, "every file")
            agent.stop()
        api.process.terminate()
        api.process.wait()
    arrived = {post["sha256"]: post["time_us"] for post in read_book(book)}
    print("Milliseconds to the head of the request at the API")
    print("| from | files | p50 | p95 | p99 | most |")
    print("|---|---|---|---|---|---|")
    for how, off in (("rename", 0), ("close", CLOSED_QUIET_MS)):
        waits = [(arrived[sha] - at) / 1000 - off for sha, at in dropped[how].items()]
        report(how if off == 0 else f"{how} + {off} ms to settle", waits)


def grow_tree(inbox, count):
    """Pictures of 20 bytes in folders of 1000."""
    content = picture(20)
    for start in range(0, count, 1000):
        folder = inbox / f"d{start // 1000:04d}"
        folder.mkdir(parents=True)
        for i in range(start, min(start + 1000, count)):
            (folder / f"f{i:07d}.png").write_bytes(content)


def agent_over_tree(scratch, count, url):
    """An agent that may ask for one conversion only: everything else is found, and waits."""
    inbox = scratch / "in"
    grow_tree(inbox, count)
    (scratch / "out").mkdir()
    let_settle()
    return harness.Agent(scratch / "home",
                         harness.folder_toml("bench", inbox, scratch / "out"),
                         harness.converter_toml(url, monthly_budget=1))


def known_files(agent):
    row = agent.folder("bench")
    return row["waiting"] + row["converting"] + row["delivered"] + row["failed"]


def scan(scratch, less):
    count = 1_000_000 // less
    with harness.ApiServer() as api, agent_over_tree(scratch, count, api.url) as agent:
        began = time.monotonic()
        agent.start(wait=False)
        harness.eventually(agent.is_up, 60, "the agent")
        while known_files(agent) < count:
            time.sleep(0.25)
        took = time.monotonic() - began
        pid = agent.process.pid
        print("| files | first scan s | CPU s | most MB |")
        print("|---|---|---|---|")
        print(f"| {count} | {took:.1f} | {cpu_seconds(pid):.1f} | {memory_mb(pid, 'VmHWM'):.0f} |")


def idle(scratch, less):
    count = 100_000 // less
    with harness.ApiServer() as api, agent_over_tree(scratch, count, api.url) as agent:
        agent.start()
        harness.eventually(lambda: known_files(agent) >= count, 600, "the first scan")
        agent.stop()
        # What is measured is an agent that knows every file, from its start on.
        agent.start()
        time.sleep(20)
        pid = agent.process.pid
        before = cpu_seconds(pid)
        time.sleep(REST_SECONDS)
        rest = (cpu_seconds(pid) - before) / REST_SECONDS
        before = cpu_seconds(pid)
        for _ in range(RESCANS):
            agent.command("rescan")
            time.sleep(5)
        rescan = (cpu_seconds(pid) - before) / RESCANS
        total = rest + rescan / max(RESCAN_SECONDS, 500 * rescan)
        print("| files | % of a core between rescans | CPU s of a rescan | % of a core | MB |")
        print("|---|---|---|---|---|")
        print(f"| {count} | {100 * rest:.3f} | {rescan:.2f} | {100 * total:.3f} |"
              f" {memory_mb(pid):.0f} |")
