"""Jobs that survive: claims, fences, checkpoints, and workers that are killed."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from library_facts import a_source

import kick_clip_generator
from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.owner import is_dead, process_owner, process_start
from kick_clip_generator.library.records import JobTicket

# Cannot be judged from here, so only the lease tells.
ELSEWHERE = "otherhost:4711:00000000-1"
THIRD = "thirdhost:4712:00000000-2"


def test_a_new_job_is_ours(library: Library) -> None:
    ticket = library.open_job("analyze", "key", {"url": "x", "gap": math.nan}, ELSEWHERE, 60)
    assert (ticket.status, ticket.resumed, ticket.fence) == ("running", False, 1)
    (job,) = library.jobs().items
    assert (job.status, job.owner, job.attempts, job.payload) == ("running", ELSEWHERE, 1, {"url": "x", "gap": None})


def test_a_job_with_a_live_lease_is_refused_by_name(library: Library) -> None:
    library.open_job("analyze", "key", {}, ELSEWHERE, 60)
    with pytest.raises(LibraryError, match="process 4711 on otherhost"):
        library.open_job("analyze", "key", {}, THIRD, 60)
    with pytest.raises(LibraryError, match="in this program"):
        library.open_job("analyze", "key", {}, ELSEWHERE, 60)


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_closed_job_goes_on_with_its_windows(library: Library, status: str) -> None:
    first = library.open_job("analyze", "key", {}, ELSEWHERE, 60)
    library.record_window(first, 0, "done", 0, b"abc", {"bytes": 3})
    library.finish_job(first, status, error="it broke")  # type: ignore[arg-type]
    assert library.jobs().items[0].error == "it broke"
    again = library.open_job("analyze", "key", {}, THIRD, 60)
    assert (again.id, again.resumed, again.fence, again.status) == (first.id, True, 2, "running")
    window = library.windows(again.id)[0]
    assert (window.status, window.first_tick, window.result, window.detail) == ("done", 0, b"abc", {"bytes": 3})
    assert library.jobs().items[0].error is None


def test_a_done_job_is_returned_as_done_unless_reopened(library: Library) -> None:
    ticket = library.open_job("analyze", "key", {}, ELSEWHERE, 60)
    library.finish_job(ticket, "done")
    done = library.open_job("analyze", "key", {}, THIRD, 60)
    assert (done.status, done.resumed) == ("done", True)
    with pytest.raises(LibraryError, match="not held"):
        library.record_window(done, 0, "done", 0, b"", {})
    more = library.open_job("analyze", "key", {}, THIRD, 60, reopen=True)
    library.record_window(more, 1, "done", 60, b"", {})
    with pytest.raises(LibraryError, match="process 4712"):
        library.open_job("analyze", "key", {}, ELSEWHERE, 60, reopen=True)


def test_released_jobs_are_free_at_once(library: Library) -> None:
    ticket = library.open_job("analyze", "key", {}, ELSEWHERE, 60)
    library.release(ticket)
    library.release(ticket)
    assert library.open_job("analyze", "key", {}, THIRD, 60).fence == 2


def test_a_zombie_changes_nothing(library: Library) -> None:
    zombie = library.open_job("analyze", "key", {}, ELSEWHERE, 0.0)
    library.record_window(zombie, 0, "done", 0, b"first", {})  # late, but nobody has taken it over
    heir = _claim_when_expired(library, THIRD)
    library.record_window(heir, 1, "done", 60, b"heir", {})
    with pytest.raises(LibraryError, match="took it over"):
        library.record_window(zombie, 1, "failed", 60, None, {})
    with pytest.raises(LibraryError, match="took it over"):
        library.set_step(zombie, "clips", 0.5)
    with pytest.raises(LibraryError, match="took it over"):
        library.finish_job(zombie, "done")
    library.release(zombie)
    assert {n: row.result for n, row in library.windows(heir.id).items()} == {0: b"first", 1: b"heir"}
    assert (library.jobs().items[0].status, library.jobs().items[0].owner) == ("running", THIRD)


def test_the_same_owner_with_an_older_fence_is_a_zombie_too(library: Library) -> None:
    old = library.open_job("analyze", "key", {}, ELSEWHERE, 60)
    library.release(old)
    library.open_job("analyze", "key", {}, ELSEWHERE, 60)
    with pytest.raises(LibraryError, match="not held"):
        library.record_window(old, 0, "done", 0, b"", {})


def test_every_write_extends_the_lease(library: Library) -> None:
    ticket = library.open_job("analyze", "key", {}, ELSEWHERE, 0.0)
    longer = JobTicket(ticket.id, ticket.fence, False, "running", ELSEWHERE, 60)
    library.set_step(longer, "windows", 0.25)
    with pytest.raises(LibraryError, match="process 4711"):
        library.open_job("analyze", "key", {}, THIRD, 60)
    assert (library.jobs().items[0].step, library.jobs().items[0].progress) == ("windows", 0.25)


def test_a_window_may_be_recorded_again(library: Library) -> None:
    ticket = library.open_job("analyze", "key", {}, ELSEWHERE, 60)
    library.record_window(ticket, 3, "failed", 180, None, {"error": "404"})
    library.record_window(ticket, 3, "done", 180, b"rows", {})
    library.record_window(ticket, 1, "partial", 60, b"half", {"missing_s": math.nan})
    rows = library.windows(ticket.id)
    assert list(rows) == [1, 3]
    assert (rows[3].status, rows[3].result, rows[3].detail) == ("done", b"rows", {})
    assert rows[1].detail == {"missing_s": None}


def test_this_process_lives_and_what_cannot_be_judged_does_too() -> None:
    assert not is_dead(process_owner())
    assert not is_dead(ELSEWHERE)
    assert not is_dead("whatever")


def test_another_process_that_got_our_id_is_not_us() -> None:
    machine = process_start(os.getpid()).split("-")[0]
    assert is_dead(f"anyhost:{os.getpid()}:{machine}-1")


HOLDER = """
import sys, time
from pathlib import Path
from kick_clip_generator.library.library import Library
library = Library.open(sys.argv[1])
ticket = library.open_job("analyze", "key", {}, lease_s=3600)
library.record_window(ticket, 0, "done", 0, b"kept", {})
print("holding", flush=True)
time.sleep(60)
"""


def test_after_kill_9_the_job_is_taken_over_at_once(library: Library, library_place: Path | str) -> None:
    holder = _start(HOLDER, str(library_place))
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"holding\n"
    with pytest.raises(LibraryError, match=f"process {holder.pid} "):
        library.open_job("analyze", "key", {})
    os.kill(holder.pid, signal.SIGKILL)
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # dead, but still listed
    ticket = library.open_job("analyze", "key", {})
    assert (ticket.resumed, ticket.fence) == (True, 2)
    assert library.windows(ticket.id)[0].result == b"kept"
    holder.communicate()


WRITER = """
import sys
from pathlib import Path
from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.library.library import Library
library = Library.open(sys.argv[1])
ticket = library.open_job("analyze", sys.argv[2], {})
for n in range(300):
    library.record_window(ticket, n, "done", n * 60, b"x" * 1000, {"n": n})
library.finish_job(ticket, "done")
"""


@pytest.mark.slow
def test_many_writers_are_never_locked_out(library: Library, library_place: Path | str) -> None:
    """Two processes and two threads, 300 writes each, while somebody reads."""
    processes = [_start(WRITER, str(library_place), f"process {number}") for number in range(2)]
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            ticket = library.open_job("analyze", name, {}, f"otherhost:1:{name}", 60)
            for n in range(300):
                library.record_window(ticket, n, "done", n * 60, b"y" * 1000, {"n": n})
            library.finish_job(ticket, "done")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(f"thread {number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        library.jobs()
        time.sleep(0.05)
    for process in processes:
        assert process.wait() == 0
    assert failures == []
    jobs = library.jobs().items
    assert [job.status for job in jobs] == ["done"] * 4
    assert [len(library.windows(job.id)) for job in jobs] == [300] * 4


OPENER = """
import sys
from pathlib import Path
from kick_clip_generator.library.library import Library
Library.open(Path(sys.argv[1])).close()
"""


def test_two_processes_make_one_database(tmp_path: Path) -> None:
    path = tmp_path / "together.db"
    processes = [_start(OPENER, str(path)) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    with Library.open(path) as opened:
        assert opened.record_source(a_source()) == 1


def _claim_when_expired(library: Library, owner: str) -> JobTicket:
    """The lease was 0 s; the database's clock has milliseconds."""
    for _ in range(100):
        try:
            return library.open_job("analyze", "key", {}, owner, 60)
        except LibraryError:
            time.sleep(0.01)
    raise AssertionError("the lease never ran out")


def _start(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    root = Path(kick_clip_generator.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, env=environment)
