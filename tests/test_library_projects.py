"""Projects, compounds, transcripts and presets, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_facts import a_clip, a_file, a_highlight, a_source

from kick_clip_generator.core.errors import InputError, NotFoundError
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.pages import make_marker
from kick_clip_generator.library.projects import ProjectQuery
from kick_clip_generator.library.records import ClipQuery
from kick_clip_generator.library.transcripts import Line

URL = "https://example.com/vod"
ODD_QUERIES = ["AND", "NEAR(", '"', "a* OR b", "-x", "'", "a:*", "& !", "col:x", "\0", "^a", "\\", "İ", "ﬁ"]


def test_one_project_for_a_link(library: Library) -> None:
    first = library.add_project(URL)
    assert (first.url, first.title, first.source_id, first.clips, first.jobs) == (URL, "", None, 0, 0)
    assert library.add_project(URL, "A title").id == first.id
    assert library.add_project(URL).title == "A title"
    assert library.add_project(URL + "2").id != first.id


def test_a_project_tells_its_source_clips_and_newest_job(library: Library, tmp_path: Path) -> None:
    project = library.add_project(URL)
    source_id = library.record_source(replace(a_source(URL, "From the page"), channel="somebody"))
    library.attach_source(project.id, source_id)
    library.record_clip(a_clip(source_id, tmp_path / "1.mp4"))
    forgotten = library.record_clip(a_clip(source_id, tmp_path / "2.mp4"))
    library.rate(forgotten, 3, None)
    library.forget_clip(forgotten)
    library.enqueue("analyze", {}, project_id=project.id)
    newest = library.enqueue("clips", {}, project_id=project.id)
    library.enqueue("verify", {}, project_id=project.id, parent_id=newest.id)
    found = library.project(project.id)
    assert (found.title, found.channel, found.duration_s, found.clips) == ("From the page", "somebody", 600.0, 1)
    assert (found.jobs, found.job_id, found.job_kind) == (2, newest.id, "clips")
    assert library.projects().items == (found,)
    assert library.project_of_source(source_id) == found
    assert library.project_of_source(source_id + 1) is None


def test_pages_of_projects_lose_and_repeat_nothing(library: Library) -> None:
    ids = [library.add_project(f"{URL}{n}").id for n in range(7)]
    seen: list[int] = []
    after: str | None = None
    while True:
        page = library.projects(ProjectQuery(limit=3, after=after))
        seen += [project.id for project in page.items]
        library.add_project(f"{URL}-new-{len(seen)}")  # at the front of the list, where it disturbs nobody
        after = page.after
        if after is None:
            break
    assert seen == ids[::-1]
    with pytest.raises(InputError, match="first page"):
        library.projects(ProjectQuery(after="bm9uc2Vuc2U"))
    with pytest.raises(InputError, match="limit"):
        library.projects(ProjectQuery(limit=0))


def test_projects_are_found_by_their_words(library: Library) -> None:
    one = library.add_project("https://example.com/1", "Speedrun of a GAME")
    other = library.add_project("https://example.com/2")
    library.attach_source(other.id, library.record_source(a_source("https://example.com/2", "50% off_key Ständchen")))

    def found(text: str) -> list[int]:
        return [project.id for project in library.projects(ProjectQuery(text=text)).items]

    assert found("speedrun game") == [one.id]
    assert found("STÄNDCHEN") == [other.id]
    assert found("example.com") == [other.id, one.id]
    assert found("50%") == found("off_key") == [other.id]
    assert found("speedrun ständchen") == []


def test_folder_and_video(library: Library, tmp_path: Path) -> None:
    project = library.add_project(URL)
    video = a_file(tmp_path / "kept.mp4")
    library.set_project_folder(project.id, tmp_path / "clips")
    library.set_project_video(project.id, video)
    found = library.project(project.id)
    assert (found.folder, found.video) == (tmp_path / "clips", video)
    library.set_project_folder(project.id, None)
    library.set_project_video(project.id, None)
    found = library.project(project.id)
    assert (found.folder, found.video) == (None, None)


def test_unknown_projects(library: Library) -> None:
    known = library.add_project(URL)
    for call in (
        lambda: library.project(99),
        lambda: library.delete_project(99),
        lambda: library.set_project_folder(99, None),
        lambda: library.attach_source(known.id, 99),
        lambda: library.compound(99),
        lambda: library.delete_compound(99),
        lambda: library.delete_preset(99),
    ):
        with pytest.raises(NotFoundError, match="99"):
            call()


def test_deleting_a_project_takes_what_is_its_own(library: Library, tmp_path: Path) -> None:
    project, other = library.add_project(URL), library.add_project(URL + "2")
    source_id = library.record_source(a_source(URL))
    library.attach_source(project.id, source_id)
    library.replace_highlights(source_id, None, [a_highlight(10)])
    library.replace_transcript(source_id, 0, 10, [Line(1.0, 2.0, "hello")])
    plain = library.record_clip(a_clip(source_id, tmp_path / "plain.mp4"))
    rated = library.record_clip(a_clip(source_id, tmp_path / "rated.mp4"))
    library.rate(rated, 5, None)
    compound = a_file(tmp_path / "compound.mp4")
    library.record_compound(project.id, "best of", compound, 60.0, {})
    video = a_file(tmp_path / "kept.mp4")
    library.set_project_video(project.id, video)
    job = library.enqueue("analyze", {}, project_id=project.id)
    files = library.delete_project(project.id)
    assert set(files) == {compound.path, video.path, tmp_path / "plain.mp4", tmp_path / "rated.mp4"}
    assert [left.id for left in library.projects().items] == [other.id]
    assert library.clips(ClipQuery(dropped=None)).items == ()
    assert library.highlights(source_id) == []
    assert library.transcript(source_id) == []
    assert [sample.clip_id for sample in library.training_samples()] == [rated]
    for call in (lambda: library.job(job.id), lambda: library.clip(plain)):
        with pytest.raises(NotFoundError):
            call()


def test_a_source_that_two_projects_share_stays(library: Library, tmp_path: Path) -> None:
    source_id = library.record_source(a_source(URL))
    projects = [library.add_project(url) for url in (URL, URL + "?again")]
    for project in projects:
        library.attach_source(project.id, source_id)
    clip_id = library.record_clip(a_clip(source_id, tmp_path / "1.mp4"))
    assert library.delete_project(projects[0].id) == []
    assert library.clip(clip_id).source_id == source_id
    assert library.delete_project(projects[1].id) == [tmp_path / "1.mp4"]
    with pytest.raises(NotFoundError):
        library.source(source_id)


# Compounds


def test_compounds(library: Library, tmp_path: Path) -> None:
    project = library.add_project(URL)
    file = a_file(tmp_path / "best.mp4")
    first = library.record_compound(project.id, "Best of", file, 61.5, {"parts": [[1.0, 2.0]]})
    found = library.compound(first)
    assert (found.name, found.file, found.duration_s, found.body) == ("Best of", file, 61.5, {"parts": [[1.0, 2.0]]})
    again = library.record_compound(project.id, "Better", file, 30.0, {})
    assert [compound.id for compound in library.compounds(project.id)] == [again]
    assert again != first
    assert library.delete_compound(again) == file.path
    assert library.compounds(project.id) == []
    with pytest.raises(NotFoundError, match="no project 99"):
        library.record_compound(99, "x", file, 1.0, {})


# Presets


def test_presets(library: Library) -> None:
    first = library.save_preset(" Shorts ", {"clip_duration": 30})
    library.save_preset("Archive", {"quality": "best"})
    again = library.save_preset("Shorts", {"clip_duration": 20})
    assert again.id == first.id
    assert [(preset.name, preset.body) for preset in library.presets()] == [
        ("Archive", {"quality": "best"}),
        ("Shorts", {"clip_duration": 20}),
    ]
    library.delete_preset(first.id)
    assert [preset.name for preset in library.presets()] == ["Archive"]
    for name in ("", "  ", "x" * 101):
        with pytest.raises(InputError, match="name of a preset"):
            library.save_preset(name, {})


# Transcripts


@pytest.fixture
def source_id(library: Library) -> int:
    return library.record_source(a_source())


def test_a_transcript_comes_back_in_order(library: Library, source_id: int) -> None:
    lines = [Line(10.0, 14.0, "second", "B", ({"text": "second", "start_s": 10.0},)), Line(0.0, 4.0, "first", "A")]
    library.replace_transcript(source_id, 0, 60, lines)
    assert library.transcript(source_id) == lines[::-1]
    assert [line.text for line in library.transcript(source_id, 3.0, 10.0)] == ["first"]
    assert [line.text for line in library.transcript(source_id, 4.0, 10.5)] == ["second"]


def test_replacing_touches_its_span_alone(library: Library, source_id: int) -> None:
    library.replace_transcript(source_id, 0, 60, [Line(float(t), t + 5.0, f"old {t}") for t in (0, 20, 40)])
    library.replace_transcript(source_id, 20, 40, [Line(25.0, 26.0, "new")])
    assert [line.text for line in library.transcript(source_id)] == ["old 0", "new", "old 40"]
    assert [found.line.text for found in library.search_transcripts("old").items] == ["old 40", "old 0"]


def test_search_finds_all_words_in_any_case(library: Library, source_id: int) -> None:
    other = library.record_source(a_source("https://example.com/other", "Other"))
    library.replace_transcript(source_id, 0, 60, [Line(1.0, 2.0, "What a CLUTCH! 3.5 seconds on twitch.tv")])
    library.replace_transcript(other, 0, 60, [Line(1.0, 2.0, "clutch grandmother"), Line(3.0, 4.0, "Größe zählt")])

    def found(query: str, **where: int) -> list[str]:
        return [line.line.text.split()[0] for line in library.search_transcripts(query, **where).items]

    assert found("clutch") == ["clutch", "What"]
    assert found("clutch what") == ["What"]
    assert found("clu") == ["clutch", "What"]  # half typed
    assert found("clut grand") == []  # only the last word may be
    assert found("clutch", source_id=other) == ["clutch"]
    assert found("größe") == ["Größe"]
    assert found("5") == found("tv") == found("twitch") == ["What"]
    assert found("nothing") == found("") == found("?!") == []


def test_pages_of_a_search(library: Library, source_id: int) -> None:
    library.replace_transcript(source_id, 0, 60, [Line(float(t), t + 1.0, f"word {t}") for t in range(5)])
    page = library.search_transcripts("word", limit=2)
    rest = library.search_transcripts("word", limit=10, after=page.after)
    assert [found.line.start_s for found in (*page.items, *rest.items)] == [4.0, 3.0, 2.0, 1.0, 0.0]
    assert rest.after is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(query=st.text() | st.sampled_from(ODD_QUERIES))
def test_no_text_is_a_syntax_error(library: Library, query: str) -> None:
    library.search_transcripts(query)


# Numbers from outside


def test_numbers_that_no_id_has(library: Library) -> None:
    for number in (2**31, 2**63, -(2**80)):
        with pytest.raises((NotFoundError, InputError)):
            library.project(number)
        with pytest.raises((NotFoundError, InputError)):
            library.clip(number)
    for key in ([2**40], [-(2**70)], [1.5], ["x"], [True], [None], [1, 2], []):
        with pytest.raises(InputError, match="first page"):
            library.projects(ProjectQuery(after=make_marker("projects", key)))
    for after in ("", "%", "ä", "W10", "bnVsbA", "[" * 5000):
        with pytest.raises(InputError, match="first page"):
            library.clips(ClipQuery(after=after))
