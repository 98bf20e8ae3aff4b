"""The resources of the API, one after another; no worker runs, so jobs stay in the line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_site import Api, an_api
from library_facts import a_file

from kick_clip_generator.library.thumbnails import write_thumbnail
from kick_clip_generator.library.transcripts import Line

NOWHERE = 999_999


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    url = request.getfixturevalue("postgres_server").new_database() if request.param == "postgresql" else ""
    with an_api(tmp_path_factory.mktemp("api"), database_url=url) as api:
        yield api


def ok(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def refused(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status and document["title"] and document["type"] == "about:blank"
    return str(document["detail"])


@pytest.fixture
def project(api: Api) -> int:
    """A project with two clips."""
    number = api.project()
    clips = api.add_clips(2)
    api.library.attach_source(number, api.library.clip(clips[0]).source_id)
    return number


def test_every_resource_says_when_there_is_none(api: Api) -> None:
    for method, path, body in (
        ("GET", "projects/{}", None),
        ("DELETE", "projects/{}", None),
        ("GET", "projects/{}/clips", None),
        ("GET", "projects/{}/jobs", None),
        ("GET", "projects/{}/video", None),
        ("GET", "projects/{}/transcript", None),
        ("GET", "projects/{}/timeline", None),
        ("GET", "projects/{}/compound-clips", None),
        ("POST", "projects/{}/analyze", {}),
        ("POST", "projects/{}/output-folder", {"folder": None}),
        ("POST", "projects/{}/clips", {"start": 1, "end": 2}),
        ("POST", "projects/{}/exports/batch", {}),
        ("GET", "clips/{}", None),
        ("PATCH", "clips/{}", {"name": "x"}),
        ("DELETE", "clips/{}", None),
        ("POST", "clips/{}/rating", {"stars": 3}),
        ("POST", "clips/{}/keep", None),
        ("POST", "clips/{}/drop", None),
        ("GET", "clips/{}/video", None),
        ("GET", "compound-clips/{}", None),
        ("DELETE", "compound-clips/{}", None),
        ("GET", "jobs/{}", None),
        ("POST", "jobs/{}/cancel", None),
        ("POST", "jobs/{}/retry", None),
        ("DELETE", "jobs/{}", None),
        ("POST", "models/{}/activate", None),
        ("DELETE", "tokens/{}", None),
        ("DELETE", "webhooks/{}", None),
    ):
        answer = api.client.request(method, f"/api/{path.format(NOWHERE)}", json=body)
        assert str(NOWHERE) in refused(answer, 404), path


@pytest.mark.parametrize("wrong", ["..%2f..%2fetc%2fpasswd", "%2e%2e", "0", "-1", "1.5", "x", "9" * 30, "1%00"])
def test_a_number_is_a_number(api: Api, wrong: str) -> None:
    for path in ("projects/{}/video", "clips/{}/video", "clips/{}/thumbnail", "jobs/{}", "compound-clips/{}/video"):
        assert api.client.get(f"/api/{path.format(wrong)}").status_code in (404, 422)


def test_what_is_not_there_and_what_is_not_done(api: Api) -> None:
    refused(api.client.get("/api/nothing"), 404)
    answer = api.client.put("/api/clips")
    assert "GET" in refused(answer, 405) and answer.headers["allow"] == "GET"
    assert api.client.get("/api/projects/url").headers["allow"] == "POST"
    assert api.client.put("/api/projects/url").headers["allow"] == "POST"


def test_one_link_is_one_project(api: Api) -> None:
    first = ok(api.client.post("/api/projects/youtube", json={"url": "https://youtu.be/dQw4w9WgXcQ"}), 201)
    again = ok(
        api.client.post("/api/projects/url", json={"url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=5"}), 201
    )
    assert first["id"] == again["id"] and first["url"] == "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
    assert first["duration"] is None and not first["has_video"]


def test_what_signs_a_link_is_not_shown_but_kept(api: Api) -> None:
    signed = "https://cdn.example.com/play.mp4?id=7&token=verysecret&expires=9"
    made = ok(api.client.post("/api/projects/url", json={"url": signed, "title": "Mine"}), 201)
    assert made["url"] == "https://cdn.example.com/play.mp4?id=7" and made["title"] == "Mine"
    assert "verysecret" not in api.client.get(f"/api/projects/{made['id']}").text
    other = ok(api.client.post("/api/projects/url", json={"url": signed.replace("id=7", "id=8")}), 201)
    assert other["id"] != made["id"]
    from kick_clip_generator.service.projects import link_of

    assert link_of(api.library, api.library.project(made["id"])) == signed


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/a", "file:///etc/passwd", "https://", "concat:a|b", "https://www.youtube.com/feed", "\u0000"],
)
def test_no_project_of_what_is_no_link(api: Api, url: str) -> None:
    refused(api.client.post("/api/projects/url", json={"url": url}), 422)


def test_files_of_this_computer_are_for_those_who_sit_at_it(api: Api) -> None:
    path = str(api.settings.database_path.parent / "tiny.mp4")
    made = ok(api.client.post("/api/projects/local", json={"path": path}), 201)
    assert made["url"] == "tiny.mp4" and made["duration"] == pytest.approx(1.0, abs=0.2)
    for where in ("local", "url"):
        name = "path" if where == "local" else "url"
        assert "web address" in refused(api.visitor().post(f"/api/projects/{where}", json={name: path}), 422)
    whole = api.client.get(f"/api/projects/{made['id']}/video")
    assert whole.content == api.media and whole.headers["content-type"] == "video/mp4"
    part = api.client.get(f"/api/projects/{made['id']}/video", headers={"Range": "bytes=2-5"})
    assert part.status_code == 206 and part.content == api.media[2:6]
    refused(api.client.post("/api/projects/local", json={"path": path + ".nope"}), 422)


def test_projects_are_listed_page_by_page(api: Api) -> None:
    ids = [
        ok(api.client.post("/api/projects/url", json={"url": f"https://example.com/p{n}.mp4", "title": "paged"}), 201)[
            "id"
        ]
        for n in range(3)
    ]
    first = ok(api.client.get("/api/projects?text=paged&limit=2"))
    second = ok(api.client.get("/api/projects", params={"text": "paged", "limit": 2, "after": first["after"]}))
    assert [one["id"] for one in first["projects"] + second["projects"]] == ids[::-1] and second["after"] is None
    refused(api.client.get("/api/projects?after=nonsense"), 422)


def test_a_project_on_one_line(api: Api, project: int) -> None:
    line = ok(api.client.get(f"/api/projects/{project}/timeline"))
    starts = [clip["start"] for clip in line["clips"]]
    assert len(starts) >= 2 and starts == sorted(starts)
    clips = ok(api.client.get(f"/api/projects/{project}/clips?limit=1"))
    assert len(clips["clips"]) == 1 and clips["after"]


def test_a_transcript_by_time(api: Api, project: int) -> None:
    source_id = api.library.project(project).source_id
    assert source_id is not None
    assert ok(api.client.get(f"/api/projects/{project}/transcript")) == {"lines": []}
    api.library.replace_transcript(source_id, 0, 60, [Line(1.0, 2.0, "hello there"), Line(5.0, 6.0, "again")])
    lines = ok(api.client.get(f"/api/projects/{project}/transcript?start=4"))["lines"]
    assert [line["text"] for line in lines] == ["again"]
    found = ok(api.client.get("/api/transcripts", params={"text": "HELLO the"}))["found"]
    assert [one["line"]["text"] for one in found] == ["hello there"] and found[0]["source_id"] == source_id
    for odd in ('"', "a OR", "*", "NEAR(", "(", "\u0000", "-x"):
        ok(api.client.get("/api/transcripts", params={"text": odd}))


def test_work_is_put_in_the_line(api: Api, project: int) -> None:
    job = ok(api.client.post(f"/api/projects/{project}/analyze", json={"segmentation_mode": "v1"}), 202)
    assert (job["kind"], job["state"], job["status"], job["project_id"]) == ("analyze", "queued", "Queued", project)
    # Once is enough.
    assert ok(api.client.post(f"/api/projects/{project}/analyze"), 202)["id"] == job["id"]
    assert api.library.job(job["id"]).payload["options"]["mode"] == "v1"
    listed = ok(api.client.get(f"/api/projects/{project}/jobs"))["jobs"]
    assert job["id"] in [one["id"] for one in listed]
    assert ok(api.client.post(f"/api/jobs/{job['id']}/cancel"))["status"] == "Cancelled"
    assert ok(api.client.post(f"/api/jobs/{job['id']}/retry"))["state"] == "queued"
    assert refused(api.client.post(f"/api/jobs/{job['id']}/retry"), 409)
    shown = ok(api.client.get(f"/api/jobs/{job['id']}"))
    assert "payload" not in shown and shown["error_detail"] is None
    assert api.client.delete(f"/api/jobs/{job['id']}").status_code == 204
    refused(api.client.get(f"/api/jobs/{job['id']}"), 404)


@pytest.mark.parametrize(
    "body",
    [
        {"segmentation_mode": "v3"},
        {"smell": 1},
        {"clip_duration": 0},
        {"clip_duration": True},
        {"start_minute": 5, "end_minute": 4},
        {"settings": {"output_dir": "/etc"}},
        {"settings": {"server_password": "x"}},
        {"settings": {"min_clip_seconds": -1}},
        {"settings": {"quality": "fine"}},
        [],
    ],
)
def test_an_analysis_that_cannot_be(api: Api, project: int, body: Any) -> None:
    refused(api.client.post(f"/api/projects/{project}/analyze", json=body), 422)


def test_a_clip_by_hand(api: Api, project: int) -> None:
    job = ok(api.client.post(f"/api/projects/{project}/clips", json={"start": 3.5, "end": 9}), 202)
    assert api.library.job(job["id"]).payload["moments"] == [{"start_s": 3.5, "end_s": 9.0}]
    refused(api.client.post(f"/api/projects/{project}/clips", json={"start": 9, "end": 9}), 422)
    refused(api.client.post(f"/api/projects/{project}/clips", json={"start": 1, "end": 2, "captions": True}), 409)


def test_exports_of_a_project(api: Api, project: int) -> None:
    clip = ok(api.client.get(f"/api/projects/{project}/clips"))["clips"][0]["id"]
    (stranger,) = api.add_clips(1, title="Another stream")
    job = ok(api.client.post(f"/api/projects/{project}/exports", json={"clip_ids": [clip], "into": "best"}), 202)
    assert api.library.job(job["id"]).payload["into"] == str(api.settings.export_dir / "best")
    refused(api.client.post(f"/api/projects/{project}/exports", json={"clip_ids": [stranger]}), 422)
    refused(api.client.post(f"/api/projects/{project}/exports", json={"clip_ids": []}), 422)
    batch = ok(api.client.post(f"/api/projects/{project}/exports/batch", json={"min_stars": 4, "to": "zip"}), 202)
    assert batch["kind"] == "export_batch"


@pytest.mark.parametrize("into", ["../up", "a/../../b", "/etc", "x" * 300, "a\u0000b"])
def test_nothing_is_written_where_a_stranger_says(api: Api, project: int, into: str) -> None:
    visitor = api.visitor()
    refused(visitor.post(f"/api/projects/{project}/exports/batch", json={"into": into}), 422)
    refused(visitor.post(f"/api/projects/{project}/output-folder", json={"folder": into}), 422)


def test_a_folder_for_a_project(api: Api, project: int, tmp_path: Path) -> None:
    ok(api.client.post(f"/api/projects/{project}/output-folder", json={"folder": str(tmp_path / "mine")}))
    assert api.library.project(project).folder == tmp_path / "mine"
    (tmp_path / "file").write_text("")
    refused(api.client.post(f"/api/projects/{project}/output-folder", json={"folder": str(tmp_path / "file")}), 409)
    ok(api.visitor().post(f"/api/projects/{project}/output-folder", json={"folder": "below"}))
    assert api.library.project(project).folder == api.settings.clips_dir.resolve() / "below"
    ok(api.client.post(f"/api/projects/{project}/output-folder", json={"folder": None}))
    assert api.library.project(project).folder is None


def test_stars_and_labels(api: Api, project: int) -> None:
    (clip,) = api.add_clips(1)
    rated = ok(api.client.post(f"/api/clips/{clip}/rating", json={"stars": 4}))
    assert rated["clip"]["stars"] == 4 and rated["message"] and rated["ratings"] >= 1
    assert ok(api.client.post(f"/api/clips/{clip}/rating", json={"stars": None}))["clip"]["skipped"]
    for wrong in ({"stars": 0}, {"stars": 6}, {"stars": True}, {"stars": 2.5}, {"stars": "3"}, {}):
        refused(api.client.post(f"/api/clips/{clip}/rating", json=wrong), 422)
    assert ok(api.client.post(f"/api/clips/{clip}/keep"))["clip"]["kept"]
    assert api.library.clip(clip).path.parent.name == "keep"
    assert ok(api.client.post(f"/api/clips/{clip}/drop"))["clip"]["dropped"]
    back = ok(api.client.delete(f"/api/clips/{clip}/label"))["clip"]
    assert not back["kept"] and not back["dropped"]


def test_a_clip_gets_another_name(api: Api) -> None:
    one, other = api.add_clips(2)
    renamed = ok(api.client.patch(f"/api/clips/{one}", json={"name": "The ../best: moment"}))
    assert renamed["job"] is None and renamed["clip"]["name"].endswith(".mp4") and "/" not in renamed["clip"]["name"]
    path = api.library.clip(one).path
    assert path.is_file() and path.parent == api.folder
    assert api.client.get(f"/api/clips/{one}/video").content == api.media
    refused(api.client.patch(f"/api/clips/{other}", json={"name": renamed["clip"]["name"]}), 409)
    refused(api.client.patch(f"/api/clips/{other}", json={"name": "   "}), 422)
    refused(api.client.patch(f"/api/clips/{other}", json={}), 422)


def test_other_ends_are_a_job(api: Api) -> None:
    (clip,) = api.add_clips(1)
    changed = ok(api.client.patch(f"/api/clips/{clip}", json={"end": 31.5, "cut": "exact"}), 202)
    assert changed["job"]["kind"] == "clips"
    payload = api.library.job(changed["job"]["id"]).payload
    assert payload["move"] == {"clip_id": clip, "start_s": None, "end_s": 31.5} and payload["cut"] == "exact"


def test_a_clip_that_is_deleted_is_gone(api: Api) -> None:
    one, changed = api.add_clips(2)
    path = api.library.clip(one).path
    assert api.client.delete(f"/api/clips/{one}").status_code == 204
    assert not path.exists()
    refused(api.client.get(f"/api/clips/{one}"), 404)
    theirs = api.library.clip(changed).path
    theirs.write_bytes(b"somebody's own")
    assert api.client.delete(f"/api/clips/{changed}").status_code == 204
    assert theirs.read_bytes() == b"somebody's own"


def test_thumbnails(api: Api, project: int) -> None:
    clip = ok(api.client.get(f"/api/projects/{project}/clips"))["clips"][0]["id"]
    refused(api.client.get(f"/api/clips/{clip}/thumbnail"), 404)
    write_thumbnail(api.library.clip(clip).path, b"\xff\xd8\xff jpeg")
    for path in (f"/api/clips/{clip}/thumbnail", f"/api/projects/{project}/thumbnails/{clip}"):
        answer = api.client.get(path)
        assert answer.headers["content-type"] == "image/jpeg" and answer.content.startswith(b"\xff\xd8")
        assert api.client.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    (stranger,) = api.add_clips(1, title="Another stream")
    refused(api.client.get(f"/api/projects/{project}/thumbnails/{stranger}"), 404)


def test_compound_clips(api: Api, project: int, tmp_path: Path) -> None:
    clips = [clip["id"] for clip in ok(api.client.get(f"/api/projects/{project}/clips"))["clips"]][:2]
    parts = [{"clip_id": clips[0]}, {"clip_id": clips[1], "start": 0.1, "end": 0.6}]
    job = ok(api.client.post(f"/api/projects/{project}/compound-clips", json={"parts": parts, "crossfade": 0.2}), 202)
    assert job["kind"] == "compound" and api.library.job(job["id"]).payload["parts"][1]["end_s"] == 0.6
    refused(api.client.post(f"/api/projects/{project}/compound-clips", json={"parts": []}), 422)
    refused(api.client.post(f"/api/projects/{project}/compound-clips", json={"parts": [{"clip_id": NOWHERE}]}), 404)
    file = a_file(tmp_path / "several.mp4", api.media)
    body = {"parts": [{"clip_id": clips[0], "start_s": 0.0, "end_s": None, "at_s": 0.0}]}
    number = api.library.record_compound(project, "several", file, 1.0, body)
    assert ok(api.client.get(f"/api/projects/{project}/compound-clips"))["compounds"][0]["id"] == number
    assert ok(api.client.get(f"/api/compound-clips/{number}"))["parts"][0]["end"] is None
    assert api.client.get(f"/api/compound-clips/{number}/video").content == api.media
    assert "several.mp4" in api.client.get(f"/api/compound-clips/{number}/download").headers["content-disposition"]
    assert api.client.delete(f"/api/compound-clips/{number}").status_code == 204
    assert not file.path.exists()


def test_deleting_a_project_takes_its_clips_with_it(api: Api) -> None:
    (clip,) = api.add_clips(1, title="Doomed")
    number = api.project(url="https://example.com/doomed.m3u8")
    api.library.attach_source(number, api.library.clip(clip).source_id)
    path = api.library.clip(clip).path
    assert api.client.delete(f"/api/projects/{number}").status_code == 204
    assert not path.exists()
    refused(api.client.get(f"/api/clips/{clip}"), 404)
    refused(api.client.get(f"/api/projects/{number}"), 404)


def test_models_and_training(api: Api) -> None:
    assert ok(api.client.get("/api/models")) == {"models": []}
    assert ok(api.client.post("/api/models/0/activate")) == {"models": []}
    job = ok(api.client.post("/api/retrain"), 202)
    assert job["kind"] == "retrain" and ok(api.client.post("/api/retrain"), 202)["id"] == job["id"]


def test_filters_of_the_list(api: Api, project: int) -> None:
    (clip,) = api.add_clips(1)
    ok(api.client.post(f"/api/clips/{clip}/rating", json={"stars": 2}))
    for query, there in (
        ({"max_stars": 2}, True),
        ({"min_stars": 3}, False),
        ({"unrated": True}, False),
        ({"project_id": project}, True),
        ({"project_id": NOWHERE}, False),
        ({"source_id": api.library.clip(clip).source_id}, True),
        ({"channel": "nobody's"}, False),
        ({"made_after": 4e9}, False),
        ({"made_before": 4e9}, True),
        ({"kept": True}, False),
    ):
        found = ok(api.client.get("/api/clips", params={**query, "limit": 500}))["clips"]
        assert (clip in [one["id"] for one in found]) is there, query


def test_counts(api: Api, project: int) -> None:
    stats = ok(api.client.get("/api/stats"))
    assert stats["clips"] >= 2 and stats["projects"] >= 1 and set(stats["stars"]) == set("12345")
    text = api.client.get("/api/metrics").text
    assert f"clips_clips {stats['clips']}" in text
    assert 'http_requests_total{method="GET",route="/api/stats",status="200"}' in text
    for line in text.splitlines():
        assert line.startswith("# ") or line.rpartition(" ")[2].replace(".", "").replace("e-", "").isdigit(), line


def test_events_tell_of_jobs(api: Api, project: int) -> None:
    before = api.library.now()
    job = ok(api.client.post(f"/api/projects/{project}/download"), 202)
    events = api.client.get(f"/api/events?once=true&since={before}")
    assert events.headers["content-type"].startswith("text/event-stream")
    assert f'"id": {job["id"]}' in events.text and "event: job" in events.text and "payload" not in events.text
    others = api.client.get(f"/api/events?once=true&since={before}&project_id={NOWHERE}").text
    assert "event: job" not in others
    after = api.client.get("/api/events?once=true", headers={"Last-Event-ID": str(before + 1e6)}).text
    assert "event: job" not in after
    refused(api.client.get("/api/events?since=nan"), 422)


def test_the_description_knows_every_route(api: Api) -> None:
    description = ok(api.client.get("/api/openapi.json"))
    for path in (
        "/api/projects/{project_id}/thumbnails/{clip_id}",
        "/api/projects/upload",
        "/api/clips/{clip_id}/rating",
        "/api/compound-clips/{compound_id}",
        "/api/events",
        "/api/metrics",
    ):
        assert path in description["paths"]
    assert "Problem" in description["components"]["schemas"]
    assert "HTTPValidationError" not in description["components"]["schemas"]
