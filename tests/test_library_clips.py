"""Sources, highlights, clips, ratings and models: what goes in comes out, in pages and in order."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
from library_facts import a_clip, a_file, a_highlight, a_source

from kick_clip_generator.core.errors import InputError, LibraryError
from kick_clip_generator.core.records import Span
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import ClipQuery, RatingTotals


@pytest.fixture
def source_id(library: Library) -> int:
    return library.record_source(a_source())


# Sources


def test_a_source_is_known_by_its_url(library: Library) -> None:
    first = library.record_source(a_source("https://example.com/a", "Old"))
    other = library.record_source(a_source("https://example.com/b"))
    assert library.record_source(a_source("https://example.com/a", "New")) == first != other
    assert library.source(first).title == "New"
    assert [source.id for source in library.sources()] == [first, other]


def test_an_unknown_duration_stays_unknown(library: Library) -> None:
    number = library.record_source(replace(a_source(), duration_s=math.nan, live=True))
    assert math.isnan(library.source(number).duration_s)
    assert library.source(number).live


@pytest.mark.parametrize("text", ["/videos/caf\udce9 \udcff.mp4", "💀👩‍👧 \u202e", "'; DROP TABLE source; --"])
def test_any_file_name_is_kept_exactly(library: Library, text: str) -> None:
    number = library.record_source(a_source(text, text))
    assert (library.source(number).url, library.source(number).title) == (text, text)
    assert library.record_source(a_source(text)) == number


def test_nul_in_a_title_does_not_cut_it(library: Library) -> None:
    assert library.source(library.record_source(a_source(title="a\0b"))).title == "a\ufffdb"


def test_an_unknown_source_is_one_sentence(library: Library) -> None:
    with pytest.raises(LibraryError, match="no source 7"):
        library.source(7)


# Highlights


def test_highlights_come_back_whole_and_ranked(library: Library, source_id: int) -> None:
    weak, strong = a_highlight(10, score=0.2), replace(a_highlight(60, score=0.9, kind="video"), ml_score=0.7)
    ids = library.replace_highlights(source_id, None, [weak, strong])
    records = library.highlights(source_id)
    assert [record.id for record in records] == [ids[1], ids[0]]
    assert records[0].highlight == strong
    assert math.isnan(records[1].highlight.ml_score)


def test_a_new_analysis_replaces_all_but_what_was_rated_or_kept(
    library: Library, source_id: int, tmp_path: Path
) -> None:
    other_source = library.record_source(a_source("https://example.com/other"))
    library.replace_highlights(other_source, None, [a_highlight(10)])
    rated, kept, plain, found_again = library.replace_highlights(
        source_id, None, [a_highlight(start_s) for start_s in (10, 60, 110, 160)]
    )
    clips = [
        library.record_clip(a_clip(source_id, tmp_path / f"{number}.mp4", highlight_id=number))
        for number in (rated, kept, plain, found_again)
    ]
    library.rate(clips[0], 4, None)
    library.update_clip(clips[1], kept=True)
    library.rate(clips[3], 5, None)

    fresh, same = library.replace_highlights(source_id, None, [a_highlight(300), a_highlight(160.5, score=0.8)])

    assert same == found_again
    assert {record.id for record in library.highlights(source_id)} == {rated, kept, found_again, fresh}
    assert library.clip(clips[2]).highlight_id is None
    assert library.highlights(source_id)[0].highlight.event.start_s == 160.5
    assert len(library.highlights(other_source)) == 1


# Clips


def test_a_clip_comes_back_whole(library: Library, source_id: int, tmp_path: Path) -> None:
    record = a_clip(source_id, tmp_path / "out" / "audio_highlight_1_audio.mp4", score=0.75)
    clip = library.clip(library.record_clip(record))
    assert clip.highlight == record.highlight
    assert (clip.path, clip.sha256, clip.size) == (record.file.path, record.file.sha256, 15)
    assert (clip.name, clip.kind, clip.cut, clip.score) == ("audio_highlight_1_audio.mp4", "audio", "exact", 0.75)
    assert (clip.span, clip.source_title, clip.stars, clip.kept) == (Span(5, 20), "A stream", None, False)
    assert library.clip_at(tmp_path / "out" / ".." / "out" / clip.name) == clip
    assert library.clip_at(tmp_path / "none.mp4") is None


def test_precious_is_rated_kept_moved_or_changed(library: Library, source_id: int, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.mp4" for number in range(6)]
    numbers = [library.record_clip(a_clip(source_id, path)) for path in paths]
    library.rate(numbers[1], 1, None)
    library.update_clip(numbers[2], kept=True)
    paths[3].rename(tmp_path / "mine.mp4")
    os.utime(paths[4], ns=(0, 1))
    library.rate(numbers[5], None, None)
    precious = [library.is_precious(library.clip(number)) for number in numbers]
    assert precious == [False, True, True, True, True, False]


def test_a_replaced_file_is_a_new_clip(library: Library, source_id: int, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    old = library.record_clip(a_clip(source_id, path))
    new = library.record_clip(a_clip(source_id, path, start_s=99))
    assert new > old
    assert [clip.id for clip in library.clips().items] == [new]
    with pytest.raises(LibraryError, match=f"no clip {old}"):
        library.clip(old)


def test_a_forgotten_clip_goes_on_teaching(library: Library, source_id: int, tmp_path: Path) -> None:
    rated = library.record_clip(a_clip(source_id, tmp_path / "a.mp4"))
    plain = library.record_clip(a_clip(source_id, tmp_path / "b.mp4"))
    library.rate(rated, 5, None)
    library.forget_clip(rated)
    library.forget_clip(plain)
    assert library.clips().items == ()
    assert library.clip_at(tmp_path / "a.mp4") is None
    assert [sample.clip_id for sample in library.training_samples()] == [rated]
    assert (tmp_path / "a.mp4").exists()
    with pytest.raises(LibraryError, match="no clip"):
        library.rate(rated, 3, None)
    with pytest.raises(LibraryError, match="no clip"):
        library.forget_clip(plain)
    assert library.record_clip(a_clip(source_id, tmp_path / "c.mp4")) > plain


def test_update_moves_a_clip(library: Library, source_id: int, tmp_path: Path) -> None:
    number = library.record_clip(a_clip(source_id, tmp_path / "a.mp4"))
    other = library.record_clip(a_clip(source_id, tmp_path / "b.mp4"))
    moved = library.update_clip(number, file=a_file(tmp_path / "new" / "c.mp4", b"longer"), span=Span(1, 2))
    assert (moved.name, moved.size, moved.span) == ("c.mp4", 6, Span(1, 2))
    assert library.clip(number) == moved
    with pytest.raises(LibraryError, match="belongs to another clip"):
        library.update_clip(number, file=a_file(library.clip(other).path))


@pytest.fixture
def shelf(library: Library, tmp_path: Path) -> list[int]:
    """Twelve clips of two sources with scores and stars that repeat."""
    sources = [library.record_source(a_source(f"https://example.com/{name}", name)) for name in ("Größe 100%", "Other")]
    numbers = []
    for index in range(12):
        kind = "audio" if index % 3 else "video"
        path = tmp_path / f"clip_{index % 4}_{index}.mp4"
        record = a_clip(sources[index % 2], path, score=(index % 5) / 10, kind=kind)  # type: ignore[arg-type]
        numbers.append(library.record_clip(record))
        if index % 4:
            library.rate(numbers[-1], index % 4 + 1, None)
    return numbers


@pytest.mark.parametrize("limit", [1, 5, 12, 500])
@pytest.mark.parametrize("sort", ["newest", "oldest", "score", "stars", "name"])
def test_pages_show_every_clip_once_and_in_order(library: Library, shelf: list[int], sort: str, limit: int) -> None:
    query = ClipQuery(sort=sort, limit=limit)  # type: ignore[arg-type]
    seen = []
    while True:
        page = library.clips(query)
        seen += page.items
        if page.after is None:
            break
        query = replace(query, after=page.after)
    assert sorted(clip.id for clip in seen) == shelf
    keys = {
        "newest": lambda clip: -clip.id,
        "oldest": lambda clip: clip.id,
        "score": lambda clip: (-clip.score, -clip.id),
        "stars": lambda clip: (-(clip.stars or 0), -clip.id),
        "name": lambda clip: (clip.name, clip.id),
    }
    assert seen == sorted(seen, key=keys[sort])


def test_a_page_goes_on_where_it_was_while_ratings_change(library: Library, shelf: list[int]) -> None:
    first = library.clips(ClipQuery(sort="stars", limit=4))
    library.rate(first.items[-1].id, 1, None)
    rest = library.clips(ClipQuery(sort="stars", after=first.after))
    assert {clip.id for clip in first.items} | {clip.id for clip in rest.items} == set(shelf)


def test_filters(library: Library, shelf: list[int]) -> None:
    def found(**values: object) -> list[int]:
        return [clip.id for clip in library.clips(ClipQuery(sort="oldest", **values)).items]  # type: ignore[arg-type]

    def those(*indices: int) -> list[int]:
        return [shelf[index] for index in indices]

    assert found(kind="video") == those(0, 3, 6, 9)
    assert found(min_stars=4) == those(3, 7, 11)
    assert found(unrated=True) == those(0, 4, 8)
    library.rate(shelf[4], None, None)
    assert found(unrated=True, skipped=False) == those(0, 8)
    assert found(skipped=True) == those(4)
    library.update_clip(shelf[2], kept=True)
    assert found(kept=True) == those(2)
    assert found(source_id=library.clip(shelf[1]).source_id) == those(1, 3, 5, 7, 9, 11)
    assert found(text="GRÖSSE clip_2") == those(2, 6, 10)
    assert found(text="100%") == those(0, 2, 4, 6, 8, 10)
    assert found(text="clip%1") == []
    assert found(text="c_ip") == []


@pytest.mark.parametrize(
    "values", [{"limit": 0}, {"limit": 501}, {"min_stars": 6}, {"sort": "id; --"}, {"after": "x"}, {"after": "WzFd"}]
)
def test_a_wrong_query_is_one_sentence(library: Library, values: dict[str, object]) -> None:
    with pytest.raises(InputError):
        library.clips(ClipQuery(**values))  # type: ignore[arg-type]


def test_a_marker_of_another_order_is_refused(library: Library, shelf: list[int]) -> None:
    after = library.clips(ClipQuery(sort="score", limit=2)).after
    with pytest.raises(InputError, match="first page"):
        library.clips(ClipQuery(sort="stars", after=after))


# Ratings and models


def test_the_latest_stars_are_the_label_and_a_skip_is_none(library: Library, source_id: int, tmp_path: Path) -> None:
    first = library.record_clip(a_clip(source_id, tmp_path / "a.mp4", score=0.25))
    second = library.record_clip(a_clip(source_id, tmp_path / "b.mp4", kind="video"))
    only_skipped = library.record_clip(a_clip(source_id, tmp_path / "c.mp4"))
    for clip_id, stars in ((first, 2), (second, 5), (first, 4), (first, None), (only_skipped, None)):
        library.rate(clip_id, stars, None)
    samples = library.training_samples()
    assert [(s.clip_id, s.kind, s.stars) for s in samples] == [(second, "video", 5), (first, "audio", 4)]
    assert samples[1].row["rms_mean"] == 0.25
    assert math.isnan(samples[1].row["motion_mean"])
    assert samples[0].rated_at <= samples[1].rated_at
    assert library.clip(first).stars == 4
    assert library.rating_counts().by_stars == {1: 0, 2: 0, 3: 0, 4: 1, 5: 1}
    assert (library.rating_counts().skips, library.rating_counts().rated_clips) == (2, 2)


@pytest.mark.parametrize("stars", [0, 6, -1])
def test_stars_out_of_range(library: Library, source_id: int, tmp_path: Path, stars: int) -> None:
    number = library.record_clip(a_clip(source_id, tmp_path / "a.mp4"))
    with pytest.raises(InputError, match="1 to 5"):
        library.rate(number, stars, None)
    assert library.training_samples() == []


def test_ratings_are_counted_since_the_newest_training(library: Library, source_id: int, tmp_path: Path) -> None:
    number = library.record_clip(a_clip(source_id, tmp_path / "a.mp4"))
    assert library.rate(number, 3, None) == RatingTotals(1, 1)
    assert library.rate(number, None, None) == RatingTotals(1, 1)
    assert library.rate(number, 4, None) == RatingTotals(2, 2)
    samples = library.training_samples()
    assert library.rate(number, 5, None) == RatingTotals(3, 3)  # while the training goes on
    _train(library, tmp_path, samples=samples, active=False)
    assert library.rate(number, None, None) == RatingTotals(3, 1)


def test_models_are_activated_and_rolled_back(library: Library, tmp_path: Path) -> None:
    assert library.active_model() is None
    first = _train(library, tmp_path, active=True)
    second = _train(library, tmp_path, active=True)
    refused = _train(library, tmp_path, active=False)
    assert [model.n for model in library.models()] == [refused, second, first] == [3, 2, 1]
    active = library.active_model()
    assert active is not None
    assert (active.n, active.kinds, active.metrics) == (second, ("audio", "video"), {"auc": None, "mae": 0.5})
    library.activate(first)
    assert [model.n for model in library.models() if model.active] == [first]
    with pytest.raises(LibraryError, match="no model 9"):
        library.activate(9)
    assert [model.n for model in library.models() if model.active] == [first]
    library.activate(None)
    assert library.active_model() is None


def test_a_taken_model_number_is_refused(library: Library, tmp_path: Path) -> None:
    n = _train(library, tmp_path, active=True)
    with pytest.raises(LibraryError, match="another training"):
        _train(library, tmp_path, active=True, n=n)
    assert len(library.models()) == 1


def test_clips_remember_the_model_that_chose_them(library: Library, source_id: int, tmp_path: Path) -> None:
    n = _train(library, tmp_path, active=True)
    number = library.record_clip(a_clip(source_id, tmp_path / "a.mp4", model_version=n))
    assert library.clip(number).model_version == n
    library.rate(number, 3, n)


def _train(library: Library, folder: Path, *, active: bool, samples: object = (), n: int | None = None) -> int:
    return library.record_model(
        n or library.next_model_n(),
        path=folder / "models" / "1.skops",
        sha256="00",
        samples=samples,  # type: ignore[arg-type]
        kinds=("audio", "video"),
        metrics={"auc": math.nan, "mae": 0.5},
        active=active,
    ).n
