"""Projects: what somebody pasted, named once, and looked up when it is worked on."""

from __future__ import annotations

from kick_clip_generator.core.errors import ConflictError, LibraryError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.files import check_writable
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.projects import Project
from kick_clip_generator.service.access import check_stream_of_client, place_of_client
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.local import resolve_local
from kick_clip_generator.sources.safety import lasting_url


def add_project(library: Library, settings: Settings, url: str, *, client: str | None, title: str = "") -> Project:
    """The project of a link or path; the same for every spelling of one link.

    A link is not looked up yet, which may take a minute: the first job of the project does that. A file must be there.

    Args:
        client: the address that asks; files are read for this computer only, see `check_stream_of_client`.

    Raises:
        InputError: a path from another computer.
        SourceError: it is neither a web address that may be read nor a file with media.
    """
    check_stream_of_client(url, client, settings)
    with Inquiry(url, settings) as inquiry:
        if inquiry.link is not None:
            return library.add_project(inquiry.link.url, title)
        if not inquiry.is_web:
            source = resolve_local(inquiry)
            assert source is not None  # it answers None for web addresses alone
            project = library.add_project(source.url, title)
            library.attach_source(project.id, library.record_source(source))
            return library.project(project.id)
        project = library.add_project(lasting_url(inquiry.url), title)
        if inquiry.url != project.url:
            library.keep_value(_kept_as(project.id), {"link": inquiry.url})
        else:
            forget_link(library, project.id)
        return project


def link_of(library: Library, project: Project) -> str:
    """What to resolve: the link as it was pasted last, signed as it may be; secret."""
    kept = library.kept_value(_kept_as(project.id))
    return str(kept["link"]) if kept else project.url


def forget_link(library: Library, project_id: int) -> None:
    """A project that is gone leaves no signed link behind."""
    if library.kept_value(_kept_as(project_id)) is not None:
        library.forget_value(_kept_as(project_id))


def set_output_folder(
    library: Library, settings: Settings, project_id: int, folder: str | None, *, client: str | None
) -> Project:
    """Choose where the clips of a project go; clips that are there already stay where they are.

    Args:
        folder: see `place_of_client`, below `OUTPUT_DIR`; None or empty for the usual folder.
        client: the address that asks.

    Raises:
        NotFoundError: when there is no such project.
        InputError: when the client may not choose it.
        ConflictError: when nothing can be written there.
    """
    library.project(project_id)
    path = place_of_client(folder or "", client, settings, below=settings.clips_dir)
    if path is not None:
        try:
            check_writable(path)
        except LibraryError as error:
            raise ConflictError(str(error)) from error
    library.set_project_folder(project_id, path)
    return library.project(project_id)


def _kept_as(project_id: int) -> str:
    return f"link.{project_id}"
