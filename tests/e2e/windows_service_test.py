"""The service of Windows under Wine, in a Windows of its own: installed, started, fed from this
side, stopped, killed amid its work, removed.

RUNNER stands before the program. What Wine cannot show is in agent/doc/testing.md."""

import time

from ending import OutboxReader, check_bill, input_of, leftovers, sha256
from harness import (MILLRACE, ApiServer, Scratch, converter_toml, drop, eventually, folder_toml,
                     main, png)
from windows_machine import ANSWER_MS, Windows, stopped_before_answers

EVENTS = r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\Millrace"
SERVICE = r"HKLM\SYSTEM\CurrentControlSet\Services\Millrace"


class Place:
    """Folders and a configuration that Windows sees on drive Z."""

    def __init__(self, home, url, **keys):
        self.home = home
        self.inbox, self.outbox, self.state = (home / box for box in ("in", "out", "state"))
        self.inbox.mkdir()
        self.outbox.mkdir()
        self.file = home / "two words" / "config.toml"
        self.file.parent.mkdir()
        self.write(url, **keys)
        self.made = {}

    def write(self, url, **keys):
        self.file.write_text(
            f'[agent]\nstate_dir = "Z:{self.state}"\n' + converter_toml(url, **keys) +
            folder_toml("pictures", f"Z:{self.inbox}", f"Z:{self.outbox}", settle="0s"))

    @property
    def config(self):
        return ["--config", f"Z:{self.file}"]

    def drop(self, first, count):
        for number in range(first, first + count):
            data = png(16, 16, number)
            drop(self.inbox, f"ü {number}.png", data)
            self.made[f"ü {number}.webp"] = sha256(data)

    def all_there(self):
        return len(list(self.outbox.glob("*.webp"))) >= len(self.made)

    def check_results(self):
        found = {path.name: input_of(path.read_bytes(), "webp") for path in self.outbox.iterdir()}
        assert leftovers(self.outbox) == [], leftovers(self.outbox)
        assert found == self.made, sorted(found.items() ^ self.made.items())

    def log(self):
        file = self.state / "agent.log"
        return file.read_text(errors="replace") if file.exists() else ""


def test_what_is_absent_wrong_or_there_already_is_said():
    with Scratch() as home, ApiServer() as api, Windows(home) as windows:
        for action in ("status", "start", "stop", "uninstall"):
            said = windows.service(action, status=2)["error"]
            assert said["code"] == "vanished" and "not installed" in said["message"], said
        assert windows.millrace("service", "dance")[0] == 2

        place = Place(home, api.url)
        place.file.write_text("[[folder]]\n")
        installed = windows.service("install", *place.config)
        assert any("cannot be used yet" in note for note in installed["notes"]), installed
        said = windows.service("install", *place.config, status=2)["error"]
        assert said["code"] == "exists" and "uninstall" in said["message"], said
        # Its configuration is wrong: the status of the agent comes through the service manager.
        said = windows.service("start", status=2)["error"]["message"]
        assert "status 2" in said and "event" in said, said
        now = windows.service("status")
        assert now["state"] == "stopped" and now["exit_status"] == 2, now
        windows.service("uninstall")


def test_what_is_written_into_the_registry_and_taken_out_again():
    with Scratch() as home, ApiServer() as api, Windows(home) as windows:
        place = Place(home, api.url)
        installed = windows.service("install", *place.config)
        account = installed["account"]
        assert account in (r"NT SERVICE\Millrace", r"NT AUTHORITY\LocalService"), installed
        needed = [note for note in installed["notes"] if "icacls" in note]
        assert len(needed) == 4, installed["notes"]  # configuration, state, inbox, outbox
        now = windows.service("status")
        assert now["state"] == "stopped" and now["process"] == 0 and now["exit_status"] == 0, now
        assert now["account"] == account and now["start"].startswith("automatic"), now
        assert now["command"].startswith('"') and now["command"].endswith('config.toml"'), now
        assert "Z:" + MILLRACE.replace("/", "\\") + '" run --config "Z:' in now["command"], now
        assert "millrace.exe" in windows.registry(EVENTS, "/v", "EventMessageFile")
        assert "0x7" in windows.registry(EVENTS, "/v", "TypesSupported")
        assert "Converts" in windows.registry(SERVICE, "/v", "Description")
        for note in installed["notes"]:
            print(f"  note: {note}")
        windows.service("uninstall")
        assert "millrace.exe" not in windows.registry(EVENTS, "/v", "EventMessageFile")
        assert windows.service("status", status=2)["error"]["code"] == "vanished"


def test_files_are_converted_by_the_service_and_it_stops_at_once():
    files = 60
    with Scratch() as home, ApiServer() as api, Windows(home) as windows:
        place = Place(home, api.url)
        windows.service("install", *place.config)
        assert windows.service("start") == {"state": "running", "changed": True}
        assert windows.service("start") == {"state": "running", "changed": False}
        assert windows.service("status")["process"] > 0
        place.drop(0, files)
        eventually(place.all_there, 60, "every file")

        # The stop does not wait for these answers.
        api.latency(ANSWER_MS)
        place.drop(files, 8)
        eventually(lambda: api.bill()["posts"] >= files + 4, 60, "requests under way")
        began = time.monotonic()
        assert windows.service("stop") == {"state": "stopped", "changed": True}
        loaded = stopped_before_answers(began, place.log())
        now = windows.service("status")
        assert now["state"] == "stopped" and now["exit_status"] == 0, now
        assert "millrace stopped" in place.log(), place.log()[-2000:]
        assert windows.service("stop") == {"state": "stopped", "changed": False}

        api.latency("0")
        windows.service("start")
        eventually(place.all_there, 120, "the files that were under way")
        # What others use to stop a service; it may come back before the service has stopped.
        began = time.monotonic()
        windows.run("net", "stop", "Millrace")
        eventually(lambda: windows.service("status")["state"] == "stopped", 30, "the stop")
        idle = stopped_before_answers(began, place.log())
        place.check_results()
        check_bill(api, files + 8)
        windows.service("uninstall")
        assert place.file.exists() and (place.state / "ledger.db").exists()
        print(f"  stopped in {loaded} under load, in {idle} idle")


def test_killed_amid_its_work_and_started_again():
    files, kills = 150, 3
    with Scratch() as home, ApiServer() as api, Windows(home) as windows:
        place = Place(home, api.url, concurrency=8)
        windows.service("install", *place.config)
        with OutboxReader(place.outbox) as reader:
            for kill in range(kills):
                windows.service("start")  # from the second on Wine has started it by itself
                api.latency("100")
                before = len(list(place.outbox.glob("*.webp")))
                place.drop(kill * files // kills, files // kills)
                eventually(lambda: len(list(place.outbox.glob("*.webp"))) > before + 10, 60,
                           "some of the files")
                windows.pull_the_plug()
                windows.boot()
            api.latency("0")
            windows.service("start")
            eventually(place.all_there, 60, "every file")
            eventually(lambda: windows.service("stop")["state"] == "stopped", 30, "the stop")
        assert reader.torn == [], reader.torn[:5]
        place.check_results()
        bill = check_bill(api, files)
        windows.service("uninstall")
        print(f"  {kills} kills, {bill['posts']} posts, {bill['billed']} billed")


main(globals())
