"""installer/quickstart in a tree and a home of its own. Stand-ins for `cmake` and `ninja` put the
programs of this build where a build would, once, and again if REBUILD is set."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from harness import MILLRACE, Scratch, eventually, folder_toml, main

TOP = Path(__file__).resolve().parents[2]
BUILD = f"""
[ -e "$2/millrace" ] && [ -z "$REBUILD" ] && exit 0
mkdir -p "$2"
cp --remove-destination "{MILLRACE}" "{Path(MILLRACE).parent / 'millrace-render'}" "$2"
"""


class Clone:
    """What quickstart leaves running ends with it."""

    def __init__(self, place):
        self.home = place / "home"
        self.script = place / "tree/installer/quickstart"
        self.lock = self.home / ".local/state/millrace/lock"
        self.config = self.home / ".config/millrace/config.toml"
        self.inbox, self.outbox = self.home / "Millrace/inbox", self.home / "Millrace/outbox"
        self.home.mkdir()
        self.script.parent.mkdir(parents=True)
        for name in ("quickstart", "packages.sh"):
            shutil.copy(TOP / "installer" / name, self.script.parent)
        (place / "r").mkdir(mode=0o700)
        bin_folder = place / "bin"
        bin_folder.mkdir()
        for name, text in (("dpkg-query", "echo install ok installed\n"), ("cmake", "exit 0\n"),
                           ("ninja", BUILD)):
            (bin_folder / name).write_text("#!/bin/sh\n" + text)
            (bin_folder / name).chmod(0o755)
        self.environment = {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(place / "r"),
                            "PATH": f"{bin_folder}:{os.environ['PATH']}"}

    def quickstart(self, *options, **variables):
        """The exit status, and all that it said."""
        done = subprocess.run([self.script, *options], env=dict(self.environment, **variables),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120)
        return done.returncode, done.stdout

    def is_running(self, config):
        done = subprocess.run([MILLRACE, "status", "--json", "--config", config],
                              env=self.environment, capture_output=True, text=True, timeout=60)
        return json.loads(done.stdout).get("running", True)  # or it is about to end

    def write_config(self, text):
        self.config.parent.mkdir(parents=True)
        self.config.write_text(text)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.config.exists() and self.lock.exists() and self.is_running(self.config):
            os.kill(int(self.lock.read_text()), signal.SIGTERM)
            eventually(lambda: not self.is_running(self.config), 30, "the end of the agent")


def test_the_first_run_converts_a_sample_and_the_next_tells_of_an_older_build():
    with Scratch() as place, Clone(place) as clone:
        status, said = clone.quickstart()
        assert status == 0 and "Converted:" in said, said
        assert [one.suffix for one in clone.outbox.iterdir()] == [".webp"]
        assert clone.is_running(clone.config)
        samples = list(clone.inbox.iterdir())
        process = clone.lock.read_text()
        assert f"kill {process} " in said, said
        status, said = clone.quickstart()
        assert status == 0 and "no sample was dropped" in said, said
        assert f"kill {process} " in said and "before this build" not in said, said
        status, said = clone.quickstart(REBUILD="1")
        assert status == 0 and f"kill {process} " in said and "before this build" in said, said
        assert list(clone.inbox.iterdir()) == samples


def test_a_configuration_that_was_there_gets_no_sample():
    with Scratch() as place, Clone(place) as clone:
        inbox, outbox = place / "in", place / "out"
        inbox.mkdir()
        outbox.mkdir()
        clone.write_config(folder_toml("scans", inbox, outbox, to="jpg", via="local"))
        before = clone.config.read_text()
        status, said = clone.quickstart()
        assert status == 0 and "no sample was dropped" in said, said
        assert clone.is_running(clone.config)
        assert clone.config.read_text() == before
        assert not list(inbox.iterdir()) and not clone.inbox.exists()


def test_an_agent_that_does_not_start_says_why():
    with Scratch() as place, Clone(place) as clone:
        clone.write_config("[agent]\nnonsense = 1\n")
        status, said = clone.quickstart()
        assert status == 1 and "did not start" in said and "nonsense" in said, said


def test_the_demo_leaves_nothing_running_whatever_its_folder_is_called():
    with Scratch() as place, Clone(place) as clone:
        folder = clone.home / 'a "b" \\ c'
        config = folder / "config.toml"
        status, said = clone.quickstart("--demo", folder)
        assert status == 0 and "Converted:" in said, said
        assert len(list((folder / "outbox").glob("*.webp"))) == 1
        assert (folder / "state/ledger.db").exists() and not clone.lock.exists()
        assert not clone.is_running(config)
        text = config.read_text()
        assert '["webp"]' in text, text
        config.write_text(text.replace('["webp"]', '["jpg"]'))
        status, said = clone.quickstart("--demo", folder)
        assert status == 0, said
        assert any(one.suffix == ".jpg" for one in (folder / "outbox").iterdir()), said


main(globals())
