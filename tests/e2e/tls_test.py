"""TLS through nginx: few connections, resumed sessions, and trust."""

import os
import subprocess

from harness import (MILLRACE, Agent, ApiServer, Scratch, converter_toml, count, drop, eventually,
                     folder_toml, main, png)
from tls_server import Authority, Nginx

PAUSES = 3
TLS_BURSTS = os.environ.get("TLS_BURSTS", "")


def open_connections(port):
    """Connections to the port that are established, as the kernel knows them."""
    wanted = f":{port:04X}"
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(1 for row in rows if row[1].endswith(wanted) and row[3] == "01")


def closed_by_nginx(nginx):
    eventually(lambda: open_connections(nginx.port) == 0, 30, "the closing of idle connections")


def agent_behind(home, nginx, authority, **keys):
    (home / "in").mkdir()
    (home / "out").mkdir()
    converter = converter_toml(nginx.url, ca_file=str(authority.ca), concurrency=10, **keys)
    return Agent(home / "a", folder_toml("pictures", home / "in", home / "out"), converter,
                 agent="workers = 10")


def burst(agent, inbox, numbers, total):
    for i in numbers:
        drop(inbox, f"{i}.png", png(8, 8, i))
    eventually(lambda: agent.all_done("pictures", total), 240, f"{total} files")


def bursts(home, nginx, authority, first, more, pauses):
    """(connections of the first burst, of those after the pauses, how many of these resumed)"""
    with agent_behind(home, nginx, authority) as agent:
        agent.start()
        burst(agent, home / "in", range(first), first)
        made, resumed = nginx.connections()
        total = first
        for _ in range(pauses):
            closed_by_nginx(nginx)
            burst(agent, home / "in", range(total, total + more), total + more)
            total += more
        all_made, all_resumed = nginx.connections()
        ours = agent.command("status")["connections"]
        row = agent.folder("pictures")
        assert row["delivered"] == total, row
        # A request that meets a connection which nginx closes at that moment goes out once more.
        lost = ours["requests"] - total
        assert len(nginx.requests()) == total and 0 <= lost <= 10 * pauses, ours
        assert 0 <= ours["tls_resumed"] - all_resumed <= lost, (ours, all_resumed)
        assert 0 <= ours["opened"] - all_made <= lost, (ours, all_made)
    return made, all_made - made, all_resumed - resumed


def test_a_thousand_files_over_twelve_connections_resumed_after_a_pause():
    for protocol, share in (("TLSv1.3", 0.5), ("TLSv1.2", 0.9)):
        with Scratch() as home, ApiServer() as api:
            authority = Authority(home / "ca")
            with Nginx(home / "nginx", authority, f"127.0.0.1:{api.port}", protocol) as nginx:
                first, later, resumed = bursts(home, nginx, authority, count(1000), 50, PAUSES)
                assert {row[3] for row in nginx.requests()} == {protocol}
                print(f"        {protocol}: {first} connections, then {later} of which "
                      f"{resumed} resumed")
                assert first <= 12 and PAUSES <= later <= 12 * PAUSES, (first, later)
                assert resumed >= share * later, (protocol, resumed, later)
                assert api.bill()["posts"] == count(1000) + 50 * PAUSES


def test_without_the_share_nothing_is_resumed():
    for protocol in ("TLSv1.3", "TLSv1.2"):
        for share in ("on", "off"):
            with Scratch() as home, ApiServer() as api:
                authority = Authority(home / "ca")
                with Nginx(home / "n", authority, f"127.0.0.1:{api.port}", protocol) as nginx:
                    run = subprocess.Popen([TLS_BURSTS, nginx.url, str(authority.ca), share],
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           text=True)
                    run.stdout.readline()
                    closed_by_nginx(nginx)
                    _, before = nginx.connections()
                    out, _ = run.communicate("\n", timeout=60)
                    made, resumed = map(int, out.split())
                    assert run.returncode == 0 and 1 <= made <= 12, (made, out)
                    assert nginx.connections()[1] - before == resumed
                    print(f"        {protocol}, share {share}: {resumed} of {made} resumed")
                    assert resumed >= 0.5 * made if share == "on" else resumed == 0


def test_millrace_serve_behind_nginx():
    """The whole way: agent, TLS, nginx, the local conversion API on a Unix socket."""
    files = count(200)
    with Scratch() as home:
        authority = Authority(home / "ca")
        socket = home / "api.sock"
        serve = subprocess.Popen(
            [MILLRACE, "serve", "--listen", f"unix:{socket}", "--scratch", str(home / "scratch")],
            stdout=subprocess.PIPE, text=True, env=dict(os.environ, HOME=str(home)))
        try:
            assert serve.stdout.readline().startswith("serving on ")
            with Nginx(home / "nginx", authority, f"unix:{socket}") as nginx, \
                    agent_behind(home, nginx, authority) as agent:
                agent.start()
                burst(agent, home / "in", range(files), files)
                assert agent.folder("pictures")["delivered"] == files
                made, _ = nginx.connections()
                assert made <= 12 and nginx.statuses() == {200: files}, nginx.statuses()
                results = list((home / "out").iterdir())
                assert len(results) == files
                assert all(p.read_bytes()[8:12] == b"WEBP" for p in results)
        finally:
            serve.terminate()
            assert serve.wait(10) == 0


def test_a_certificate_of_another_authority_is_refused_and_told():
    with Scratch() as home, ApiServer() as api:
        authority, other = Authority(home / "ca"), Authority(home / "other")
        with Nginx(home / "nginx", authority, f"127.0.0.1:{api.port}") as nginx, \
                agent_behind(home, nginx, other) as agent:
            agent.start()
            drop(home / "in", "a.png", png(8, 8, 1))

            def unreachable():
                row = agent.command("status")["converters"][0]
                return row["state"] == "unreachable" and row
            row = eventually(unreachable, 60, "the open circuit")
            assert "not trusted by" in row["reason"] and str(other.ca) in row["reason"], row
            assert api.bill()["posts"] == 0
            # The right authority: a change of the settings is taken up, and the file comes out.
            agent.write_config(
                folder_toml("pictures", home / "in", home / "out"),
                converter_toml(nginx.url, ca_file=str(authority.ca), concurrency=10),
                agent="workers = 10")
            eventually(lambda: agent.all_done("pictures", 1), 120, "the conversion")
            assert agent.folder("pictures")["delivered"] == 1


main(globals())
