"""TLS through nginx: few connections, resumed sessions, and trust."""

import os
import subprocess
import time

from harness import (MILLRACE, Agent, ApiServer, Scratch, converter_toml, count, drop, eventually,
                     folder_toml, main, png)
from tls_server import Authority, Nginx

PAUSES = 3
PROTOCOLS = (("TLSv1.3", 0.5), ("TLSv1.2", 0.9))  # and what part of the sessions is resumed at least
TLS_BURSTS = os.environ.get("TLS_BURSTS", "")


def open_connections(port):
    """Connections to the port that are established, as the kernel knows them."""
    wanted = f":{port:04X}"
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(1 for row in rows if row[1].endswith(wanted) and row[3] == "01")


def closed_by_nginx(nginx):
    eventually(lambda: open_connections(nginx.port) == 0, 120, "the closing of idle connections")


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


def check_books(agent, nginx, api, files, lost_at_most):
    """Every file delivered, every request of ours seen, billed and, but for `lost_at_most`, alone"""
    ours = agent.command("status")["connections"]
    made, resumed = nginx.connections()
    lost = ours["requests"] - files
    assert agent.folder("pictures")["delivered"] == files
    assert len(nginx.requests()) == api.bill()["posts"] == files and 0 <= lost <= lost_at_most, ours
    assert 0 <= ours["tls_resumed"] - resumed <= lost, (ours, resumed)
    assert 0 <= ours["opened"] - made <= lost, (ours, made)


def test_a_thousand_files_and_a_late_one_over_twelve_connections():
    files = count(1000)
    for protocol, _ in PROTOCOLS:
        with Scratch() as home, ApiServer() as api:
            authority = Authority(home / "ca")
            with Nginx(home / "nginx", authority, f"127.0.0.1:{api.port}", protocol,
                       idle="75s") as nginx, agent_behind(home, nginx, authority) as agent:
                agent.start()
                burst(agent, home / "in", range(files), files)
                made, _ = nginx.connections()
                print(f"        {protocol}: {made} connections")
                assert 1 <= made <= 12, made
                time.sleep(5)  # a slow folder
                burst(agent, home / "in", [files], files + 1)
                assert nginx.connections()[0] == made
                assert {row[3] for row in nginx.requests()} == {protocol}
                check_books(agent, nginx, api, files + 1, lost_at_most=0)


def test_connections_that_nginx_closed_are_made_again_and_resumed():
    for protocol, share in PROTOCOLS:
        with Scratch() as home, ApiServer() as api:
            authority = Authority(home / "ca")
            with Nginx(home / "nginx", authority, f"127.0.0.1:{api.port}", protocol) as nginx, \
                    agent_behind(home, nginx, authority) as agent:
                agent.start()
                burst(agent, home / "in", range(50), 50)
                first, resumed_at_first = nginx.connections()
                for pause in range(1, PAUSES + 1):
                    closed_by_nginx(nginx)
                    burst(agent, home / "in", range(50 * pause, 50 * (pause + 1)), 50 * (pause + 1))
                made, resumed = nginx.connections()
                later, resumed = made - first, resumed - resumed_at_first
                print(f"        {protocol}: {resumed} of {later} resumed after pauses")
                assert later >= PAUSES and resumed >= share * later, (resumed, later)
                # What goes out at the very moment in which nginx closes goes out once more.
                check_books(agent, nginx, api, 50 * (PAUSES + 1), lost_at_most=PAUSES)


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
            with Nginx(home / "nginx", authority, f"unix:{socket}", idle="75s") as nginx, \
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
