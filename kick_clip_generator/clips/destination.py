"""Finding destinations: the files in `destinations/`, and what other packages bring as entry points.

An entry point is looked up by `importlib.metadata`; its code is loaded when it is asked for by name, never before.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from kick_clip_generator.clips import destinations
from kick_clip_generator.core.errors import ClipGeneratorError, InputError, LibraryError
from kick_clip_generator.core.protocols import Destination, DestinationFactory, ExportFile
from kick_clip_generator.core.settings import Settings

log = logging.getLogger(__name__)

GROUP = "kick_clip_generator.destinations"

Result = TypeVar("Result")


def destination_names() -> list[str]:
    """Every destination there is: first those of the house."""
    installed = {point.name for point in importlib.metadata.entry_points(group=GROUP)}
    own = _own_names()
    return [*own, *sorted(installed - set(own))]


def find_destination(name: str) -> DestinationFactory:
    """The destination of a name. Those of the house can't be replaced by a package that is installed.

    Raises:
        InputError: there is none of that name, or its package can't be loaded.
    """
    if name in _own_names():
        factory: DestinationFactory = importlib.import_module(f"{destinations.__name__}.{name}").Destination
        return factory
    points = tuple(importlib.metadata.entry_points(group=GROUP, name=name))
    if not points:
        raise InputError(f"There is no destination {name!r}; choose one of {', '.join(destination_names())}.")
    try:
        loaded: DestinationFactory = points[0].load()
    except Exception as error:  # a stranger's code, which may fail in any way
        log.warning("The destination %s could not be loaded", name, exc_info=True)
        raise InputError(
            f"The destination {name!r} ({points[0].value}) could not be loaded ({_said(error)}); "
            "update or uninstall its package."
        ) from error
    return loaded


@contextmanager
def opened(name: str, into: str, settings: Settings) -> Iterator[Callable[[ExportFile], str]]:
    """A destination to send files to; whatever goes wrong in its code becomes one sentence.

    Raises:
        InputError: as `find_destination`.
        ClipGeneratorError: it can't be opened, or could not keep what was sent.
    """
    factory = find_destination(name)
    destination = _explained(lambda: factory(into, settings), f"The destination {name} could not be opened")
    entered: Destination = _explained(destination.__enter__, f"The destination {name} could not be opened")

    def send(file: ExportFile) -> str:
        return str(_explained(lambda: entered.send(file), f"{file.name} could not be sent to {name}"))

    try:
        yield send
    except BaseException as error:
        try:
            destination.__exit__(type(error), error, error.__traceback__)
        except Exception:
            log.warning("The destination %s could not be closed", name, exc_info=True)
        raise
    _explained(lambda: destination.__exit__(None, None, None), f"The export to {name} could not be finished")


def _explained(do: Callable[[], Result], what: str) -> Result:
    try:
        return do()
    except ClipGeneratorError:
        raise
    except Exception as error:  # likewise
        log.warning("%s", what, exc_info=True)
        raise LibraryError(f"{what} ({_said(error)}).") from error


def _said(error: Exception) -> str:
    """An exception in words, on one line."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}".rstrip(": .")


def _own_names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(destinations.__path__))
