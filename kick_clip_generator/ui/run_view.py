"""A run as the page shows it: live progress, then the ranked clips or what went wrong."""

from __future__ import annotations

import math

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.core.progress import Progress
from kick_clip_generator.core.timeline import clock
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Clip
from kick_clip_generator.service.runs import Run
from kick_clip_generator.ui.html import Html, joined, markup
from kick_clip_generator.ui.tiles import tiles
from kick_clip_generator.ui.words import box, empty

STEPS = {
    "queued": "Waiting for the run before this one",
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


def status(run: Run) -> Html:
    """Where a run stands."""
    if run.state == "failed":
        return box("error", run.error)
    if run.state == "cancelled":
        return box("note", run.error or "Stopped before it began.")
    if run.state == "done" and run.result is not None:
        count, total_s = len(run.result.clips), sum(c.highlight.clip.duration_s for c in run.result.clips)
        if not count:
            return box("note", "Finished, and no moment stood out enough for a clip.")
        return box("good", f"Done: {count} {'clip' if count == 1 else 'clips'}, {clock(total_s)} in all, best first.")
    return progress_panel(run.progress, stopping=run.cancel.cancelled)


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


def results(library: Library, run: Run) -> Html:
    """The clips of a run that is done, best first, and what the user should know."""
    if run.state != "done" or run.result is None:
        return Html("")
    clips: list[Clip] = []
    for made in run.result.clips:
        try:
            clips.append(library.clip(made.id))
        except LibraryError:
            continue  # forgotten since
    notes = joined(markup("<li>{note}</li>", note=note) for note in run.result.notes)
    return markup(
        '<section class="results"><h2>Clips of <bdi>{title}</bdi></h2>{notes}{tiles}</section>',
        title=run.result.source.title,
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
