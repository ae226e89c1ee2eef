"""package_test.py [TARBALL]: the package for macOS holds what it should, and its scripts print each
step in their dry mode and change nothing.

Without TARBALL one is made of a stand-in for the program; with it, the program within is looked
through too (macho.py)."""

import hashlib
import os
import stat
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

from macho import look_through

TOP = Path(__file__).resolve().parents[2]
PACKAGE = TOP / "installer/macos/package"
VERSION = "1.2.3"
MODES = {"millrace": 0o755, "install.sh": 0o755, "uninstall.sh": 0o755, "README.txt": 0o644,
         "config.example.toml": 0o644}
TARBALL = Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else None


def make(folder, *more):
    program = Path(folder, "program")
    program.write_bytes(b"\xcf\xfa\xed\xfe stand-in")
    done = subprocess.run([PACKAGE, program, VERSION, Path(folder, "out"), *more], check=True,
                          capture_output=True, text=True, timeout=60)
    return Path(done.stdout.strip())


def look_of(folder):
    """Every name beneath a folder, and what would change if it were touched."""
    return {path: (path.lstat().st_mtime_ns, path.lstat().st_size)
            for path in sorted(Path(folder).rglob("*"))}


class Package(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)
        self.tarball = TARBALL or make(self.place)
        self.home = self.place / "a home"
        self.home.mkdir()
        with tarfile.open(self.tarball) as tar:
            tar.extractall(self.place)
        self.inside = self.place / self.tarball.name.removesuffix(".tar.gz")

    def script(self, name, *words, path="/usr/bin:/bin"):
        return subprocess.run([self.inside / name, *words], cwd=self.place, text=True,
                              env={"HOME": str(self.home), "PATH": path}, capture_output=True,
                              timeout=60)

    def test_contents(self):
        with tarfile.open(self.tarball) as tar:
            members = {member.name: member for member in tar}
        root = self.inside.name
        self.assertRegex(root, r"^millrace-\d+\.\d+\.\d+-macos-arm64$")
        self.assertEqual(set(members), {root} | {f"{root}/{name}" for name in MODES})
        for name, mode in MODES.items():
            member = members[f"{root}/{name}"]
            self.assertTrue(member.isfile(), name)
            self.assertEqual(stat.S_IMODE(member.mode), mode, name)
            self.assertEqual((member.uid, member.gid, member.uname), (0, 0, ""), name)
        self.assertEqual((self.inside / "config.example.toml").read_bytes(),
                         (TOP / "config/example.toml").read_bytes())

    def test_install_prints_each_step_and_does_none(self):
        bin_folder = self.place / "it's here/bin"
        before = look_of(self.place)
        done = self.script("install.sh", "--dry-run", "--bin", bin_folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(look_of(self.place), before)
        # The lines are words for a shell; what it makes of them are the steps.
        split = subprocess.run(["sh"], input="step() { for w; do printf '%s|' \"$w\"; done; echo; }\n"
                               + "".join(f"step {line}\n" for line in done.stdout.splitlines()
                                         if not line.startswith("#")),
                               check=True, capture_output=True, text=True, timeout=30).stdout
        there = f"{bin_folder}/millrace"
        fresh = f"{bin_folder}/.millrace.new"
        self.assertEqual(split.splitlines(), [
            f"mkdir|-p|{bin_folder}|",
            f"cp|{self.inside}/millrace|{fresh}|",
            f"chmod|755|{fresh}|",
            f"xattr|-c|{fresh}|",
            f"mv|-f|{fresh}|{there}|",
            f"{there}|service|uninstall|",
            f"{there}|service|install|",
        ])
        notes = [line for line in done.stdout.splitlines() if line.startswith("#")]
        self.assertIn(f"# if {self.home}/Library/Application Support/Millrace/config.toml is there:",
                      notes)
        self.assertTrue(any("not in PATH" in line for line in notes), notes)

    def test_where_the_program_goes(self):
        usual = self.script("install.sh", "--dry-run").stdout
        writable = os.access("/usr/local/bin", os.W_OK)
        self.assertIn("/usr/local/bin/millrace" if writable else f"{self.home}/.local/bin/millrace",
                      usual)
        daemon = self.script("install.sh", "--dry-run", "--system", path="/usr/local/bin:/bin:/usr/bin")
        self.assertIn("/usr/local/bin/millrace service install --system", daemon.stdout)
        self.assertNotIn("not in PATH", daemon.stdout)

    def test_the_program_alone(self):
        done = self.script("install.sh", "--dry-run", "--no-service", "--bin", "b")
        self.assertIn(f"mv -f {self.place}/b/.millrace.new {self.place}/b/millrace", done.stdout)
        self.assertNotIn("service", done.stdout)

    def test_another_system_is_refused_before_anything_is_done(self):
        before = look_of(self.place)
        done = self.script("install.sh", "--bin", self.place / "bin")
        self.assertEqual(done.returncode, 2)
        self.assertIn("this is Linux", done.stderr)
        self.assertEqual(look_of(self.place), before)

    def test_wrong_words_are_refused(self):
        for words in (["--bin"], ["--prefix", "x"], ["now"]):
            done = self.script("install.sh", *words)
            self.assertEqual(done.returncode, 2, words)
        self.assertIn("--dry-run", self.script("install.sh", "--help").stdout)

    def test_uninstall_prints_each_step_and_does_none(self):
        bin_folder = self.place / "bin"
        bin_folder.mkdir()
        (bin_folder / "millrace").write_text("#!/bin/sh\nexit 1\n")
        (bin_folder / "millrace").chmod(0o755)
        before = look_of(self.place)
        done = self.script("uninstall.sh", "--dry-run", "--bin", bin_folder)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(look_of(self.place), before)
        self.assertIn(f"{bin_folder}/millrace service uninstall", done.stdout)
        self.assertIn(f"rm -f {bin_folder}/millrace", done.stdout)
        # The stand-in always fails: with a list of the service there, that must not pass.
        agents = self.home / "Library/LaunchAgents"
        agents.mkdir(parents=True)
        plist = agents / "com.millrace.agent.plist"
        plist.write_text("<plist/>")
        done = self.script("uninstall.sh", "--bin", bin_folder)
        self.assertEqual(done.returncode, 2)
        self.assertIn("still there", done.stderr)
        self.assertTrue((bin_folder / "millrace").exists())
        plist.unlink()
        self.assertEqual(self.script("uninstall.sh", "--bin", bin_folder).returncode, 0)
        self.assertFalse((bin_folder / "millrace").exists())
        self.assertEqual(self.script("uninstall.sh", "--bin", bin_folder).returncode, 2)


class Program(Package):
    """With the program itself: `file` and the look through it."""

    def test_the_program(self):
        data = (self.inside / "millrace").read_bytes()
        about, wrong = look_through(data)
        self.assertEqual(wrong, [])
        self.assertIn("runs on macOS 12.0 and newer", about)
        kind = subprocess.run(["file", "-b", self.inside / "millrace"], check=True, text=True,
                              capture_output=True, timeout=60).stdout
        self.assertIn("Mach-O 64-bit arm64 executable", kind)


class Formula(unittest.TestCase):
    def test_the_same_input_makes_the_same_bytes_and_a_formula_that_names_them(self):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            first = make(one, "https://millrace.example/get/").read_bytes()
            self.assertEqual(first, make(two).read_bytes())
            formula = Path(one, "out/millrace.rb").read_text()
            self.assertFalse(Path(two, "out/millrace.rb").exists())
        self.assertIn(f'url "https://millrace.example/get/millrace-{VERSION}-macos-arm64.tar.gz"',
                      formula)
        self.assertIn(f'sha256 "{hashlib.sha256(first).hexdigest()}"', formula)
        self.assertIn(f'version "{VERSION}"', formula)
        self.assertNotRegex(formula, "@[A-Z]+@")
        # `do` and `def` have their ends; there is no Ruby here to ask.
        words = formula.split("\n")
        opened = sum(line.strip().startswith(("class ", "def ")) or line.endswith(" do")
                     for line in words)
        self.assertEqual(opened, sum(line.strip() == "end" for line in words))


def load_tests(loader, _, __):
    """The look through the program only where there is one: installer/build-macos gives it."""
    classes = (Program if TARBALL else Package, Formula)
    return unittest.TestSuite(loader.loadTestsFromTestCase(one) for one in classes)


if __name__ == "__main__":
    unittest.main()
