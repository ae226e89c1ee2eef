"""A Windows of its own: a Wine prefix that a test makes in its folder. RUNNER stands before each
program and makes the prefix."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from datetime import datetime

from harness import MILLRACE, eventually

RUNNER = os.environ.get("RUNNER", "").split()
WINESERVER = "/usr/lib/wine/wineserver64"

# How long a request takes whose answer a stop does not wait for.
ANSWER_MS = "30000"


def stopped_before_answers(began, log):
    """How long the stop took, and how long of it the agent, to be told. Wine now and then hands a
    stop on ten seconds late, and the machine has its share: so answers alone judge it."""
    seconds = time.monotonic() - began
    stops, stopped = (max(line for line in log.splitlines() if line.endswith(what)).split()[0]
                      for what in (" millrace stops", " millrace stopped"))
    own = (datetime.fromisoformat(stopped) - datetime.fromisoformat(stops)).total_seconds()
    assert own < 20, f"it waited for answers: it took {own:.2f} s to stop"
    return f"{seconds:.2f} s ({own:.2f} s of them the agent's)"


class Windows:
    """Wine ends its services when the last other program ends, hence the one that only waits.

    Any program may be the first one that needs a desktop: Wine then starts explorer.exe, which
    inherits what that program writes to and may stay for as long as this Windows. So nobody here
    waits for the end of a pipe."""

    def __init__(self, home):
        self.environment = dict(os.environ, WINEPREFIX=str(home / "wine"))
        self.said = home / "wine.said"
        self.waiting = None

    def __enter__(self):
        self.boot()
        return self

    def boot(self):
        """Wine itself hangs now and then while it starts, before anything of ours runs."""
        made = os.path.exists(self.environment["WINEPREFIX"])
        for left in (2, 1, 0):
            try:
                return self.try_to_boot()
            except AssertionError:
                if left == 0:
                    raise
            print("  Wine hung as it started, and is started again", flush=True)
            self.waiting.kill()
            self.waiting.wait()
            self.pull_the_plug()
            if not made:
                shutil.rmtree(self.environment["WINEPREFIX"], ignore_errors=True)

    def try_to_boot(self):
        # The servers of Wine are started by this one. Two programs that start at once may each
        # start a server, and wait for ever.
        self.said.write_bytes(b"")
        with open(self.said, "ab") as said:
            self.waiting = subprocess.Popen([*RUNNER, "cmd"], env=self.environment,
                                            stdin=subprocess.PIPE, stdout=said,
                                            stderr=subprocess.DEVNULL)
        eventually(lambda: b"Windows" in self.said.read_bytes(), 90, "Windows")
        assert self.run("cmd", "/c", "ver")[0] == 0

    def pull_the_plug(self):
        """Every process of this Windows ends at once, as under kill -9."""
        subprocess.run([WINESERVER, "-k"], env=self.environment, timeout=60, check=False)
        subprocess.run([WINESERVER, "-w"], env=self.environment, timeout=60, check=False)
        self.waiting.wait(60)

    def __exit__(self, *unused):
        self.pull_the_plug()

    def run(self, *words):
        """Status, and standard output and error in one."""
        with tempfile.TemporaryFile() as said:  # a pipe would end with all who were started by it
            done = subprocess.run([*RUNNER, *words], env=self.environment, stdout=said,
                                  stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=300)
            said.seek(0)
            return done.returncode, said.read().decode(errors="replace")

    def millrace(self, *words):
        return self.run(MILLRACE, *words)

    def service(self, action, *words, status=0):
        """The JSON that `millrace service` answers."""
        ended, out = self.millrace("service", action, "--json", *words)
        assert ended == status, (action, ended, out)
        return json.loads(out.strip().splitlines()[-1])

    def registry(self, key, *words):
        """What `reg query` prints. Now and then Wine ends its own program, with status 1, before it
        has said a word; whatever the registry holds, it says something."""
        def said():
            return self.run("reg", "query", key, *words)[1].strip()
        return eventually(said, 60, f"what the registry holds of {key}")
