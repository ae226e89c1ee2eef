"""The main job on the real binary: dropped, converted, remembered, asked about."""

from harness import (Agent, ApiServer, Scratch, converter_toml, count, drop, eventually,
                     folder_toml, main, png)


def agent_with(home, server, **keys):
    inbox, outbox = home / "in", home / "out"
    inbox.mkdir()
    outbox.mkdir()
    return Agent(home / "a", folder_toml("pictures", inbox, outbox, **keys),
                 converter_toml(server.url)), inbox, outbox


def test_what_is_dropped_is_converted_and_never_sent_again():
    files = count(300)
    with Scratch() as home, ApiServer() as server:
        agent, inbox, outbox = agent_with(home, server)
        with agent:
            agent.start()
            for i in range(files):
                drop(inbox, f"{i}.png", png(8, 8, i))
            eventually(lambda: agent.all_done("pictures", files), 120, "every file")
            assert len(list(outbox.iterdir())) == files
            assert agent.stop()[0] == 0
            posts = server.bill()["posts"]
            assert posts == files, posts
            agent.start()
            eventually(lambda: agent.folder("pictures")["health"]["scans"] >= 1, 30, "the scan")
            agent.command("rescan")
            eventually(lambda: agent.folder("pictures")["health"]["scans"] >= 2, 30, "the rescan")
            assert server.bill()["posts"] == posts
            said = agent.command("explain", str(inbox / "0.png"))["says"]
            assert any("delivered as 0.webp" in line for line in said), said


def test_a_second_instance_is_refused_with_status_3():
    with Scratch() as home, ApiServer() as server:
        agent, _, _ = agent_with(home, server)
        with agent:
            agent.start()
            again = agent.run_once()
            assert again.returncode == 3, (again.returncode, again.stderr)
            assert "another instance runs" in again.stderr, again.stderr


def test_one_source_with_two_targets_and_archive():
    with Scratch() as home, ApiServer() as server:
        inbox, outbox = home / "in", home / "out"
        inbox.mkdir()
        outbox.mkdir()
        folders = folder_toml("pictures", inbox, outbox, after="archive").replace(
            'to = ["webp"]', 'to = ["webp", "jpg"]')
        with Agent(home / "a", folders, converter_toml(server.url)) as agent:
            agent.start()
            drop(inbox, "scan.png", png(8, 8, 7))
            eventually(lambda: (home / "archive" / "scan.png").exists(), 30, "the archived source")
            assert sorted(p.name for p in outbox.iterdir()) == ["scan.jpg", "scan.webp"]
            assert not list(inbox.iterdir())


def test_two_sources_that_want_one_name_get_two():
    with Scratch() as home, ApiServer() as server:
        agent, inbox, outbox = agent_with(home, server)
        with agent:
            agent.start()
            drop(inbox, "a.png", png(8, 8, 1))
            drop(inbox, "a.jpg", b"\xff\xd8\xff\xda\0\2 a picture \xff\xd9")
            eventually(lambda: agent.all_done("pictures", 2), 30, "both")
            names = sorted(p.name for p in outbox.iterdir())
            assert names[0] in ("a.jpg.webp", "a.png.webp") and names[1] == "a.webp", names


main(globals())
