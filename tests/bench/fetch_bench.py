"""Downloads: `millrace fetch` beside curl --parallel and aria2c, from nginx with TLS and HTTP/2.

aria2c has HTTP/1.1 alone. What is fetched lies in memory, and nginx has one thread.
"""

import os
import shutil

import harness
from file_server import FileServer
from measure import Run, fill, median, quiet
from tls_server import Authority

SIZE = 20_000
DELAY = 0.025  # seconds that the server waits before each answer


class Web:
    """A server with files, and the commands of all contenders."""

    def __init__(self, scratch, count):
        self.scratch = scratch
        self.files = scratch / "files"
        fill(self.files, count, SIZE)
        self.names = sorted(os.listdir(self.files))
        self.authority = Authority(scratch / "ca")
        self.server = FileServer(scratch / "nginx", self.authority, self.files, delay=DELAY)

    def urls(self, under, count):
        return [(self.server.url(f"{under}{name}"), name) for name in self.names[:count]]

    def curl(self, place, urls, *words):
        config = place / "curl.cfg"
        config.write_text("".join(f'url = "{url}"\noutput = "{place / "out" / name}"\n'
                                  for url, name in urls))
        return ["curl", *words, "--no-progress-meter", "--cacert", str(self.authority.ca), "-K",
                str(config)]

    def aria2c(self, place, urls):
        listed = place / "list"
        listed.write_text("".join(f"{url}\n" for url, _ in urls))
        return ["aria2c", "--no-conf", "--quiet", "--file-allocation=none", "-j16",
                f"--ca-certificate={self.authority.ca}", "-i", str(listed), "-d",
                str(place / "out")]

    def millrace(self, place, urls, *words):
        listed = place / "list"
        listed.write_text("".join(f"{url}\n" for url, _ in urls))
        return [harness.MILLRACE, "fetch", str(listed), "--into", str(place / "out"), "--ca-file",
                str(self.authority.ca), "--allow-fetch", self.server.place, "--state-dir",
                str(place / "state"), *words]

    def run(self, name, command, urls):
        """One run in a folder of its own; every file must have come."""
        place = self.scratch / name
        (place / "out").mkdir(parents=True)
        words = command(place, urls)
        run = Run(words, env=dict(os.environ, HOME=str(place), XDG_RUNTIME_DIR=str(place)), **quiet())
        came = list((place / "out").iterdir())
        if len(came) != len(urls) or any(path.stat().st_size != SIZE for path in came):
            raise RuntimeError(f"{name}: {len(came)} files of {len(urls)}")
        shutil.rmtree(place)
        return run


def in_turns(web, contenders, rounds):
    """The runs of each: {name: [(files, run), ...]}. A contender is (command, urls)."""
    runs = {}
    for turn in range(rounds):
        for name, (command, urls) in contenders.items():
            run = web.run(f"{name}-{turn}".replace(" ", "-"), command, urls)
            runs.setdefault(name, []).append((len(urls), run))
    return runs


def ratio(mine, theirs, value):
    """The median of what `value` gives of each round's pair."""
    return median([value(*a) / value(*b) for a, b in zip(mine, theirs)])


def rate(files, run):
    return files / run.wall


def cost(files, run):
    return 1e6 * run.cpu / files


def fetch(scratch, less):
    count, rounds = 5000 // less, 5
    web = Web(scratch, count)
    with web.server:
        urls = web.urls("/files/", count)
        runs = in_turns(web, {
            "curl --parallel": (lambda p, u: web.curl(p, u, "--parallel"), urls),
            "aria2c": (web.aria2c, urls),
            "millrace": (web.millrace, urls),
            "millrace --no-sync": (lambda p, u: web.millrace(p, u, "--no-sync"), urls),
        }, rounds)
        print(f"{count} files of 20 KB, no delay, median of {rounds}")
        print("| client | files/s | CPU us a file | CPU to curl's | CPU to aria2c's |")
        print("|---|---|---|---|---|")
        for name, mine in runs.items():
            print(f"| {name} | {median([rate(*r) for r in mine]):.0f} |"
                  f" {median([cost(*r) for r in mine]):.0f} |"
                  f" {ratio(mine, runs['curl --parallel'], cost):.2f} |"
                  f" {ratio(mine, runs['aria2c'], cost):.2f} |", flush=True)

        urls = web.urls("/slow/", count)
        runs = in_turns(web, {
            "curl, one by one": (web.curl, urls[:max(count // 25, 20)]),
            "curl --parallel-max 100":
                (lambda p, u: web.curl(p, u, "--parallel", "--parallel-max", "100"), urls),
            "millrace --workers 100": (lambda p, u: web.millrace(p, u, "--workers", "100"), urls),
            "millrace": (web.millrace, urls),
        }, 3)
        print(f"\n{count} files of 20 KB, 25 ms before each answer, median of 3")
        print("| client | files/s | to one by one | to curl --parallel-max 100 |")
        print("|---|---|---|---|")
        for name, mine in runs.items():
            print(f"| {name} | {median([rate(*r) for r in mine]):.0f} |"
                  f" {ratio(mine, runs['curl, one by one'], rate):.1f} |"
                  f" {ratio(mine, runs['curl --parallel-max 100'], rate):.2f} |", flush=True)
