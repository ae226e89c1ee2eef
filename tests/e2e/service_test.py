"""The agent as a service: what it tells the service manager, and a log that nobody reads."""

import os
import socket
import subprocess

from harness import (MILLRACE, Agent, ApiServer, Scratch, converter_toml, drop, eventually,
                     folder_toml, main, png)


def agent_in(home, server, **more):
    (home / "in").mkdir()
    (home / "out").mkdir()
    return Agent(home / "a", folder_toml("pictures", home / "in", home / "out"),
                 converter_toml(server.url), **more)


def test_the_service_manager_hears_of_start_life_reload_and_stop():
    """[G7]: the watchdog is fed while the intake loop turns."""
    with Scratch() as home, ApiServer() as server:
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(str(home / "notify"))
        manager.settimeout(30)
        agent = agent_in(home, server, environment={"NOTIFY_SOCKET": str(home / "notify"),
                                                    "WATCHDOG_USEC": "2000000"})

        def hear(word):
            while manager.recv(200).decode() != word:
                pass

        with agent:
            agent.start()
            hear("READY=1")
            hear("WATCHDOG=1")
            hear("WATCHDOG=1")
            agent.command("reload")
            hear("RELOADING=1")
            hear("READY=1")
            assert agent.stop()[0] == 0
            hear("STOPPING=1")


def test_a_log_that_nobody_reads_holds_up_nothing():
    """[I8]: the pipe behind stderr is full from the first lines on."""
    files = 300
    with Scratch() as home, ApiServer() as server:
        agent = agent_in(home, server, agent='log_level = "debug"')
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        try:
            while True:
                os.write(write_end, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(write_end, True)
        with agent:
            agent.process = subprocess.Popen(
                [MILLRACE, "run", "--config", str(agent.config)], env=agent.environment,
                stdout=write_end, stderr=write_end)
            os.close(write_end)
            for i in range(files):
                drop(home / "in", f"{i}.png", png(8, 8, i))
            eventually(lambda: len(list((home / "out").glob("*.webp"))) == files, 60, "every file")
            status, seconds = agent.stop()
            assert status == 0 and seconds < 5, (status, seconds)
        os.close(read_end)


main(globals())
