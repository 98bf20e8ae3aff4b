"""`main.py keep`: clips that are good; their files move to `keep/`."""

from __future__ import annotations

import argparse

from kick_clip_generator.cli.clip_arguments import add_label_arguments as add_arguments
from kick_clip_generator.cli.clip_arguments import label_clips
from kick_clip_generator.core.settings import Settings

__all__ = ["HELP", "add_arguments", "run"]

HELP = "keep clips: they move to keep/ and teach what is good"


def run(args: argparse.Namespace, settings: Settings) -> int:
    return label_clips(args, settings, "keep")
