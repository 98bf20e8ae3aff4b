"""A run as the page shows it: live progress, then the ranked clips or what went wrong."""

from __future__ import annotations

import math

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.core.progress import Progress
from kick_clip_generator.core.timeline import clock
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Clip, JobInfo
from kick_clip_generator.ui.html import Html, joined, markup
from kick_clip_generator.ui.tiles import tiles
from kick_clip_generator.ui.words import box, empty

STEPS = {
    "queued": "Waiting for a worker",
    "demo": "Making the demo stream, which takes half a minute the first time",
    "resolve": "Opening the stream",
    "analyze": "Watching and listening",
    "clips": "Cutting clips",
    "done": "Finishing",
}
UNITS = {"analyze": "windows", "clips": "clips"}

WELCOME = empty(
    "Your best moments, found while you sleep",
    "Paste the link of a stream or VOD, or the path of a video file, and press Generate clips. "
    "No stream at hand? Try the demo stream.",
)


def status(job: JobInfo) -> Html:
    """Where a run stands."""
    if job.status == "failed":
        return box("error", job.error or "It failed.")
    if job.status == "cancelled":
        return box("note", job.error or "Stopped before it began.")
    if job.status == "done":
        count, total_s = len(job.result.get("clips", ())), job.result.get("clips_s", 0.0)
        if not count:
            return box("note", "Finished, and no moment stood out enough for a clip.")
        return box("good", f"Done: {count} {'clip' if count == 1 else 'clips'}, {clock(total_s)} in all, best first.")
    return progress_panel(progress_of(job), stopping=job.cancel_requested)


def progress_of(job: JobInfo) -> Progress:
    """What a job's row says of its progress."""
    if job.status == "queued":
        # Why it waits for another try.
        return Progress("queued", message=job.error or "")
    facts = job.detail
    return Progress(
        job.step or "resolve",
        facts.get("done", 0),
        facts.get("total", 0),
        facts.get("stream_s", math.nan),
        facts.get("speed", math.nan),
        facts.get("eta_s", math.nan),
        facts.get("message", ""),
    )


def progress_panel(progress: Progress, *, stopping: bool = False) -> Html:
    """The step, a bar, and the figures that are known."""
    known = progress.total > 0
    return markup(
        """
        <section class="progress" aria-label="Progress">
          <p class="step" role="status">{step}</p>
          <progress max="{total}"{value} aria-label="{step}"></progress>
          <p class="figures">{figures}</p>
        </section>""",
        step="Stopping" if stopping else STEPS.get(progress.step, progress.step),
        total=progress.total if known else 1,
        value=markup(' value="{done}"', done=progress.done) if known else "",
        figures=" · ".join(_figures(progress)),
    )


def results(library: Library, job: JobInfo) -> Html:
    """The clips of a run that is done, best first, and what the user should know."""
    if job.status != "done":
        return Html("")
    clips: list[Clip] = []
    for clip_id in job.result.get("clips", ()):
        try:
            clips.append(library.clip(clip_id))
        except LibraryError:
            continue  # forgotten since
    notes = joined(markup("<li>{note}</li>", note=note) for note in job.result.get("notes", ()))
    return markup(
        '<section class="results"><h2>Clips of <bdi>{title}</bdi></h2>{notes}{tiles}</section>',
        title=job.result.get("title", ""),
        notes=markup('<ul class="notes">{notes}</ul>', notes=notes) if notes else "",
        tiles=tiles(clips, place="results", ranked=True) if clips else "",
    )


def _figures(progress: Progress) -> list[str]:
    figures: list[str] = []
    if progress.total:
        figures.append(f"{progress.done} of {progress.total} {UNITS.get(progress.step, 'steps')}")
    if math.isfinite(progress.stream_s):
        figures.append(f"stream {clock(progress.stream_s)}")
    if math.isfinite(progress.speed):
        figures.append(f"{progress.speed:.0f} × real time")
    if math.isfinite(progress.eta_s):
        figures.append(f"{clock(progress.eta_s)} left")
    if progress.message:
        figures.append(progress.message)
    return figures
