"""What the library keeps of those who come in, of requests, and for itself; once on each database."""

from __future__ import annotations

import threading
import time

import pytest
from library_facts import a_clip, a_source

from kick_clip_generator.core.errors import ConflictError, NotFoundError
from kick_clip_generator.library.library import Library


def test_a_value_is_kept_replaced_and_forgotten(library: Library) -> None:
    assert library.kept_value("x") is None
    library.keep_value("x", {"a": [1, None]})
    library.keep_value("x", {"b": 2.5})
    assert library.kept_value("x") == {"b": 2.5}
    library.forget_value("x")
    library.forget_value("x")
    assert library.kept_value("x") is None


def test_of_many_that_keep_at_once_all_get_the_first(library: Library) -> None:
    got: list[object] = []
    threads = [threading.Thread(target=lambda n=n: got.append(library.keep_first("key", {"n": n}))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8 and all(value == got[0] for value in got) and library.kept_value("key") == got[0]


def test_tokens(library: Library) -> None:
    number = library.add_token("a script", "hash")
    with pytest.raises(ConflictError):
        library.add_token("another", "hash")
    found = library.token_by_hash("hash")
    assert found is not None and (found.id, found.name, found.last_used_at) == (number, "a script", None)
    (listed,) = library.tokens()
    assert listed.last_used_at is not None and abs(listed.last_used_at - library.now()) < 60
    library.remove_token(number)
    assert library.token_by_hash("hash") is None
    with pytest.raises(NotFoundError):
        library.remove_token(number)


def test_sessions_end(library: Library) -> None:
    library.add_session("long", 60.0)
    library.add_session("short", 0.05)
    assert library.session_is_valid("long") and not library.session_is_valid("other")
    time.sleep(0.1)
    assert not library.session_is_valid("short")
    library.remove_session("long")
    assert not library.session_is_valid("long")
    library.add_session("one", 60.0)
    library.remove_all_sessions()
    assert not library.session_is_valid("one")


def test_a_request_is_answered_once(library: Library) -> None:
    assert library.begin_request("key", "print").state == "new"
    assert library.begin_request("key", "print").state == "in_progress"
    assert library.begin_request("key", "other").state == "different"
    library.end_request("key", 201, {"id": 1})
    again = library.begin_request("key", "print")
    assert (again.state, again.status, again.body) == ("answered", 201, {"id": 1})
    library.forget_request("key")
    assert library.begin_request("key", "other").state == "new"
    library.end_request("key", 204, None)
    assert library.begin_request("key", "other").body is None


def test_of_many_that_begin_at_once_one_is_new(library: Library) -> None:
    states: list[str] = []
    threads = [
        threading.Thread(target=lambda: states.append(library.begin_request("key", "print").state)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states) == ["in_progress"] * 7 + ["new"]


def test_webhooks(library: Library) -> None:
    one = library.add_webhook("https://example.com/a", "first")
    again = library.add_webhook("https://example.com/a", "second")
    other = library.add_webhook("https://example.com/b", "third")
    assert one.id == again.id and [hook.secret for hook in library.webhooks()] == ["second", "third"]
    library.remove_webhook(other.id)
    with pytest.raises(NotFoundError):
        library.remove_webhook(other.id)


def test_totals(library: Library, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("clips")
    assert (library.totals().clips, library.totals().clip_bytes, dict(library.totals().jobs)) == (0, 0, {})
    source = library.record_source(a_source())
    clips = [library.record_clip(a_clip(source, folder / f"{n}.mp4")) for n in range(3)]
    library.update_clip(clips[0], kept=True)
    library.add_project("https://example.com/vod.m3u8")
    library.enqueue("retrain", {})
    parent = library.enqueue("analyze", {})
    library.enqueue("measure_batch", {}, parent_id=parent.id)
    totals = library.totals()
    assert (totals.projects, totals.sources, totals.clips, totals.kept, totals.dropped) == (1, 1, 3, 1, 0)
    assert totals.clip_bytes == 3 * len(b"moving pictures")
    assert dict(totals.jobs) == {("retrain", "queued"): 1, ("analyze", "queued"): 1}
    library.rate(clips[1], 3, None)
    library.forget_clip(clips[1])
    assert library.totals().clips == 2


def test_the_clock_is_the_databases(library: Library) -> None:
    first = library.now()
    assert abs(first - time.time()) < 60 and library.now() >= first
