"""A changed configuration while the agent runs: taken over, or refused as a whole."""

import os
import socket
import subprocess

import harness
from harness import (Agent, ApiServer, Scratch, converter_toml, drop, eventually, folder_toml,
                     free_port, main, png)


def places(home, *names):
    for name in names:
        (home / name).mkdir()
    return [home / name for name in names]


def reload_command(agent):
    return subprocess.run([harness.MILLRACE, "reload", "--config", str(agent.config)],
                          env=agent.environment, capture_output=True, text=True, timeout=60)


def test_folders_come_go_and_change_while_jobs_run_I3():
    with Scratch() as home, ApiServer("--latency-ms", "1500") as server:
        first, second, out, other_out = places(home, "first", "second", "out", "other-out")
        api = converter_toml(server.url, concurrency=10)
        with Agent(home / "a", folder_toml("first", first, out), api) as agent:
            agent.start()
            for number in range(10):
                drop(first, f"{number}.png", png(8, 8, number))
            eventually(lambda: server.bill()["posts"] == 10, 30, "ten requests")
            agent.write_config(folder_toml("first", first, out, to="jpg") +
                               folder_toml("second", second, other_out), api)
            assert reload_command(agent).returncode == 0
            drop(first, "late.png", png(8, 8, 77))
            drop(second, "new.png", png(8, 8, 78))
            eventually(lambda: (other_out / "new.webp").exists(), 30, "the added folder's file")
            eventually(lambda: (out / "late.jpg").exists(), 30, "the new target")
            under_old = {f"{number}.webp" for number in range(10)}
            eventually(lambda: under_old <= set(os.listdir(out)), 30, "what ran under the old one")
            agent.write_config(folder_toml("first", first, out, to="jpg"), api)
            assert reload_command(agent).returncode == 0
            assert [row["name"] for row in agent.command("status")["folders"]] == ["first"]
            posts = server.bill()["posts"]
            drop(second, "ignored.png", png(8, 8, 79))
            drop(first, "after.png", png(8, 8, 80))
            eventually(lambda: (out / "after.jpg").exists(), 30, "the folder that stays")
            assert server.bill()["posts"] - posts <= 11  # the ten under the new target, at most
            assert os.listdir(other_out) == ["new.webp"]
            bill = server.bill()
            assert bill["keys_billed_twice"] == 0 and bill["mismatches"] == 0, bill


def test_a_broken_file_is_refused_and_the_old_one_stays_I2():
    with Scratch() as home, ApiServer() as server:
        inbox, out = places(home, "in", "out")
        api = converter_toml(server.url)
        with Agent(home / "a", folder_toml("only", inbox, out), api) as agent:
            agent.start()
            broken = [("[[folder]\n", "config.toml"),
                      (folder_toml("only", inbox, out).replace("to =", "targt ="), "did you mean"),
                      (folder_toml("only", inbox, inbox / "out"), "inbox"),
                      (folder_toml("only", inbox, out, via="nobody"), "nobody")]
            for number, (text, word) in enumerate(broken):
                agent.write_config(text, api)
                refused = reload_command(agent)
                assert refused.returncode == 2, (text, refused)
                assert word in refused.stderr + refused.stdout, (word, refused)
                drop(inbox, f"{number}.png", png(8, 8, number))
                eventually(lambda n=number: (out / f"{n}.webp").exists(), 30, "the old settings")
            eventually(lambda: "the old one stays" in agent.read_log(), 30, "a line in the log")


def test_a_replaced_file_is_noticed_without_a_command_I2():
    with Scratch() as home, ApiServer() as server:
        inbox, out = places(home, "in", "out")
        api = converter_toml(server.url)
        with Agent(home / "a", folder_toml("only", inbox, out), api) as agent:
            agent.start()
            agent.write_config(folder_toml("only", inbox, out, to="jpg"), api)
            eventually(lambda: "configuration reloaded" in agent.read_log(), 30, "the reload")
            drop(inbox, "a.png", png(8, 8, 1))
            eventually(lambda: (out / "a.jpg").exists(), 30, "the new target")
            assert not (out / "a.webp").exists()


def test_a_file_that_is_replaced_while_the_agent_starts_is_taken_up_I2():
    with Scratch() as home, ApiServer() as server:
        inbox, out = places(home, "in", "out")
        api = converter_toml(server.url)
        with Agent(home / "a", folder_toml("only", inbox, out), api) as agent:
            agent.start(wait=False)
            while not (agent.state / "lock").exists():  # it has read its configuration by then
                assert agent.process.poll() is None, agent.read_log()
            agent.write_config(folder_toml("only", inbox, out, to="jpg"), api)
            eventually(lambda: "configuration reloaded" in agent.read_log(), 60, "the reload")
            drop(inbox, "a.png", png(8, 8, 1))
            eventually(lambda: (out / "a.jpg").exists(), 60, "the new target")


def test_what_waits_goes_along_to_another_converter_I3():
    with Scratch() as home, ApiServer() as server:
        inbox, out = places(home, "in", "out")
        both = converter_toml(server.url) + converter_toml(f"http://127.0.0.1:{free_port()}",
                                                           name="gone")
        with Agent(home / "a", folder_toml("only", inbox, out, via="gone"), both) as agent:
            agent.start()
            drop(inbox, "a.png", png(8, 8, 1))
            eventually(lambda: agent.folder("only")["waiting"] == 1, 30, "a file that waits")
            agent.write_config(folder_toml("only", inbox, out), converter_toml(server.url))
            assert reload_command(agent).returncode == 0
            eventually(lambda: (out / "a.webp").exists(), 60, "the result of the other converter")


def test_a_pause_by_hand_outlives_reload_and_restart_I2():
    with Scratch() as home, ApiServer() as server:
        inbox, out = places(home, "in", "out")
        folder, api = folder_toml("only", inbox, out), converter_toml(server.url)
        with Agent(home / "a", folder, api) as agent:
            agent.start()
            agent.command("pause", "only")
            agent.command("pause", "api")
            agent.write_config(folder_toml("only", inbox, out, to="jpg"), api)
            assert reload_command(agent).returncode == 0

            def paused():
                status = agent.command("status")
                return status["folders"][0]["paused"], status["converters"][0]["state"]

            assert paused() == (True, "paused"), paused()
            agent.stop()
            agent.start()
            assert paused() == (True, "paused"), paused()
            drop(inbox, "a.png", png(8, 8, 1))
            agent.command("resume", "only")
            agent.command("resume", "api")
            eventually(lambda: (out / "a.jpg").exists(), 30, "what goes on")
            agent.stop()
            agent.start()
            assert paused() == (False, "open"), paused()


def test_an_address_for_events_that_cannot_be_had_leaves_all_as_it_was_I2():
    with Scratch() as home, ApiServer() as server:
        first, second, out = places(home, "first", "second", "out")
        port, api = free_port(), converter_toml(server.url)
        (home / "secret").write_text("push-secret")
        (home / "secret").chmod(0o600)

        def events(secret):
            return f'[events]\nlisten = "127.0.0.1:{port}"\nsecret = {secret}\n'

        one = folder_toml("first", first, out)
        right = events(f'{{ file = "{home / "secret"}" }}')
        with Agent(home / "a", one, api + right) as agent:
            agent.start()
            agent.write_config(one + folder_toml("second", second, out),
                               api + events('{ env = "NOT_SET" }'))
            refused = reload_command(agent)
            assert refused.returncode == 2 and "NOT_SET" in refused.stderr, refused
            # It looks at the file by itself as well, and then lets go of the address for a moment.
            eventually(lambda: "the old one stays" in agent.read_log(), 30, "its own look")
            assert [row["name"] for row in agent.command("status")["folders"]] == ["first"]
            socket.create_connection(("127.0.0.1", port), 10).close()
            agent.write_config(one + folder_toml("second", second, out), api + right)
            assert reload_command(agent).returncode == 0
            assert len(agent.command("status")["folders"]) == 2
            socket.create_connection(("127.0.0.1", port), 10).close()


def test_another_session_and_a_removed_folder_find_the_agent():
    with Scratch() as home, ApiServer() as server:
        inbox, out, other, gone = places(home, "in", "out", "other", "gone")
        api = converter_toml(server.url)
        leave = ["sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"']
        agent = Agent(home / "a", folder_toml("only", inbox, out), api, prefix=[*leave, str(gone)])
        with agent:
            agent.start()
            agent.environment["XDG_RUNTIME_DIR"] = str(other)
            assert agent.command("status")["running"]
            # The agent's own folder is gone: a relative path must not end it.
            agent.write_config(folder_toml("only", inbox, out, to="jpg"), api)
            assert reload_command(agent).returncode == 0
            gone.mkdir()
            done = subprocess.run([*leave, str(gone), harness.MILLRACE, "explain", "in/a.png",
                                   "--config", str(agent.config)],
                                  env=agent.environment, capture_output=True, text=True, timeout=60)
            assert done.returncode == 2 and "lies in no inbox" in done.stderr, done


def test_what_a_reload_cannot_change_is_told_I2():
    with Scratch() as home, ApiServer() as server:
        inbox, out = places(home, "in", "out")
        folders, api = folder_toml("only", inbox, out), converter_toml(server.url)
        with Agent(home / "a", folders, api) as agent:
            agent.start()
            agent.write_config(folders, api, agent="log_files = 3")
            eventually(lambda: "taken up by the next start" in agent.read_log(), 30, "a warning")


main(globals())
