"""Clips leave the library: which, under what names, to where, and what happens when something is in the way."""

from __future__ import annotations

import hashlib
import http.server
import os
import re
import subprocess
import sys
import threading
import tomllib
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from export_media import chapters, flashes, make_clip, tones
from hypothesis import given
from hypothesis import strategies as st
from library_facts import a_clip, a_file, a_source

from kick_clip_generator import ClipGeneratorError, KickClipGenerator
from kick_clip_generator.cli.main import main
from kick_clip_generator.clips import destinations
from kick_clip_generator.clips.destination import GROUP, destination_names, find_destination
from kick_clip_generator.clips.template import FIELDS, UNKNOWN, Names, Seconds, check_template, name_from
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.records import Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library

ROOT = Path(__file__).resolve().parents[1]
HOSTILE = [
    "../../etc/passwd",
    "C:\\Windows\\nul",
    "quote \" and ' and `",
    "a: b? <c> | *",
    "trailing. . .",
    "aux",
    "com1.mp4",
    "\u202egpj.exe",
    "💀" * 200,
    "مرحبا بالعالم",
    "line\nbreak\ttab\0nul",
    "-rf ~",
    "",
    "{title} {0} %s $HOME",
    "\udce9 not unicode",
]


@pytest.fixture
def library() -> Iterator[Library]:
    with Library.open(Path("clips.db")) as opened:
        yield opened


def add(
    library: Library,
    name: str,
    *,
    title: str = "A stream",
    channel: str = "Ann",
    stars: int | None = None,
    **facts: Any,
) -> int:
    """A clip of a stream of that title; its file holds its own name."""
    source = replace(
        a_source(f"https://example.com/{hashlib.sha256(title.encode('utf-8', 'replace')).hexdigest()[:8]}.m3u8", title),
        channel=channel,
    )
    record = a_clip(library.record_source(source), Path("output_clips", name), **facts)
    number = library.record_clip(replace(record, file=a_file(Path("output_clips", name), name.encode() * 100)))
    if stars is not None:
        library.rate(number, stars, None)
    return number


def export(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, list[str], str]:
    """Exit code, lines printed, and what was said on the error output."""
    capsys.readouterr()
    code = main(["export", *argv])
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err


def in_a_shell(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    env = {**os.environ, "PYTHONPATH": environment.pop("PYTHONPATH", ""), **environment}
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "export", *argv], env=env, capture_output=True, text=True, check=False
    )


# Names


def facts_with(**values: Any) -> dict[str, Any]:
    return {**FIELDS, **values}


def assert_safe(name: str) -> None:
    assert name and len(name.encode("utf-8")) <= 200
    assert not re.search(r'[\x00-\x1f\x7f/\\:*?"<>|\u202a-\u202e\u2066-\u2069]', name)
    assert name == name.strip() and name[-1] != "." and name[0] not in ".-~"
    assert not re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)", name.partition(".")[0].strip())
    assert unicodedata.is_normalized("NFC", name)


@given(st.text(max_size=300) | st.sampled_from(HOSTILE), st.sampled_from(["{title}", "{channel}_{rank:02d} {title}"]))
def test_any_title_makes_a_name_that_every_system_takes(title: str, template: str) -> None:
    name = Names().free(name_from(template, facts_with(title=title, channel=title)), ".mp4")
    assert_safe(name)


@given(st.lists(st.sampled_from([*HOSTILE, "Aux", "A stream", "a STREAM"]), max_size=30))
def test_no_two_files_of_an_export_have_one_name(titles: list[str]) -> None:
    names = Names()
    given_names = [names.free(name_from("{title}", facts_with(title=title)), ".mp4") for title in titles]
    assert len({unicodedata.normalize("NFC", name.casefold()) for name in given_names}) == len(titles)


def test_every_field_has_a_form() -> None:
    facts = facts_with(date=date(2026, 11, 21), rank=7, start=Seconds(3723.9), score=FIELDS["score"], title="GG")
    template = "{date} {date:%d.%m.} {rank:03d} {start} {start:.1f} {score} {score:.3f} {stars} {id:04d} {title:>4}"
    check_template(template)
    assert name_from(template, facts) == "2026-11-21 21.11. 007 01h02m03s 3723.9 0.50 0.500 5 0001   GG"
    assert name_from("{stars} {stars:03d} {channel}", facts_with(stars=UNKNOWN, channel=UNKNOWN)) == (
        "unknown unknown unknown"
    )


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{rang}", "there is no field {rang}, only channel, date"),
        ("{title.__class__}", "there is no field {title.__class__}"),
        ("{title[0]}", "there is no field"),
        ("{}", "there is no field {}"),
        ("{title:02d}", "'02d' is no form of {title}"),
        ("{rank:xyz}", "'xyz' is no form of {rank}"),
        ("{rank:99999999999d}", "the form of {rank}"),
        ("{rank:{id}d}", "the form of {rank}"),
        ("{title!r}", "the form of {title}"),
        ("{title", "expected '}'"),
        ("{channel}/{title}", "not a path"),
        ("..\\{title}", "not a path"),
        (" ", "it is empty"),
    ],
)
def test_a_wrong_template_is_one_sentence(template: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        check_template(template)
    assert said in str(error.value)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_the_template_is_a_setting(
    library: Library, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = add(library, "a.mp4", title="Big win")
    today = datetime.now().date().isoformat()
    assert export(capsys, "--all")[0] == 0
    monkeypatch.setenv("EXPORT_NAME", "{id}-{kind}-{source}")
    monkeypatch.setenv("EXPORT_DIR", "mine")
    assert export(capsys, "--all")[0] == 0
    assert [path.name for path in Path("exports").iterdir()] == [f"Ann_{today}_01_Big win.mp4"]
    assert Path("mine").is_dir()
    assert re.fullmatch(rf"{number}-audio-[0-9a-f]{{8}}\.mp4", next(Path("mine").iterdir()).name)
    monkeypatch.setenv("EXPORT_NAME", "{nope}")
    code, _, said = export(capsys, "--all")
    assert code == 2 and "there is no field {nope}" in said and said.count("\n") == 1


# Which clips


def test_clips_are_chosen_by_number_stars_stream_or_all(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    weak = add(library, "weak.mp4", score=0.2, stars=5)
    strong = add(library, "strong.mp4", score=0.9, stars=3)
    other = add(library, "other.mp4", score=0.5, title="Other", stars=4)

    def chosen(*argv: str) -> list[int]:
        code, lines, _ = export(capsys, *argv, "--name", "{rank:03d}_{id}", "--into", "_".join(argv).strip("-"))
        assert code == 0
        ranked = sorted(Path(line).stem for line in lines)
        return [int(name.partition("_")[2]) for name in ranked]

    assert chosen("--all") == [strong, other, weak]
    assert chosen("--clips", f"{other},{weak},{other}") == [other, weak]
    assert chosen("--min-stars", "4") == [other, weak]
    link = library.clip(weak).source_url
    assert chosen("--source", link, "--min-stars", "5") == [weak]
    assert Path("all", f"001_{strong}.mp4").read_bytes() == Path("output_clips/strong.mp4").read_bytes()
    secret = link.replace("https://", "https://me:secret@") + "?token=1"
    code, lines, _ = export(capsys, "--source", secret, "--into", "secret")
    assert code == 0 and len(lines) == 2


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "say which clips"),
        (["--clips", "1", "--all"], "excludes"),
        (["--clips", "1,x"], "expected numbers of clips"),
        (["--clips", "1@5-2"], "a start before the end"),
        (["--clips", "1@1-2"], "for a compound"),
        (["--all", "--crossfade", "1"], "for a compound"),
        (["--clips", "99"], "no clip 99"),
        (["--min-stars", "5"], "no clip of that kind"),
        (["--min-stars", "6"], "from 1 to 5"),
        (["--source", "https://example.com/none"], "no clips of that stream"),
        (["--all", "--to", "nowhere"], "choose one of folder, zip"),
        (["--all", "--name", "{x}"], "there is no field"),
    ],
)
def test_a_wrong_wish_is_one_line(
    library: Library, capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    add(library, "a.mp4")
    code, lines, error = export(capsys, *argv)
    assert (code, lines) == (2, [])
    assert said in error and error.count("\n") == 1
    assert not Path("exports").exists()


# Folder and ZIP


@pytest.mark.parametrize("to", ["folder", "zip"])
def test_clips_of_hostile_titles_arrive_whole_and_side_by_side(
    library: Library, capsys: pytest.CaptureFixture[str], to: str
) -> None:
    for index, title in enumerate([*HOSTILE, *HOSTILE[:3]]):
        add(library, f"{index}.mp4", title=title, channel=title)
    code, _, said = export(capsys, "--all", "--to", to, "--into", "out", "--name", "{title}", "-q")
    assert (code, said) == (0, "")
    if to == "zip":
        (archive,) = Path("out").iterdir()
        with zipfile.ZipFile(archive) as opened:
            assert opened.testzip() is None
            found = {name: opened.read(name) for name in opened.namelist()}
    else:
        found = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    assert len(found) == len(HOSTILE) + 3
    for name in found:
        assert_safe(name)
    assert sorted(found.values()) == sorted(path.read_bytes() for path in Path("output_clips").iterdir())


def test_nothing_is_written_over(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    add(library, "a.mp4")
    for _ in range(3):
        assert export(capsys, "--all", "--name", "x", "--into", "out")[0] == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["x.mp4", "x_2.mp4", "x_3.mp4"]
    Path("mine.zip").write_bytes(b"precious")
    code, _, said = export(capsys, "--all", "--to", "zip", "--into", "mine.zip")
    assert code == 2 and "not overwritten" in said
    assert Path("mine.zip").read_bytes() == b"precious"


def test_a_zip_of_the_same_clips_is_the_same(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    for index in range(4):
        add(library, f"{index}.mp4", title="Same", score=index / 10)
    for name in ("a.zip", "b.zip"):
        code, lines, _ = export(capsys, "--all", "--to", "zip", "--into", name)
        assert (code, lines) == (0, [name])
    assert Path("a.zip").read_bytes() == Path("b.zip").read_bytes()
    with zipfile.ZipFile("a.zip") as opened:
        assert {entry.compress_type for entry in opened.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("to", ["folder", "zip"])
def test_a_clip_that_is_gone_does_not_keep_the_others_back(
    library: Library, capsys: pytest.CaptureFixture[str], to: str
) -> None:
    gone, there = add(library, "gone.mp4", score=0.9), add(library, "there.mp4")
    Path("output_clips/gone.mp4").unlink()
    code, lines, said = export(capsys, "--all", "--to", to, "--into", "out.zip", "-v")
    assert code == 2 and len(lines) == 1
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and f"Clip {gone}: " in errors[0] and "not there any more" in errors[0]
    Path("output_clips/there.mp4").unlink()
    code, lines, said = export(capsys, "--clips", str(there), "--to", to, "--into", "none.zip")
    assert (code, lines) == (2, []) and "not there any more" in said
    assert list(Path().rglob("*.part")) == [] and not Path("none.zip").is_file()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of file sizes")
@pytest.mark.parametrize("to", ["folder", "zip"])
def test_a_full_disk_leaves_nothing_half_there(library: Library, to: str) -> None:
    for index, name in enumerate(("small.mp4", "large.mp4")):
        number = add(library, name, score=0.9 - index / 2)
        clip = library.clip(number)
        library.update_clip(number, file=a_file(clip.path, os.urandom(100 if index == 0 else 2_000_000)))
    limited = f"""
import resource, runpy, sys
sys.argv = ["main.py", "export", "--all", "--to", {to!r}, "--into", "out", "--name", "{{rank}}"]
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
runpy.run_path({str(ROOT / "main.py")!r}, run_name="__main__")
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "cannot be written" in errors[0] and "Traceback" not in done.stderr
    # A folder keeps what arrived whole, an archive is whole or not there.
    assert sorted(path.name for path in Path("out").iterdir()) == (["1.mp4"] if to == "folder" else [])


def test_a_folder_that_cannot_be_made_is_one_line(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    add(library, "a.mp4")
    Path("file").write_text("")
    for into in ("file", "file/below"):
        code, _, said = export(capsys, "--all", "--into", into)
        assert code == 2 and said.count("\n") == 1 and "choose another folder" in said


# Compounds


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[float, bytes]:
    folder = tmp_path_factory.mktemp("media")
    return {at_s: make_clip(folder / f"{at_s}.mp4", at_s=at_s, length_s=1.5).read_bytes() for at_s in (0.5, 0.8)}


def add_media(library: Library, name: str, data: bytes, **facts: Any) -> int:
    number = add(library, name, **facts)
    library.update_clip(number, file=a_file(Path("output_clips", name), data), span=Span(60.0, 61.5))
    return number


def test_a_compound_of_clips_of_two_streams(
    library: Library, capsys: pytest.CaptureFixture[str], media: dict[float, bytes]
) -> None:
    first = add_media(library, "a.mp4", media[0.5], title="Rage; quit=1")
    second = add_media(library, "b.mp4", media[0.8], title="Other", channel="Bob")
    wish = ("--compound", "--clips", f"{second},{first}@0.2-1.2,{second}@0:00.5-", "--name", "{rank}_{channel}_{kind}")
    code, lines, said = export(capsys, *wish)
    assert code == 0, said
    target = Path(lines[0])
    assert target.name == "1_several_compound.mp4"
    assert flashes(target) == pytest.approx([0.8, 1.5 + 0.3, 2.5 + 0.3], abs=0.04)
    assert tones(target) == pytest.approx(flashes(target), abs=0.04)
    assert [title for _, _, title in chapters(target)] == ["1. Other 1:00", "2. Rage; quit=1 1:00", "3. Other 1:00"]
    assert list(Path("temp_chunks").iterdir()) == []
    code, lines, said = export(capsys, *wish, "--to", "zip", "--crossfade", "0.2")
    assert code == 0, said
    with zipfile.ZipFile(lines[0]) as opened:
        opened.extractall("unpacked")
    faded = Path("unpacked/1_several_compound.mp4")
    assert flashes(faded) == pytest.approx([0.8, 1.3 + 0.3, 2.1 + 0.3], abs=0.04)
    code, lines, said = export(capsys, *wish, "--crossfade", "5")
    assert (code, lines) == (2, []) and "too long" in said


def test_a_compound_without_one_of_its_clips_is_not_made(
    library: Library, capsys: pytest.CaptureFixture[str], media: dict[float, bytes]
) -> None:
    add_media(library, "a.mp4", media[0.5])
    add(library, "not media.mp4")
    code, lines, said = export(capsys, "--compound", "--all", "--to", "zip")
    assert (code, lines) == (2, []) and "can't be read" in said
    Path("output_clips/not media.mp4").unlink()
    code, lines, said = export(capsys, "--compound", "--all")
    assert (code, lines) == (2, []) and "not there any more" in said
    assert [path for path in Path("exports").rglob("*") if path.is_file()] == []


def test_from_python(library: Library, media: dict[float, bytes], tmp_path: Path) -> None:
    numbers = [add_media(library, f"{at_s}.mp4", data) for at_s, data in media.items()]
    generator = KickClipGenerator(settings=Settings(export_dir=tmp_path / "mine"))
    paths = generator.export(numbers[::-1], name="{rank} {id}")
    assert [Path(path).name for path in paths] == [f"1 {numbers[1]}.mp4", f"2 {numbers[0]}.mp4"]
    (joined,) = generator.export(numbers, to="folder", into=tmp_path / "joined", compound=True)
    assert flashes(Path(joined)) == pytest.approx([0.5, 2.3], abs=0.04)
    Path("output_clips/0.5.mp4").unlink()
    assert len(generator.export(numbers)) == 1
    assert len(generator.notes) == 1 and "not there any more" in generator.notes[0]
    with pytest.raises(ClipGeneratorError, match="which clips"):
        generator.export([])


# Destinations


def documented() -> str:
    """The example of docs/extending.md."""
    text = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return str(code)


def install(folder: Path, module: str, code: str, value: str, name: str) -> None:
    """What `pip install` leaves: the module, and a folder that names its entry point."""
    folder.mkdir(exist_ok=True)
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    info = folder / f"{module}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {value}\n")


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Takes files by PUT, one of each name, and has no room for those named "full"."""
    stored: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            name = unquote(self.path.rpartition("/")[2])
            data = self.rfile.read(int(self.headers["Content-Length"]))
            taken = name in stored and self.headers["If-None-Match"] == "*"
            status = 507 if "full" in name else 412 if taken else 201
            if status == 201:
                stored[name] = data
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}/clips/", stored
        running.shutdown()


@pytest.mark.slow
def test_the_documented_destination_works_when_it_is_installed(
    library: Library,
    server: tuple[str, dict[str, bytes]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    address, stored = server
    table = tomllib.loads(
        re.findall(r"```toml\n(.*?)```", (ROOT / "docs/extending.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    )
    ((name, value),) = table["project"]["entry-points"][GROUP].items()
    install(tmp_path / "site", "webdav_destination", documented(), value, name)
    add(library, "a.mp4", title="Größe 100%", score=0.9)
    full = add(library, "b.mp4", title="full", score=0.8)
    add(library, "c.mp4", title="c", score=0.7)
    wish = ("--all", "--to", name, "--into", address, "--name", "{title}")
    done = in_a_shell(*wish, PYTHONPATH=str(tmp_path / "site"))
    assert done.returncode == 2
    assert sorted(stored) == ["Größe 100%.mp4", "c.mp4"]
    assert stored["c.mp4"] == b"c.mp4" * 100
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [
        f"error: Clip {full}: full.mp4 could not be sent to webdav (HTTPError: HTTP Error 507: Insufficient Storage)."
    ]
    assert [line.rpartition("/")[2] for line in done.stdout.splitlines()] == ["Gr%C3%B6%C3%9Fe%20100%25.mp4", "c.mp4"]
    monkeypatch.syspath_prepend(tmp_path / "site")
    code, _, said = export(capsys, *wish)
    assert code == 2 and "HTTP Error 412" in said
    code, _, said = export(capsys, "--all", "--to", name)
    assert code == 2 and "give the address of a folder as --into" in said


def test_one_new_file_is_a_new_destination(
    library: Library,
    server: tuple[str, dict[str, bytes]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/webdav_here.py").write_text(documented(), encoding="utf-8")
    monkeypatch.setattr(destinations, "__path__", [*destinations.__path__, str(tmp_path / "more")])
    add(library, "a.mp4")
    assert export(capsys, "--all", "--to", "webdav_here", "--into", server[0])[0] == 0
    assert len(server[1]) == 1
    sys.modules.pop(f"{destinations.__name__}.webdav_here")


def test_the_house_names_its_own_destinations_to_other_programs() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
    assert set(declared) == {"folder", "zip"} <= set(destination_names())
    for name, value in declared.items():
        assert EntryPoint(name, value, GROUP).load() is find_destination(name)


BROKEN = """
from pathlib import Path
class Destination:
    def __init__(self, into, settings): self.into = into
    def __enter__(self):
        if self.into == "enter": raise ConnectionError("no\\nroute")
        return self
    def __exit__(self, kind, error, trace):
        if self.into == "exit" and kind is None: raise TimeoutError
        Path("closed").touch()
    def send(self, file):
        if self.into == "send": raise RuntimeError("no " + file.name)
        return file.name
"""


@pytest.mark.parametrize(
    ("into", "said"),
    [
        ("enter", "The destination broken could not be opened (ConnectionError: no route)."),
        ("send", "x.mp4 could not be sent to broken (RuntimeError: no x.mp4)."),
        ("exit", "The export to broken could not be finished (TimeoutError)."),
    ],
)
def test_a_strangers_destination_that_fails_is_one_sentence(
    library: Library,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    into: str,
    said: str,
) -> None:
    install(tmp_path / "site", f"broken_{into}", BROKEN, f"broken_{into}:Destination", "broken")
    monkeypatch.syspath_prepend(tmp_path / "site")
    add(library, "a.mp4")
    code, lines, error = export(capsys, "--all", "--to", "broken", "--into", into, "--name", "x", "-q")
    assert (code, lines) == (2, []) and said in error
    assert error.count("\n") == 1
    assert Path("closed").exists() == (into == "send")


def test_a_package_is_loaded_only_when_it_is_asked_for_and_replaces_nothing(
    library: Library, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bad = "from pathlib import Path\nPath('loaded').touch()\nraise ImportError('needs boto3')\n"
    install(tmp_path / "site", "bad_one", bad, "bad_one:Destination", "bad")
    install(tmp_path / "site", "bad_two", bad, "bad_two:Destination", "folder")
    monkeypatch.syspath_prepend(tmp_path / "site")
    add(library, "a.mp4")
    assert export(capsys, "--all")[0] == 0
    assert "bad, " not in (said := export(capsys, "--all", "--to", "nope", "-q")[2]) and "folder, zip, bad" in said
    assert not Path("loaded").exists()
    code, _, said = export(capsys, "--all", "--to", "bad", "-q")
    assert code == 2 and "could not be loaded (ImportError: needs boto3)" in said
