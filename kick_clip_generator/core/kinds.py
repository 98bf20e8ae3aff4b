"""Whose signals tell of a moment; by itself, so that a command line that only asks for help loads nothing else."""

from __future__ import annotations

from typing import Literal, get_args

Medium = Literal["audio", "video", "speech", "chat"]
MEDIA: tuple[Medium, ...] = get_args(Medium)

# A moment that one medium found, sound and picture ("both"), or any other two or more of them ("fused").
Kind = Literal["audio", "video", "speech", "chat", "both", "fused"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Which highlights are looked for: all that can be measured, sound and picture, or one kind.
Wanted = Literal["all", "both", "audio", "video", "speech", "chat"]
WANTED: tuple[Wanted, ...] = get_args(Wanted)
