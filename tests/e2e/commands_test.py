"""Every command as a person meets it: its help, its JSON, its exit status, its words."""

import json
import os
import stat
import subprocess

from harness import (MILLRACE, Agent, ApiServer, Scratch, converter_toml, drop, eventually,
                     folder_toml, main, png)

COMMANDS = ("run convert fetch serve status failures explain retry rescan pause resume reload init "
            "check formats secret service").split()


class User:
    """Somebody with an empty home."""

    def __init__(self, home):
        self.home = home
        runtime = home / "runtime"
        runtime.mkdir(mode=0o700)
        self.environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                            "XDG_RUNTIME_DIR": str(runtime)}

    def run(self, *words, status=0, given=None, **more):
        done = subprocess.run([MILLRACE, *map(str, words)], env=self.environment | more,
                              input=given, capture_output=True, text=True, timeout=120,
                              cwd=self.home)
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        return done

    def says(self, *words, status=0, **more):
        done = self.run(*words, status=status, **more)
        return done.stdout + done.stderr

    def json(self, *words, status=0, **more):
        """The last line of standard output; every line of it is a document."""
        done = self.run(*words, "--json", status=status, **more)
        return [json.loads(line) for line in done.stdout.splitlines()][-1]


def pictures(folder, numbers):
    folder.mkdir(parents=True, exist_ok=True)
    for i in numbers:
        (folder / f"{i}.png").write_bytes(png(8, 8, i))


def test_every_command_has_help_and_wrong_use_ends_with_2():
    with Scratch() as home:
        user = User(home)
        for command in COMMANDS:
            told = user.run(command, "--help").stdout
            assert f"millrace {command}" in told and "--json" in told, told
            assert "Exit status: 0 all well" in told, told
            wrong = user.says(command, "--nonsense", status=2)
            assert f"millrace {command} --help" in wrong, wrong
            assert user.json(command, "--nonsense", status=2)["error"]["message"], command
        assert all(command in user.run("--help").stdout for command in COMMANDS)
        assert "Usage" in user.says(status=2)
        assert "no command `nope`" in user.says("nope", status=2)
        assert "duration" in user.says("run", "--once", "--patience", "long", status=2)
        assert "nought" in user.says("run", "--once", "--patience", "0s", status=2)
        assert "--once" in user.says("run", "--patience", "5s", status=2)
        assert "HOST:PORT" in user.says("fetch", "list", "--into", "d", "--allow-fetch",
                                        "files.lan", status=2)
        assert user.run("--version").stdout.startswith("millrace ")


def test_init_check_and_run_once_in_an_empty_home():
    with Scratch() as home:
        user = User(home)
        for command in ("status", "failures", "check", "run"):
            assert "millrace init" in user.says(command, status=2), command
        assert "next: millrace check" in user.says("init")
        again = user.says("init", status=2)
        assert "there already and stays as it is" in again, again
        for words in (["status"], ["failures"], ["retry", "--all"], ["explain", "x.png"]):
            assert "there is no ledger yet" in user.says(*words, status=2), words
        assert "0 errors" in user.says("check")
        inbox = home / "Millrace/inbox"
        pictures(inbox, range(3))
        assert "3 converted, 0 skipped, 0 failed" in user.says("run", "--once")
        assert len(list((home / "Millrace/outbox").glob("*.webp"))) == 3
        assert user.json("run", "--once")["delivered"] == 0
        status = user.json("status")
        assert not status["running"] and status["folders"][0]["delivered"] == 3, status
        assert "no agent runs" in user.says("status")
        assert "nothing has failed" in user.says("failures")
        assert "delivered as 0.webp" in user.says("explain", inbox / "0.png")
        for words in (["pause", "pictures"], ["resume", "local"], ["rescan"], ["reload"]):
            assert "no agent runs" in user.says(*words, status=2), words
        routes = user.json("formats")["routes"]
        assert any(r["from"] == "png" and "webp" in r["to"] for r in routes)
        assert "bmp" in user.says("formats")


def test_init_with_folders_and_a_conversion_api_of_its_own():
    with Scratch() as home, ApiServer() as api:
        user = User(home)
        words = ["init", "--inbox", home / "two words/", "--outbox", home / "größe", "--to", "jpg"]
        # What is wrong is said, and nothing is there afterwards.
        assert "https" in user.says(*words, "--url", "http://api.example/v1", status=2)
        assert not (home / "two words").exists()
        user.says(*words, "--url", api.url)
        pictures(home / "two words", range(2))
        assert "2 converted" in user.says("run", "--once")
        assert {p.name for p in (home / "größe").iterdir()} == {"0.jpg", "1.jpg"}
        assert api.bill()["billed"] == 2


def test_a_failure_is_listed_explained_and_tried_again():
    with Scratch() as home, ApiServer() as api:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        api.faults("times=2 status=422 code=broken message=not_a_picture body=json\n")
        with Agent(home / "a", folder_toml("p", inbox, outbox), converter_toml(api.url)) as agent:
            for i in (1, 2):
                drop(inbox, f"{i}.png", png(8, 8, i))
            done = agent.run_once()
            assert done.returncode == 1 and "2 failed" in done.stdout, done
            rows = agent.command("failures")["failures"]
            assert len(rows) == 2 and all("not a picture" in r["reason"] for r in rows), rows
            assert all(row["attempts"] == 1 for row in rows), rows
            said = subprocess.run([MILLRACE, "failures", "--config", str(agent.config)],
                                  env=agent.environment, capture_output=True, text=True)
            assert said.stdout.count("1 request)") == 2, said
            assert "job 999 is not" in agent.command("retry", "999", check=False)["error"]["message"]
            assert agent.command("retry", str(rows[0]["id"]))["retried"] == 1
            again = agent.run_once()
            assert again.returncode == 0 and "1 converted" in again.stdout, again
            assert len(agent.command("failures")["failures"]) == 1
            agent.start()
            assert "job 999 is not" in agent.command("retry", "999", check=False)["error"]["message"]
            assert agent.command("retry", "--all")["retried"] == 1
            eventually(lambda: agent.folder("p")["delivered"] == 2, 30, "the retried file")
            assert agent.command("failures")["failures"] == []


def test_pause_resume_rescan_reload_and_explain_of_a_running_agent():
    with Scratch() as home, ApiServer() as api:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        agent = Agent(home / "a", folder_toml("p", inbox, outbox), converter_toml(api.url))

        def says(name):
            return " | ".join(agent.command("explain", str(inbox / name))["says"])

        with agent:
            agent.start()
            for name in ("p", "api"):
                agent.command("pause", name)
                file = drop(inbox, f"{name}.png", png(8, 8, len(name)))
                eventually(lambda: agent.folder("p")["waiting"] == 1, 30, "the waiting file")
                assert "paused" in says(file.name), says(file.name)
                assert not (outbox / f"{name}.webp").exists()
                agent.command("resume", name)
                eventually((outbox / f"{name}.webp").exists, 30, "the resumed file")
            assert "no folder or converter" in agent.command("pause", "q", check=False)[
                "error"]["message"]
            assert "no folder `q`" in agent.command("rescan", "q", check=False)["error"]["message"]
            assert agent.command("rescan", "p")["rescan"] == "p"

            (inbox / "link.png").symlink_to(inbox / "p.png")
            (inbox / "x.png.part").write_bytes(b"half")
            os.mkfifo(inbox / "pipe.png")
            assert "symbolic link" in says("link.png")
            assert "x.png.part" in says("x.png.part") or "in flight" in says("x.png.part")
            assert "not a regular file" in says("pipe.png")
            assert "no such file" in says("nothing.png")
            assert "delivered as p.webp" in says("p.png")
            outside = agent.command("explain", "/etc/hostname", check=False)["error"]["message"]
            assert "lies in no inbox" in outside, outside

            agent.config.write_text("[agent]\nnonsense = 1\n")
            refused = agent.command("reload", check=False)["error"]["message"]
            assert "nonsense" in refused and ":2:" in refused, refused
            agent.write_config(folder_toml("p", inbox, outbox, to="jpg"), converter_toml(api.url))
            agent.command("reload")
            drop(inbox, "later.png", png(8, 8, 9))
            eventually((outbox / "later.jpg").exists, 30, "the new target")


def test_a_secret_is_kept_for_its_user_alone_and_used():
    with Scratch() as home, ApiServer("--require-token", "sesame") as api:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        key = 'api_key = { secret = "ctf" }\n'
        with Agent(home / "a", folder_toml("p", inbox, outbox),
                   converter_toml(api.url) + key) as agent:
            config = ["--config", str(agent.config)]
            drop(inbox, "a.png", png(8, 8, 1))
            missing = agent.run_once()
            assert missing.returncode == 2 and "millrace secret set ctf" in missing.stderr, missing
            subprocess.run([MILLRACE, "secret", "set", "ctf", *config], input="sesame\n", text=True,
                           check=True, env=agent.environment)
            kept = agent.home / "secrets" / "ctf"
            assert stat.S_IMODE(kept.stat().st_mode) == 0o600
            assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
            assert agent.run_once().returncode == 0
            assert (outbox / "a.webp").exists()
            subprocess.run([MILLRACE, "secret", "rm", "ctf", *config], check=True,
                           env=agent.environment)
            assert not kept.exists()

def test_a_configuration_that_is_no_file_is_told_and_holds_nobody():
    with Scratch() as home:
        user = User(home)
        os.mkfifo(home / "pipe.toml")
        for command in (["check"], ["run"], ["status"]):
            for file, word in (("nothing.toml", "is not there; `millrace init`"),
                               (home, "is a folder"), ("pipe.toml", "no regular file")):
                said = user.says(*command, "--config", file, status=2)
                assert word in said and str(file) in said, (command, file, said)


def test_paths_of_keys_and_certificates_follow_the_configuration_and_the_home():
    with Scratch() as home, ApiServer("--require-token", "sesame") as api:
        user = User(home)
        place = home / "etc"
        pictures(place / "in", [1])
        (place / "out").mkdir()
        for key in (place / "key", home / "key"):
            key.write_text("sesame\n")
            key.chmod(0o600)
        for key in ("key", "~/key"):
            (place / "c.toml").write_text(
                converter_toml(api.url, api_key={"file": key}, ca_file="~/no.pem") +
                folder_toml("p", "in", "out"))
            said = user.says("check", "--config", "etc/c.toml", status=2)
            assert f"{home}/no.pem is not there" in said and "1 error" in said, said
        assert "1 converted" in user.says("run", "--once", "--config", "etc/c.toml")


def test_a_state_folder_that_leads_into_an_inbox_is_refused_before_anything_is_made():
    with Scratch() as home:
        user = User(home)
        for place in ("in", "out"):
            (home / place).mkdir()
        (home / "link").symlink_to(home / "in")
        (home / "c.toml").write_text('[agent]\nstate_dir = "link/state"\n' +
                                     folder_toml("p", "in", "out", via="local"))
        for command in (["check"], ["run", "--once"]):
            said = user.says(*command, "--config", "c.toml", status=2)
            assert "state_dir" in said and "lies in its inbox" in said, said
        assert os.listdir(home / "in") == []
        (home / "c.toml").write_text('[agent]\nstate_dir = "in/state"\n' +
                                     folder_toml("p", "link", "out", via="local"))
        assert "lies in its inbox" in user.says("check", "--config", "c.toml", status=2)


def test_run_once_ends_at_once_with_4_when_only_a_person_can_help():
    with Scratch() as home, ApiServer("--require-token", "sesame") as api:
        inbox, outbox = home / "in", home / "out"
        pictures(inbox, [1, 2])
        outbox.mkdir()
        with Agent(home / "a", folder_toml("p", inbox, outbox), converter_toml(api.url)) as agent:
            done = agent.run_once(timeout=60)
            assert done.returncode == 4, done
            assert "stopped: converter api" in done.stderr and "2 waiting" in done.stdout, done
            assert agent.run_once("--json", timeout=60).returncode == 4


def test_run_once_that_is_stopped_tells_that_files_wait():
    with Scratch() as home, ApiServer("--latency-ms", "60000") as api:
        inbox, outbox = home / "in", home / "out"
        pictures(inbox, [1])
        outbox.mkdir()
        with Agent(home / "a", folder_toml("p", inbox, outbox), converter_toml(api.url)) as agent:
            agent.start("--once")
            eventually(lambda: api.bill()["posts"] == 1, 30, "the request")
            assert agent.stop()[0] == 1, agent.read_log()


def test_run_once_waits_for_no_folder_that_is_configured_no_more():
    with Scratch() as home, ApiServer("--require-token", "sesame") as api:
        for place in ("in", "out", "in2"):
            (home / place).mkdir()
        pictures(home / "in", [1])
        with Agent(home / "a", folder_toml("p", home / "in", home / "out"),
                   converter_toml(api.url)) as agent:
            agent.run_once("--patience", "1s")
            agent.write_config(folder_toml("q", home / "in2", home / "out"),
                               converter_toml(api.url))
            done = agent.run_once("--patience", "30s")
            assert done.returncode == 0 and " 0 waiting" in done.stdout, done

def test_explain_knows_a_folder_by_its_other_name_and_tells_what_is_no_file():
    with Scratch() as home:
        user = User(home)
        real = home / "disk/in"
        pictures(real / "sub", [1])
        pictures(real, [2])
        (home / "out").mkdir()
        (home / "link").symlink_to(real)
        (home / "c.toml").write_text(folder_toml("p", "link", "out", via="local",
                                                 exclude=["no/*"], include=["*.png"]))
        (real / "no").mkdir()
        user.environment["MILLRACE_CONFIG"] = str(home / "c.toml")

        def says(file, status=0):
            return user.says("explain", file, status=status)

        def is_running():  # None while it starts or ends
            asked = subprocess.run([MILLRACE, "status", "--json"], env=user.environment,
                                   capture_output=True, text=True)
            return json.loads(asked.stdout).get("running")

        user.run("run", "--once")
        agent = subprocess.Popen([MILLRACE, "run"], env=user.environment, cwd=home)
        try:
            for running in (True, False):
                eventually(lambda: is_running() == running, 30, "the agent's start or end")
                for file in ("link/2.png", real / "2.png", real / "x/../2.png"):
                    assert "delivered as 2.webp" in says(file), says(file)
                assert "delivered as sub/1.webp" in says("disk/in/sub/1.png")
                assert "a folder; the files in it" in says("link/sub"), says("link/sub")
                assert "a folder; the files in it" in says("link/sub/"), says("link/sub/")
                assert "is the inbox of folder `p`" in says("link", status=2)
                assert "is the inbox of folder `p`" in says("disk/in/", status=2)
                assert "name is empty" in says("", status=2)
                assert f"inboxes are {home}/link" in says("out/2.webp", status=2)
                if running:
                    agent.terminate()
                    agent.wait(10)
        finally:
            agent.kill()
            agent.wait()


def test_a_ledger_that_cannot_be_read_is_not_called_missing():
    with Scratch() as home:
        user = User(home)
        user.run("init")
        pictures(home / "Millrace/inbox", [1])
        user.run("run", "--once")
        for id in ("1x", "x", "-1", "0"):
            assert "is no job number" in user.says("retry", "--", id, status=2), id
        for ledger in (home / ".local/state/millrace").glob("ledger.db*"):
            ledger.write_bytes(b"no database " * 1000)
        said = user.says("status", status=2)
        assert "cannot read the ledger" in said and "no ledger yet" not in said, said


def test_serve_tells_wrong_words_before_it_listens_and_its_address_as_json():
    with Scratch() as home:
        user = User(home)
        for more, word in ((["--renderers", "-1"], "--renderers"),
                           (["--max-size", "0B"], "--max-size"),
                           (["--allow-fetch", "host"], "HOST:PORT"),
                           (["--cert", "no.pem", "--key", "no.pem"], "there is no file no.pem"),
                           (["--token-file", "."], "no regular file")):
            said = user.says("serve", "--listen", "127.0.0.1:0", *more, status=2)
            assert word in said, (more, said)
        serve = subprocess.Popen([MILLRACE, "serve", "--listen", "127.0.0.1:0", "--json"],
                                 env=user.environment, stdout=subprocess.PIPE, text=True)
        try:
            address = json.loads(serve.stdout.readline())["serving_on"]
            assert address.startswith("http://127.0.0.1:"), address
        finally:
            serve.kill()
            serve.wait()


if __name__ == "__main__":
    main(globals())
