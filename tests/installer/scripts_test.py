"""tests/run over stand-ins for what it calls, what uninstall.sh prints, and the unit for systemd."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
UNIT = TOP / "installer/linux/millrace.service"
ELSEWHERE = "/usr/sbin:/usr/bin:/sbin:/bin"


class InPlace(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)


class Run(InPlace):
    """tests/run in a tree of its own. Each stand-in writes down its words."""

    def setUp(self):
        super().setUp()
        self.place.chmod(0o755)
        self.calls = self.place / "calls"
        self.tree = self.place / "tree"
        for name in ("tests/run", "installer/packages.sh"):
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, self.tree / name)
            (self.tree / name).chmod(0o755)
        for folder in (self.tree, self.tree / "tests"):
            folder.chmod(0o755)
        bin_folder = self.place / "bin"
        bin_folder.mkdir()
        for name in ("cmake", "ninja", "ctest"):
            (bin_folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n')
        (bin_folder / "dpkg-query").write_text("#!/bin/sh\necho install ok installed\n")
        for name in bin_folder.iterdir():
            name.chmod(0o755)
        self.path = f"{bin_folder}:{ELSEWHERE}"

    def run_tests(self, *words):
        self.calls.write_text("")
        done = subprocess.run([self.tree / "tests/run", *words], env={"PATH": self.path}, text=True,
                              capture_output=True, timeout=60)
        return done, self.calls.read_text().splitlines()

    def test_a_label_without_tests_is_a_mistake_unless_the_caller_chose_the_tests(self):
        done, calls = self.run_tests()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        runs = [call for call in calls if call.startswith("ctest ")]
        self.assertEqual(len(runs), 3)
        for call in runs:
            self.assertIn("--no-tests=error", call)
        done, calls = self.run_tests("-R", "e2e/crash")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        runs = [call for call in calls if call.startswith("ctest ")]
        self.assertEqual(len(runs), 3)
        for call in runs:
            self.assertTrue(call.endswith("-R e2e/crash") and "--no-tests" not in call, call)

    def test_root_in_a_folder_that_is_closed_to_others_is_told_at_once(self):
        self.place.chmod(0o700)
        done, calls = self.run_tests()
        if os.geteuid() != 0:
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"start programs of {self.tree} as another user", done.stderr)
        self.assertIn("such as /opt", done.stderr)
        self.assertEqual(calls, [])


class Uninstall(InPlace):
    def test_the_dry_mode_prints_words_that_a_shell_reads(self):
        bin_folder = self.place / "it's here"
        done = subprocess.run([TOP / "installer/macos/uninstall.sh", "--dry-run", "--system", "--bin",
                               bin_folder], env={"HOME": str(self.place), "PATH": ELSEWHERE},
                              text=True, capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        steps = [line for line in done.stdout.splitlines() if not line.startswith("#")]
        read = subprocess.run(["sh"], input="step() { for w; do printf '%s|' \"$w\"; done; echo; }\n"
                              + "".join(f"step {line}\n" for line in steps), check=True,
                              capture_output=True, text=True, timeout=30).stdout
        program = f"{bin_folder}/millrace"
        self.assertEqual(read.splitlines(), [f"{program}|service|uninstall|--system|",
                                             f"rm|-f|{program}|"])


class Unit(InPlace):
    def test_it_runs_what_the_readme_installs(self):
        keys = dict(line.split("=", 1) for line in UNIT.read_text().splitlines()
                    if "=" in line and not line.startswith("#"))
        self.assertEqual(keys["ExecStart"], "%h/.local/bin/millrace run")
        self.assertEqual(keys["ExecReload"], "%h/.local/bin/millrace reload")
        readme = (TOP / "README.md").read_text()
        for line in ("install -D build/release/millrace build/release/millrace-render -t ~/.local/bin",
                     "install -D -m 644 installer/linux/millrace.service -t ~/.config/systemd/user",
                     "systemctl --user enable --now millrace"):
            self.assertIn(f"    {line}\n", readme)
        self.assertIn("installer/linux/millrace.service into ~/.config/systemd/user",
                      (TOP / "platform/host/service_linux.cpp").read_text())
        # What a person has to mend, as the README's table of statuses tells it.
        self.assertEqual(keys["RestartPreventExitStatus"], "3")
        self.assertIn("| 2 | wrong usage or configuration", readme)
        self.assertIn("| 3 | another instance runs |", readme)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not here")
    def test_systemd_takes_each_line(self):
        program = self.place / ".local/bin/millrace"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        runtime = self.place / "r"
        runtime.mkdir(mode=0o700)
        done = subprocess.run(["systemd-analyze", "--user", "verify", UNIT], text=True,
                              env={"HOME": str(self.place), "XDG_RUNTIME_DIR": str(runtime),
                                   "PATH": ELSEWHERE}, capture_output=True, timeout=60)
        # A key or a value that it does not know is a line there, and no failure.
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
