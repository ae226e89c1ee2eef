"""The installer for Windows under Wine: installed without a word, at work behind nginx with TLS,
stopped, killed amid its work, upgraded, removed.

RUNNER stands before the program, HELD_OPEN is a program of Windows that keeps files open."""

import os
import subprocess
import time
from pathlib import Path

from ending import OutboxReader, check_bill, input_of, leftovers, sha256
from harness import MILLRACE, ApiServer, Scratch, drop, eventually, main, png
from tls_server import Authority, Nginx
from windows_machine import ANSWER_MS, RUNNER, Windows, stopped_before_answers

BUILD_MSI = Path(__file__).resolve().parents[2] / "installer/windows/build-msi"
HELD_OPEN = os.environ.get("HELD_OPEN", "")
SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"
PRODUCTS = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
REFUSED = 1603 % 256  # Wine gives eight bits of a status
FAILED = 1627 % 256   # a step failed, under Wine; Windows says 1603 here as well
NEWER = b"the newer program"  # behind its end a program may have anything


class Installed:
    """What the installer leaves, as this side sees it."""

    def __init__(self, home, windows):
        self.home, self.windows = home, windows
        self.inbox, self.outbox = home / "in box", home / "out box"
        drive = home / "wine/drive_c"
        self.program = drive / "Program Files/Millrace/millrace.exe"
        self.own = drive / "ProgramData/Millrace"
        self.config = self.own / "config.toml"
        # What Wine tells its services of %ProgramData% is another folder.
        self.state_dir = drive / "users/Public/Millrace/state"
        self.made = {}

    def build(self, version, behind=b""):
        program = self.home / "millrace.exe"
        program.write_bytes(Path(MILLRACE).read_bytes() + behind)
        msi = self.home / f"millrace-{version}.msi"
        subprocess.run([BUILD_MSI, program, version, msi], check=True, timeout=60)
        return msi

    def msiexec(self, how, msi, *properties, status=0):
        ended, out = self.windows.run("msiexec", how, f"Z:{msi}", "/qn", *properties)
        assert ended == status, (how, msi.name, ended, out, self.log()[-2000:])

    def install(self, msi, url, **more):
        self.msiexec("/i", msi, f"INBOX=Z:{self.inbox}/", f"OUTBOX=Z:{self.outbox}", f"URL={url}",
                     *(f"{name}={value}" for name, value in more.items()))

    def edit(self, before, after):
        text = self.config.read_text()
        assert before in text, text
        fresh = self.config.with_suffix(".new")
        fresh.write_text(text.replace(before, after))
        fresh.rename(self.config)

    def log(self):
        file = self.state_dir / "agent.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def expect(self, name, data):
        self.made[name] = sha256(data)

    def drop(self, first, count):
        for number in range(first, first + count):
            data = png(16, 16, number)
            drop(self.inbox, f"{number}.png", data)
            self.expect(f"{number}.webp", data)

    def results(self):
        return {str(path.relative_to(self.outbox)) for path in self.outbox.rglob("*.webp")}

    def wait_for_all(self):
        eventually(lambda: self.results() >= self.made.keys(), 90,
                   f"the results of {len(self.made)} files")

    def check_results(self):
        found = {name: input_of((self.outbox / name).read_bytes(), "webp")
                 for name in self.results()}
        assert leftovers(self.outbox) == [] and found == self.made, found.keys() ^ self.made.keys()

    def state(self):
        return self.windows.service("status")["state"]

    def version(self):
        said = self.windows.registry(PRODUCTS, "/s", "/v", "DisplayVersion")
        return [line.split()[-1] for line in said.splitlines() if "DisplayVersion" in line]


def install_and_trust(place, msi, nginx, authority):
    """Installed and running by one command; the configuration is then edited by a person."""
    place.install(msi, nginx.url, TO="webp")
    assert place.state() == "running" and place.version() == ["1.0.0"]
    assert place.program.exists() and place.program.with_name("example.toml").exists()
    config = place.config.read_text()
    for wanted in (f"'Z:{place.inbox}'".replace("/", "\\"), nginx.url, 'to = ["webp"]'):
        assert wanted in config, config
    command = place.windows.registry(SERVICES + r"\Millrace", "/v", "ImagePath")
    assert r'"C:\Program Files\Millrace\millrace.exe" run --config "C:' in command, command
    place.edit(f'url = "{nginx.url}"', f'url = "{nginx.url}"  # edited\n'
                                       f'ca_file = "Z:{authority.ca}"\nconcurrency = 8')
    eventually(lambda: "configuration reloaded" in place.log(), 30,
               "the changed configuration")


def convert_from_both_sides(place, nginx, files):
    """Half of the files come whole; the others are held open by a program of Windows."""
    slow = place.home / "slow"
    slow.mkdir()
    late = {}
    for number in range(files // 2):
        data = png(16, 16, 10_000 + number)
        (slow / f"slow {number}.png").write_bytes(data)
        late[f"slow {number}.webp"] = data + data
    holder = subprocess.Popen([*RUNNER, HELD_OPEN, f"Z:{slow}", f"Z:{place.inbox}"],
                              env=place.windows.environment, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert holder.stdout.readline().strip() == b"open"
    place.drop(0, files // 2)
    place.wait_for_all()
    # Each of them looks whole and has been quiet, and is open still.
    assert place.results() == place.made.keys(), place.results() - place.made.keys()
    for name, data in late.items():
        place.expect(name, data)
    holder.stdin.write(b"\n")
    holder.stdin.close()
    assert holder.wait(60) == 0
    holder.stdout.close()
    place.wait_for_all()
    requests = nginx.requests()
    assert {row[3] for row in requests} == {"TLSv1.3"} and nginx.statuses()[200] == files


def stop_amid_requests(place, api):
    """Which it does not wait for; these files are converted after the next start."""
    posts = api.bill()["posts"]
    api.latency(ANSWER_MS)
    place.drop(20_000, 8)
    eventually(lambda: api.bill()["posts"] >= posts + 4, 60, "requests under way")
    began = time.monotonic()
    place.windows.run("net", "stop", "Millrace")  # may come back before the service has stopped
    eventually(lambda: place.state() == "stopped", 30, "the stop")
    return stopped_before_answers(began, place.log())


def kill_amid_work(place, api, kills, files):
    for kill in range(kills):
        place.windows.service("start")  # from the second on Wine has started it by itself
        api.latency("1000")
        before = len(place.results())
        place.drop(30_000 + kill * files, files)
        eventually(lambda: len(place.results()) > before + 10, 60, "some of the files")
        place.windows.pull_the_plug()
        assert len(place.results()) < len(place.made)
        place.windows.boot()
    api.latency("0")
    place.windows.service("start")
    place.wait_for_all()


def upgrade_and_no_way_back(place, old, new):
    edited = place.config.read_bytes()
    place.install(new, "https://another.example/v1")  # of no effect: there is a configuration
    assert place.state() == "running" and place.version() == ["1.1.0"]
    assert place.program.read_bytes().endswith(NEWER)
    assert place.config.read_bytes() == edited
    place.msiexec("/i", old, status=REFUSED)
    assert place.state() == "running" and place.version() == ["1.1.0"]
    place.drop(40_000, 5)
    place.wait_for_all()


def drop_strange_names(place):
    """All are converted; a device of Windows gives no name to a result, so that `con` is escaped."""
    deep = "/".join(letter * 100 for letter in "abc")  # 302 characters, and the inbox before them
    names = {"größe.png": "größe.webp", "\U0001f4f7 \u65e5\u672c.png": "\U0001f4f7 \u65e5\u672c.webp",
             f"{deep}/long.png": f"{deep}/long.webp", "con.png": "%63on.webp"}
    for number, (name, result) in enumerate(names.items()):
        data = png(16, 16, 50_000 + number)
        (place.inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (place.inbox / name).write_bytes(data)
        place.expect(result, data)
    place.wait_for_all()


def uninstall_and_look(place, msi):
    place.msiexec("/x", msi)
    gone = place.windows.service("status", status=2)["error"]
    assert gone["code"] == "vanished", gone
    for key in ("Millrace", r"EventLog\Application\Millrace"):
        assert "Unable to find" in place.windows.registry(SERVICES + "\\" + key), key
    assert place.version() == [] and not place.program.parent.exists()
    assert place.config.exists() and (place.state_dir / "ledger.db").exists()
    place.check_results()
    assert len(list(place.inbox.rglob("*.png"))) == len(place.made)


def test_installed_at_work_killed_upgraded_and_removed():
    with Scratch() as home, ApiServer() as api, Windows(home) as windows:
        authority = Authority(home / "ca")
        place = Installed(home, windows)
        old, new = place.build("1.0.0"), place.build("1.1.0", NEWER)
        with Nginx(home / "nginx", authority, f"127.0.0.1:{api.port}", idle="75s") as nginx:
            install_and_trust(place, old, nginx, authority)
            with OutboxReader(place.outbox) as reader:
                convert_from_both_sides(place, nginx, 200)
                stopped = stop_amid_requests(place, api)
                kill_amid_work(place, api, 3, 50)
                upgrade_and_no_way_back(place, old, new)
                drop_strange_names(place)
            assert reader.torn == [], reader.torn[:5]
            uninstall_and_look(place, new)
            bill = check_bill(api, len(place.made))
            print(f"  {len(place.made)} files, {bill['posts']} posts, {bill['billed']} billed, "
                  f"{reader.reads} reads, stopped in {stopped}")


def test_what_cannot_be_installed_leaves_nothing():
    with Scratch() as home, ApiServer() as api, Windows(home) as windows:
        place = Installed(home, windows)
        msi = place.build("1.0.0")
        place.msiexec("/i", msi, "URL=api.example/v1", status=REFUSED)
        place.msiexec("/i", msi, "URL=http://api.example/v1", status=FAILED)
        assert not place.program.exists() and not place.config.exists()
        # A service that somebody else made is theirs.
        windows.service("install")
        place.msiexec("/i", msi, f"URL={api.url}", status=REFUSED)
        assert "Z:" in windows.service("status")["command"] and not place.program.exists()
        windows.service("uninstall")

        # Without a URL there is nothing to run yet.
        place.msiexec("/i", msi)
        assert place.state() == "stopped" and not place.config.exists()
        ended, said = windows.millrace("init", "--inbox", f"Z:{place.inbox}")
        assert ended == 2 and "--url" in said, said
        ended, said = windows.millrace("init", "--inbox", f"Z:{place.inbox}", "--outbox",
                                       f"Z:{place.outbox}", "--url", api.url)
        assert ended == 0, said
        windows.service("start")
        place.drop(0, 3)
        place.wait_for_all()
        uninstall_and_look(place, msi)


main(globals())
