"""What strangers write stays text."""

from __future__ import annotations

import json
import math
import re
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.progress import Progress
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import clock
from kick_clip_generator.service.generate import GenerateRequest
from kick_clip_generator.ui.form import Form
from kick_clip_generator.ui.html import Html, escape, joined, markup
from kick_clip_generator.ui.run_view import progress_panel
from kick_clip_generator.ui.stars import stars_field
from kick_clip_generator.ui.words import box


@given(st.text())
def test_no_text_leaves_its_place(text: str) -> None:
    # In an attribute or between tags: nothing that ends it, nor what either template language of Gradio acts on.
    assert not re.search(r"""[<>"'{}$`\x00]""", escape(text))
    json.dumps(escape(text)).encode("utf-8")


@given(st.text(st.characters(exclude_categories=("C",))))
def test_a_reader_sees_what_was_written(text: str) -> None:
    assert unescape(escape(text)) == text


def test_undecodable_names_and_reversed_text_are_shown_harmless() -> None:
    shown = escape(b"caf\xe9.mp4".decode("utf-8", "surrogateescape") + "\u202egpj.exe\x1b[2J")
    shown.encode("utf-8")
    assert "\u202e" not in shown and "\x1b" not in shown and "caf" in shown


def test_only_html_goes_in_raw() -> None:
    assert markup("<p>{a}{b}</p>", a="<b>", b=Html("<br>")) == "<p>&lt;b&gt;<br></p>"
    assert joined([markup("<i>{n}</i>", n=n) for n in (1, 2)]) == "<i>1</i><i>2</i>"


def test_a_number_or_an_error_is_escaped_too() -> None:
    assert "<script>" not in box("error", str(ValueError("<script>")))
    assert "<b>" not in progress_panel(Progress("clips", 1, 2, message="<b>x</b>"))


def test_unknown_figures_are_left_out() -> None:
    panel = progress_panel(Progress("analyze", 3, 9, stream_s=75.0, speed=math.nan, eta_s=math.nan))
    assert "3 of 9 windows" in panel and "stream 1:15" in panel
    assert "nan" not in panel and "real time" not in panel


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00"), (59.6, "1:00"), (3599.4, "59:59"), (3600, "1:00:00"), (math.nan, "?"), (math.inf, "?")],
)
def test_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def test_stars_are_five_radios_of_one_clip() -> None:
    field = stars_field(7, 4, place="rate")
    assert field.count('type="radio"') == 5 and field.count(" checked") == 1
    assert re.search(r'value="4" checked', field)
    assert " checked" not in stars_field(7, None, place="rate")


def a_form(**changes: object) -> Form:
    fields = {
        "url": "https://example.com/a.mp4", "kinds": "both", "clip_duration": "auto", "min_gap": 10, "max_audio": 5,
        "max_video": 6, "start_minute": None, "end_minute": None, "cut": "exact",
    }  # fmt: skip
    return Form(**{**fields, **changes})


def asked(form: Form, settings: Settings | None = None) -> GenerateRequest:
    """What a job makes of a form."""
    return GenerateRequest.checked(url=form.link(), settings=settings or Settings(), **form.options())


def test_a_form_becomes_a_request() -> None:
    request = asked(a_form(clip_duration=" 30 ", start_minute=1, end_minute=2.5, kinds="video", cut="copy"))
    assert (request.span.start_s, request.span.end_s) == (60.0, 150.0)
    assert (request.config.clip_duration_s, request.config.max_audio, request.config.max_video) == (30, 0, 6)
    assert request.cut == "copy" and asked(a_form()).config.max_audio == 5
    assert asked(a_form(clip_duration="Auto")).config.clip_duration_s is None


def test_empty_fields_mean_the_settings() -> None:
    settings = Settings(min_gap=33, top_n_highlights=4)
    request = asked(a_form(clip_duration="", min_gap=None, max_audio=None, max_video=None), settings)
    assert request.config.min_gap_s == 33 and request.config.max_audio == 4 and request.span is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"url": "  "}, "link"),
        ({"start_minute": 5, "end_minute": 5}, "start"),
        ({"start_minute": 9, "end_minute": 2}, "start"),
        ({"start_minute": -1}, "start minute"),
        ({"end_minute": math.nan}, "end minute"),
        ({"end_minute": "Infinity"}, "end minute"),
        ({"min_gap": -0.1}, "gap"),
        ({"min_gap": 1e308}, "gap"),
        ({"clip_duration": "nan"}, "length"),
        ({"clip_duration": "half a minute"}, "length"),
        ({"clip_duration": "-3"}, "length"),
        ({"max_audio": 0}, "sound clips"),
        ({"max_audio": 26}, "sound clips"),
        ({"max_video": 2.5}, "picture clips"),
        ({"max_video": [1]}, "picture clips"),
        ({"kinds": "smell"}, "look for"),
        ({"cut": "axe"}, "cut"),
    ],
)
def test_a_bad_field_is_one_sentence(changes: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named) as caught:
        asked(a_form(**changes))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_templates_leave_values_to_gradio_as_data() -> None:
    # `{{value}}` would make Gradio run the value as JavaScript; only the default template keeps it data.
    folder = Path(__file__).parents[1] / "kick_clip_generator" / "ui"
    for file in folder.glob("*.py"):
        assert "html_template=" not in file.read_text(encoding="utf-8"), file.name
