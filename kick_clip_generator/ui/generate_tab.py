"""Generate Clips: a link in, ranked clips out, with live progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from kick_clip_generator.core.errors import ClipGeneratorError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import JobInfo
from kick_clip_generator.service.jobs import cancel_job, find_job, start_analysis
from kick_clip_generator.service.projects import add_project
from kick_clip_generator.ui import ratings
from kick_clip_generator.ui.block import html_block, message_block
from kick_clip_generator.ui.form import CUT_CHOICES, KIND_CHOICES, LONGEST_URL, Form
from kick_clip_generator.ui.html import Html
from kick_clip_generator.ui.run_view import WELCOME, results, status
from kick_clip_generator.ui.stars import STARS_JS
from kick_clip_generator.ui.words import box

POLL_EVERY_S = 0.7
# Kept in the browser, so that a reload or a closed lid finds the run again.
STORAGE_KEY = "kick-clip-generator-job"
# The same in the address, which can be kept or sent.
JOB_PARAMETER = "job"
JOB_IN_URL_JS = f"""(id) => {{
    const address = new URL(window.location);
    if (id) address.searchParams.set("{JOB_PARAMETER}", id); else address.searchParams.delete("{JOB_PARAMETER}");
    window.history.replaceState(window.history.state, "", address);
}}"""
# The page's own events: no public API, no veil over what is being read.
OWN: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build_generate_tab(page: gr.Blocks, library: Library, settings: Settings) -> None:
    """Lay out the tab inside the `gr.Tab` that is open, and wire it."""
    job_id = gr.BrowserState("", storage_key=STORAGE_KEY)
    timer = gr.Timer(POLL_EVERY_S, active=False)
    fields, buttons = _form(settings)
    start, stop, demo = buttons
    panel = html_block(WELCOME, name="run")
    message = message_block()
    shown = html_block(script=STARS_JS, name="results")

    def view(job: JobInfo | None, *, everything: bool) -> dict[Any, Any]:
        if job is None:
            return {timer: gr.Timer(active=False)}
        working = not job.ended
        update: dict[Any, Any] = {panel: status(job)}
        if everything or not working:
            update |= {
                timer: gr.Timer(active=working),
                shown: results(library, job),
                start: gr.Button(interactive=not working),
                demo: gr.Button(interactive=not working),
                stop: gr.Button(interactive=working),
            }
        return update

    def begun_by(begin: Callable[[], JobInfo]) -> dict[Any, Any]:
        try:
            job = begin()
        except ClipGeneratorError as error:
            return {panel: box("error", str(error))}
        return {job_id: str(job.id), message: Html(""), **view(job, everything=True)}

    def on_start(asked: gr.Request, *values: Any) -> dict[Any, Any]:
        form = Form(*values)

        def begin() -> JobInfo:
            options = form.options()
            client = asked.client.host if asked.client else None
            project = add_project(library, settings, form.link(), client=client)
            return start_analysis(library, settings, project.id, options)

        return begun_by(begin)

    def on_demo(*values: Any) -> dict[Any, Any]:
        return begun_by(lambda: start_analysis(library, settings, None, Form(*values).options(), demo=True))

    def on_stop(known: Any) -> dict[Any, Any]:
        job = find_job(library, str(known))
        if job is None or job.ended:
            return {panel: box("note", "Nothing is running.")}
        return view(cancel_job(library, job.id), everything=False)

    def on_tick(known: Any) -> dict[Any, Any]:
        return view(find_job(library, str(known)), everything=False)

    def on_load(asked: gr.Request, known: Any) -> dict[Any, Any]:
        # A link to a run goes before what this browser saw last.
        linked = str(asked.query_params.get(JOB_PARAMETER) or known)
        job = find_job(library, linked)
        return {job_id: str(job.id) if job else "", **view(job, everything=True)}

    def on_rate(event: gr.EventData) -> Html:
        return ratings.store(library, settings, event)[0]

    live = [panel, shown, timer, start, demo, stop]
    begun = [job_id, message, *live]
    for begins in (start.click, fields[0].submit):
        begins(on_start, fields, begun, **OWN)
    demo.click(on_demo, fields, begun, **OWN)
    stop.click(on_stop, [job_id], live, **OWN)
    timer.tick(on_tick, [job_id], live, **OWN)
    page.load(on_load, [job_id], [job_id, *live], **OWN)
    job_id.change(None, [job_id], None, js=JOB_IN_URL_JS, **OWN)
    shown.rate(on_rate, None, message, **OWN, **ratings.ONE_AT_A_TIME)


def _form(settings: Settings) -> tuple[list[Any], tuple[gr.Button, gr.Button, gr.Button]]:
    """The fields in the order of `Form`, and the buttons start, stop and demo."""
    url = gr.Textbox(
        label="Stream link or file",
        placeholder="A Kick, Twitch or YouTube link, https://…/playlist.m3u8, …/video.mp4 or a file on this computer",
        max_lines=1,
        max_length=LONGEST_URL,
        elem_id="url",
    )
    with gr.Row(elem_classes="buttons-row"):
        start = gr.Button("Generate clips", variant="primary", elem_id="start", min_width=130)
        stop = gr.Button("Stop", variant="stop", interactive=False, elem_id="stop", min_width=130)
        demo = gr.Button("Try the demo stream", elem_id="demo", min_width=130)
    duration = "auto" if settings.clip_duration is None else f"{settings.clip_duration:g}"
    with gr.Accordion("Options", open=False, elem_id="options"), gr.Row(elem_classes="options"):
        kinds = gr.Radio(KIND_CHOICES, value="all", label="What to look for")
        cut = gr.Radio(CUT_CHOICES, value=settings.cut, label="How clips are cut")
        clip_duration = gr.Textbox(duration, label="Clip length", info="Seconds, or auto", max_lines=1, max_length=20)
        min_gap = gr.Number(settings.min_gap, label="Least gap", info="Seconds between two highlights of a kind")
        max_audio = gr.Number(settings.top_n_highlights, label="Most sound clips", info="1 to 25")
        max_video = gr.Number(settings.top_n_highlights, label="Most picture clips", info="1 to 25")
        # No number fields: Gradio's send 0 when they are empty.
        start_minute = gr.Textbox(label="Start minute", info="Empty: from the beginning", max_lines=1, max_length=20)
        end_minute = gr.Textbox(label="End minute", info="Empty: to the end", max_lines=1, max_length=20)
    fields = [url, kinds, clip_duration, min_gap, max_audio, max_video, start_minute, end_minute, cut]
    return fields, (start, stop, demo)
