"""The line of jobs, on SQLite and PostgreSQL: order, keys, claims, caps, cancels, retries, parts."""

from __future__ import annotations

import threading
import time

import pytest

from kick_clip_generator.core.errors import ConflictError, InputError, NotFoundError
from kick_clip_generator.library import job_queue
from kick_clip_generator.library.job_rows import JobLost
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import MEASURE, JobQuery, JobTicket

# Cannot be judged from here, so only the lease tells.
OWNER, OTHER = "otherhost:4711:00000000-1", "thirdhost:4712:00000000-2"
KINDS = ("analyze", "export", "verify", "measure_batch")


def claimed(library: Library, owner: str = OWNER, lease_s: float = 60.0, **caps: int) -> JobTicket:
    ticket = library.claim(owner, KINDS, lease_s, caps=caps)
    assert ticket is not None
    return ticket


def nothing_due(library: Library) -> bool:
    return library.claim(OTHER, KINDS) is None


def test_priority_first_then_age(library: Library) -> None:
    first = library.enqueue("verify", {"n": 1})
    second = library.enqueue("export", {"n": 2})
    urgent = library.enqueue("analyze", {"n": 3}, priority=5)
    assert library.claim(OWNER, ("live",)) is None, "only the kinds that were asked for"
    assert [claimed(library).id for _ in range(3)] == [urgent.id, first.id, second.id]
    assert nothing_due(library)
    job = library.job(urgent.id)
    assert (job.status, job.attempts, job.owner, job.payload, job.shown_status) == (
        "running", 1, OWNER, {"n": 3}, "Processing",
    )  # fmt: skip
    assert job.started_at is not None and job.ended_at is None


def test_one_key_is_one_job_until_it_ends(library: Library) -> None:
    job = library.enqueue("export", {"n": 1}, idem_key="k")
    assert library.enqueue("export", {"n": 2}, idem_key="k").payload == {"n": 1}
    ticket = claimed(library)
    assert library.enqueue("export", {"n": 2}, idem_key="k").status == "running"
    library.record_window(ticket, 4, "done", 0, b"x", {})
    library.finish_job(ticket, "done", result={"clips": [1]})
    assert library.job(job.id).result == {"clips": [1]} and library.job(job.id).shown_status == "Processed"
    again = library.enqueue("export", {"n": 3}, idem_key="k")
    assert (again.id, again.status, again.payload, again.attempts, again.result) == (job.id, "queued", {"n": 3}, 0, {})
    assert list(library.windows(job.id)) == [4]
    assert library.has_job("k") and not library.has_job("other")


def test_unknown_kinds_and_projects_are_refused(library: Library) -> None:
    with pytest.raises(InputError, match="transcriibe"):
        library.enqueue("transcriibe", {})
    with pytest.raises(NotFoundError, match="project 7"):
        library.enqueue("analyze", {}, project_id=7)
    with pytest.raises(NotFoundError):
        library.job(99)
    with pytest.raises(NotFoundError):
        library.request_cancel(99)
    with pytest.raises(InputError):
        library.jobs(JobQuery(after="1; drop table job"))


def test_a_delay_and_the_backoff_hold_it_back(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_queue, "BACKOFF_S", 0.3)
    library.enqueue("export", {}, delay_s=0.3)
    assert nothing_due(library) and library.due(KINDS) == 0
    time.sleep(0.35)
    ticket = claimed(library)
    waits = library.reschedule(ticket, "The disk is full.", "Traceback …")
    assert (waits.status, waits.error, waits.error_detail, waits.shown_status) == (
        "queued", "The disk is full.", "Traceback …", "Pending",
    )  # fmt: skip
    assert waits.not_before is not None and nothing_due(library)
    time.sleep(0.35)
    assert library.job(claimed(library).id).attempts == 2


def test_the_last_attempt_fails_and_a_retry_begins_anew(library: Library) -> None:
    job = library.enqueue("export", {}, max_attempts=1)
    failed = library.reschedule(claimed(library), "It broke.")
    assert (failed.status, failed.error, failed.shown_status) == ("failed", "It broke.", "Error")
    assert failed.ended_at is not None
    assert [one.id for one in library.jobs(JobQuery(status="failed")).items] == [job.id]
    again = library.retry(job.id)
    assert (again.status, again.error, again.attempts) == ("queued", None, 0)
    with pytest.raises(ConflictError):
        library.retry(job.id)
    library.finish_job(claimed(library), "done")
    with pytest.raises(ConflictError, match="done"):
        library.retry(job.id)


def test_an_expired_lease_goes_back_and_a_poison_job_fails(library: Library) -> None:
    job = library.enqueue("export", {}, max_attempts=2)
    zombie = claimed(library, lease_s=0.0)
    time.sleep(0.01)
    assert library.recover() == 1 and library.recover() == 0
    heir = claimed(library, OTHER, lease_s=0.0)
    with pytest.raises(JobLost):
        library.record_window(zombie, 0, "done", 0, b"", {})
    with pytest.raises(JobLost):
        library.heartbeat(zombie)
    assert library.should_stop(zombie) and not library.should_stop(heir)
    time.sleep(0.01)
    assert library.recover() == 1
    failed = library.job(job.id)
    assert failed.status == "failed" and failed.error is not None and "died 2 times" in failed.error


def test_a_job_that_gets_on_is_no_poison(library: Library) -> None:
    job = library.enqueue("export", {}, max_attempts=2)
    for n in range(5):
        ticket = claimed(library)
        library.record_window(JobTicket(job.id, ticket.fence, True, "running", OWNER, 0.0), n, "done", 0, b"", {})
        time.sleep(0.01)
        assert library.recover() == 1
        assert library.job(job.id).status == "queued"
    assert sorted(library.windows(job.id)) == list(range(5))


def test_a_worker_that_ends_uses_up_no_attempt(library: Library) -> None:
    job = library.enqueue("export", {})
    library.give_back(claimed(library))
    assert (library.job(job.id).status, library.job(job.id).attempts) == ("queued", 0)
    library.put_off(claimed(library), "Somebody else is at it.", 60)
    assert library.job(job.id).attempts == 0 and nothing_due(library)


def test_a_cap_holds_everywhere(library: Library) -> None:
    for _ in range(3):
        library.enqueue("export", {})
    verify = library.enqueue("verify", {})
    claimed(library)
    assert claimed(library, OTHER, export=1).id == verify.id
    assert library.claim(OTHER, KINDS, caps={"export": 1}) is None
    assert library.claim(OTHER, KINDS, caps={"export": 2}) is not None


def test_what_waits_is_cancelled_at_once_and_what_runs_is_told(library: Library) -> None:
    waiting, running = library.enqueue("export", {}), library.enqueue("analyze", {}, priority=1)
    ticket = claimed(library)
    assert library.request_cancel(waiting.id).status == "cancelled"
    told = library.request_cancel(running.id)
    assert (told.status, told.cancel_requested) == ("running", True)
    assert library.should_stop(ticket) and library.heartbeat(ticket)
    library.finish_job(ticket, "cancelled", "Stopped.")
    assert library.job(running.id).shown_status == "Cancelled"
    assert library.request_cancel(running.id).status == "cancelled", "it has ended; nothing happens"
    assert nothing_due(library)


def split(library: Library) -> tuple[int, list[int]]:
    job = library.enqueue("analyze", {}, max_attempts=1)
    ticket = claimed(library)
    parts = [library.enqueue("measure_batch", {"n": n}, parent_id=job.id, idem_key=f"p{n}").id for n in range(2)]
    library.wait_for_parts(ticket, done=2, total=10)
    assert library.job(job.id).shown_status == "Processing"
    return job.id, parts


def test_parts_wake_their_job_when_the_last_has_ended(library: Library) -> None:
    job, parts = split(library)
    later = library.enqueue("analyze", {})
    assert [one.id for one in library.jobs().items] == [later.id, job], "parts are not listed"
    assert [one.id for one in library.jobs(JobQuery(parent_id=job)).items] == parts[::-1]
    first = claimed(library)
    second = claimed(library)
    assert [first.id, second.id] == parts, "parts have their job's place in the line"
    for n in range(4):
        library.record_window(first, n, "done", 0, b"", {})
    told = library.job(job)
    assert (told.progress, told.detail["done"], told.detail["total"]) == (0.6, 6, 10) and told.detail["eta_s"] >= 0
    library.finish_job(first, "done")
    assert library.job(job).status == "waiting"
    library.finish_job(second, "failed", "Lost.")
    assert library.job(job).status == "queued"
    assert claimed(library).id == job
    library.remove_parts(job)
    assert library.jobs(JobQuery(parent_id=job)).items == ()


def test_a_job_whose_parts_ended_unseen_is_woken(library: Library) -> None:
    job, parts = split(library)
    for part in parts:
        library.delete_job(part)
    assert library.job(job).status == "waiting"
    assert library.recover() == 1
    assert library.job(job).status == "queued"


def test_parts_are_cancelled_and_deleted_with_their_job(library: Library) -> None:
    job, parts = split(library)
    ticket = claimed(library)
    assert library.request_cancel(job).status == "cancelled"
    assert library.should_stop(ticket)
    assert library.job(parts[1]).status == "cancelled"
    library.delete_job(job)
    for gone in (job, *parts):
        with pytest.raises(NotFoundError):
            library.job(gone)
    with pytest.raises(JobLost):
        library.set_step(ticket, "analyze", 0.5)


def test_another_lane(library: Library) -> None:
    job = library.enqueue("analyze", {})
    library.hand_over(claimed(library), "live")
    assert nothing_due(library)
    ticket = library.claim(OWNER, ("live",))
    assert ticket is not None and library.job(job.id).attempts == 1


def test_pages_and_changes(library: Library) -> None:
    project = library.add_project("https://example.com/a.m3u8")
    jobs = [library.enqueue("export", {}, project_id=project.id if n % 2 else None).id for n in range(7)]
    library.open_job(MEASURE, "inline", {})
    first = library.jobs(JobQuery(limit=3))
    second = library.jobs(JobQuery(limit=3, after=first.after))
    third = library.jobs(JobQuery(limit=3, after=second.after))
    assert [job.id for page in (first, second, third) for job in page.items] == jobs[::-1]
    assert third.after is None
    assert [job.id for job in library.jobs(JobQuery(project_id=project.id)).items] == jobs[5::-2]
    seen = library.changes_since(0.0)
    assert [job.id for job in seen] == jobs
    time.sleep(0.01)
    library.request_cancel(jobs[2])
    assert [job.id for job in library.changes_since(seen[-1].updated_at)] == [jobs[2]]


def test_many_claim_and_nobody_gets_what_another_has(library: Library) -> None:
    jobs = {library.enqueue("export", {}).id for _ in range(24)}
    got: list[int] = []

    def work(number: int) -> None:
        while (ticket := library.claim(f"otherhost:{number}:00000000-1", KINDS)) is not None:
            got.append(ticket.id)
            library.finish_job(ticket, "done")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(jobs)
