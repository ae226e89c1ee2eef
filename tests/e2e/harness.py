"""What the end-to-end tests share: the real agent, the stand-in API, and waiting on states.

A test is a Python file with functions whose names begin with `test_`; `main(globals())` runs them
and ends with status 1 if one failed. The programs come from the environment: MILLRACE (with
millrace-render beside it), API_SERVER. MILLRACE_LONG=1 asks for the full counts.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from pathlib import Path

MILLRACE = os.environ.get("MILLRACE", "")
API_SERVER = os.environ.get("API_SERVER", "")
LONG = os.environ.get("MILLRACE_LONG") == "1"


def count(full):
    """The count that the full run has; a tenth of it otherwise, at least 1."""
    return full if LONG else max(1, full // 10)


def eventually(state, seconds=60, what="the state"):
    """Waits until `state()` is true and returns what it gave.

    A turn counts as a second at most: while the whole machine stands still nothing can come."""
    waited, last = 0, time.monotonic()
    while True:
        value = state()
        if value:
            return value
        now = time.monotonic()
        waited, last = waited + min(now - last, 1), now
        if waited > seconds:
            raise AssertionError(f"{what} did not come within {seconds} s")
        time.sleep(0.01)


class Scratch:
    """A folder of its own; kept with a note when the test failed and KEEP is set."""

    def __init__(self, base=None):
        self.path = Path(tempfile.mkdtemp(prefix="millrace-e2e-", dir=base)).resolve()

    def __enter__(self):
        return self.path

    def __exit__(self, kind, value, trace):
        if kind is not None and os.environ.get("KEEP"):
            print(f"kept: {self.path}", file=sys.stderr)
            return
        shutil.rmtree(self.path, ignore_errors=True)


class ApiServer:
    """millrace_api_server: answers like a conversion API, and keeps the book of what it billed."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [API_SERVER, "--port", "0", "--die-with-parent", *options],
            stdout=subprocess.PIPE, text=True)
        ready = json.loads(self.process.stdout.readline())
        self.port = ready["port"]
        self.url = ready["url"]

    def _control(self, method, path, body=None):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        link.request(method, path, body)
        answer = link.getresponse().read()
        link.close()
        return answer

    def bill(self):
        return json.loads(self._control("GET", "/_control/bill"))

    def faults(self, script):
        self._control("POST", "/_control/faults", script)

    def latency(self, rule):
        self._control("POST", "/_control/latency", rule)

    def hold(self):
        """No conversion ends until release()."""
        self._control("POST", "/_control/hold", "yes")

    def release(self):
        self._control("POST", "/_control/hold", "no")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()


class Agent:
    """`millrace run` on a configuration of its own beneath `home`.

    `prefix` stands before the agent alone; with `user` (a number; needs root) the agent and every
    command run as that user.
    """

    def __init__(self, home, folders, converters="", agent="", environment=None, prefix=(), user=0):
        self.home = Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.config = self.home / "config.toml"
        self.state = self.home / "state"
        self.log = self.home / "agent.log"
        self.as_user = []
        runtime = self.home / "r"
        runtime.mkdir(mode=0o700, exist_ok=True)
        if user:
            self.as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
            for place in (self.home, runtime):
                os.chown(place, user, user)
        self.prefix = [*self.as_user, *prefix]
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=str(runtime), HOME=str(self.home),
                                **(environment or {}))
        self.write_config(folders, converters, agent)
        self.process = None

    def write_config(self, folders, converters="", agent=""):
        text = f'[agent]\nstate_dir = "{self.state}"\n{agent}\n{converters}\n{folders}\n'
        fresh = self.config.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.config)

    def start(self, *options, wait=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, MILLRACE, "run", "--config", str(self.config), *options],
                env=self.environment, stdout=log, stderr=log)
        if wait and not options:
            eventually(self.is_up, 60, "the running agent")
        return self

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the agent ended: {self.read_log()[-3000:]}")
        return self.command("status", check=False).get("running", False)

    def run_once(self, *options, timeout=600):
        done = subprocess.run(
            [*self.prefix, MILLRACE, "run", "--once", "--config", str(self.config), *options],
            env=self.environment, capture_output=True, text=True, timeout=timeout)
        return done

    def command(self, *words, check=True, timeout=60):
        """The JSON that a command answers."""
        done = subprocess.run([*self.as_user, MILLRACE, *words, "--json", "--config",
                               str(self.config)],
                              env=self.environment, capture_output=True, text=True,
                              timeout=timeout)
        if check and done.returncode not in (0, 1):
            raise AssertionError(f"millrace {' '.join(words)}: {done.stdout}{done.stderr}")
        try:
            return json.loads(done.stdout.strip().splitlines()[-1])
        except (IndexError, ValueError):
            if check:
                raise AssertionError(f"no JSON: {done.stdout}{done.stderr}") from None
            return {}

    def folder(self, name):
        for row in self.command("status")["folders"]:
            if row["name"] == name:
                return row
        raise AssertionError(f"status shows no folder {name}")

    def all_done(self, name, files):
        """True once `files` targets of the folder are final and none waits."""
        row = self.folder(name)
        final = row["delivered"] + row["skipped"] + row["failed"]
        return final >= files and row["waiting"] == 0 and row["converting"] == 0

    def read_log(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=10):
        """SIGTERM; the exit status and how long it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        return status, time.monotonic() - began

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)  # a call of a share that hangs cannot be killed


class Running:
    """An agent and the API that it asks, running inside `with`; a subclass makes `agent` and
    `server`."""

    def __enter__(self):
        try:
            self.agent.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        self.agent.__exit__()
        self.server.stop()


def toml_value(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)


def folder_toml(name, inbox, outbox, to="webp", via="api", **keys):
    lines = [f'[[folder]]\nname = "{name}"\ninbox = "{inbox}"\noutbox = "{outbox}"',
             f'to = ["{to}"]\nvia = "{via}"']
    lines += [f"{key} = {toml_value(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def converter_toml(url, name="api", **keys):
    lines = [f'[converter.{name}]\nurl = "{url}"']
    lines += [f"{key} = {toml_value(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def png(width, height, seed):
    """A valid PNG whose pixels depend on `seed`; different seeds give different bytes."""
    row = struct.pack(">I", seed) * ((width * 3 + 3) // 4)
    raw = b"".join(b"\0" + row[:width * 3] for _ in range(height))

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw, 1)) +
            chunk(b"tEXt", b"seed\0" + str(seed).encode()) + chunk(b"IEND", b""))


def drop(inbox, name, data):
    """Writes beside the inbox and renames in, as a careful program does."""
    aside = Path(inbox).parent / f".aside-{os.getpid()}-{name}"
    aside.write_bytes(data)
    target = Path(inbox) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    aside.rename(target)
    return target


_kept_ports = []


def free_port():
    """A port of 127.0.0.1 that is ours until this process ends.

    It stays bound without listening, so that the system gives it to nobody else, as a listener's or
    as the near end of a connection; a server that sets SO_REUSEADDR can listen on it."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    _kept_ports.append(kept)
    return kept.getsockname()[1]


def main(names):
    only = sys.argv[1:]
    failed = 0
    for name, test in list(names.items()):
        if not name.startswith("test_") or (only and name not in only):
            continue
        began = time.monotonic()
        try:
            test()
            print(f"ok      {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:  # every failure of one test is reported, and the others still run
            failed += 1
            print(f"FAILED  {name} ({time.monotonic() - began:.1f} s)", flush=True)
            traceback.print_exc()
    sys.exit(1 if failed else 0)
