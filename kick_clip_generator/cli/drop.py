"""`main.py drop`: clips that are not; their files move to `drop/`, which is emptied after a while."""

from __future__ import annotations

import argparse

from kick_clip_generator.cli.clip_arguments import add_label_arguments as add_arguments
from kick_clip_generator.cli.clip_arguments import label_clips
from kick_clip_generator.core.settings import Settings

__all__ = ["HELP", "add_arguments", "run"]

HELP = "drop clips: they move to drop/, teach what is not, and are deleted after DROP_DAYS"


def run(args: argparse.Namespace, settings: Settings) -> int:
    return label_clips(args, settings, "drop")
