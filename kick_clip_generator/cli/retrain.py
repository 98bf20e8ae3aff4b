"""`main.py retrain`: train the models on all ratings, now (for cron or Task Scheduler too)."""

from __future__ import annotations

import argparse

from kick_clip_generator.core.settings import Settings

HELP = "train the models on all ratings"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No flags of its own."""


def run(args: argparse.Namespace, settings: Settings) -> int:
    from kick_clip_generator.pipeline.retrain import retrain_models
    from kick_clip_generator.service.library import open_library

    with open_library(settings) as library:
        result = retrain_models(library, settings)
    if not args.quiet:
        print(result.reason)
    return 0
