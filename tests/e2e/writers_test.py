"""Writers of every kind, as another user: no upload is ever torn. Needs root to change users."""

from harness import Scratch, count, eventually, main
from writer_desk import DAEMON, NOBODY, Desk, check, torn
from writers import KINDS, close_and_reopen, held_open, plan_of, slowly, write_all

MARKED = ["png", "pdf", "jpg", "tif"]  # types with an end mark


def test_no_writer_of_another_user_has_a_torn_upload_A1_A2_A4_A5_A6_A7_A8_A9():
    with Scratch() as home, Desk(home, scans={}) as desk:
        inbox = desk.folders["scans"][0]
        truth = write_all(inbox, plan_of(count(500), KINDS, MARKED), NOBODY)
        desk.wait_until_converted("scans", truth)
        check(desk, truth)
        assert not list(inbox.glob("delete-*"))


def test_nor_where_the_lease_is_refused_to_an_unprivileged_agent_A1_A2():
    with Scratch() as home, Desk(home, DAEMON, scans={}) as desk:
        inbox = desk.folders["scans"][0]
        truth = write_all(inbox, plan_of(count(500), KINDS, MARKED), NOBODY)
        desk.wait_until_converted("scans", truth)
        check(desk, truth)


def test_types_without_an_end_mark_need_the_settle_time_of_the_scanner_A2():
    """The preset of the README for scanners that append page by page."""
    with Scratch() as home, Desk(home, DAEMON, scans={"settle": "12s"}) as desk:
        inbox = desk.folders["scans"][0]
        truth = write_all(inbox, plan_of(count(100), KINDS, ["dat"]), NOBODY)
        desk.wait_until_converted("scans", truth)
        check(desk, truth)


def test_the_oracle_sees_torn_uploads_where_nothing_waits():
    """Without settling and without a lease the same writers do harm."""
    with Scratch() as home, Desk(home, DAEMON, scans={"settle": "1ms"}) as desk:
        inbox = desk.folders["scans"][0]
        truth = write_all(inbox, plan_of(16, [slowly, close_and_reopen], ["dat"]), NOBODY)
        eventually(lambda: torn(desk, truth), 60, "a torn upload, without which this says nothing")


def test_a_file_that_its_writer_holds_open_waits_by_the_lease_A1_A4():
    """Its pauses are longer than the quiet time, and nothing else tells that it is not whole."""
    plan = plan_of(8, [held_open], ["dat"])
    with Scratch() as home, Desk(home, scans={}) as desk:
        truth = write_all(desk.folders["scans"][0], plan, NOBODY)
        desk.wait_until_converted("scans", truth)
        check(desk, truth)
    with Scratch() as home, Desk(home, DAEMON, scans={}) as desk:
        truth = write_all(desk.folders["scans"][0], plan, NOBODY)
        eventually(lambda: torn(desk, truth), 60, "a torn upload where the lease is refused")


main(globals())
