"""What a run found, as text for a terminal."""

from __future__ import annotations

from kick_clip_generator.core.timeline import clock
from kick_clip_generator.service.generate import GenerateResult

REASONS_SHOWN = 3


def print_result(result: GenerateResult) -> None:
    """Print the highlights with their reasons, the files, and what the user should know."""
    print(f"\n{printable(result.source.title)}")
    if result.detection.merged:
        print(f"{'#':>3}  {'score':>5}  {'moment':>17}  {'clip':>17}  {'kind':6}  why")
    for rank, highlight in enumerate(result.detection.merged, 1):
        event = f"{clock(highlight.event.start_s)}–{clock(highlight.event.end_s)}"
        clip = f"{clock(highlight.clip.start_s)}–{clock(highlight.clip.end_s)}"
        why = ", ".join(reason.text for reason in highlight.reasons[:REASONS_SHOWN])
        print(f"{rank:3d}  {highlight.score:5.2f}  {event:>17}  {clip:>17}  {highlight.kind:6}  {why}")
    for note in result.notes:
        print(f"• {printable(note)}")
    if result.clips:
        print(f"\n{len(result.clips)} {'clip' if len(result.clips) == 1 else 'clips'} in {result.folder}")
        for clip_file in result.clips:
            span = clip_file.highlight.clip
            # Of a new clip it is not known yet.
            state = "" if clip_file.checked == "pending" else f", {clip_file.checked}"
            print(f"  {clip_file.path.name}  {clock(span.start_s)}, {span.duration_s:.1f} s, no. {clip_file.id}{state}")


def printable(text: str) -> str:
    """Text from strangers without the control characters that could move a terminal's cursor."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
