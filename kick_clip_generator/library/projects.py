"""Projects: a link or a file that somebody works on, with its source, folder, kept download, jobs and clips."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from kick_clip_generator.core.errors import NotFoundError
from kick_clip_generator.library import tables
from kick_clip_generator.library.engine import database_now
from kick_clip_generator.library.files import canonical
from kick_clip_generator.library.pages import check_limit, make_marker, read_marker
from kick_clip_generator.library.records import Page, Published
from kick_clip_generator.library.store import Store, nan_if_none


@dataclass(frozen=True, slots=True)
class Project:
    """A project, for lists and for work.

    Attributes:
        url: what was given: a link, without credentials and query, or a path.
        title: the project's own, or its source's, or empty.
        source_id: None until the link was looked up.
        duration_s: NaN when not known.
        folder: where its clips go; None for the usual folder.
        video: the download that is kept.
        clips, jobs: how many, without parts of other jobs.
        job_id, job_status, job_kind: of the newest job; None without one.
    """

    id: int
    url: str
    title: str
    source_id: int | None
    channel: str
    duration_s: float
    live: bool
    folder: Path | None
    video: Published | None
    clips: int
    jobs: int
    job_id: int | None
    job_status: str | None
    job_kind: str | None
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class ProjectQuery:
    """Which projects to list, the newest first.

    Attributes:
        text: words that must all occur in the title, the channel or the URL; upper and lower case alike.
        after: `Page.after` of the page before.
        limit: projects on a page, 1–500.
    """

    text: str = ""
    after: str | None = None
    limit: int = 50


class ProjectStore(Store):
    """One project for each link or file."""

    def add_project(self, url: str, title: str = "") -> Project:
        """The project of a URL, made when there is none; a title given later replaces the earlier one."""
        with self.writing() as session:
            row = session.scalar(select(tables.Project).where(tables.Project.url == url))
            if row is None:
                row = tables.Project(url=url, title=title)
                session.add(row)
            elif title and title != row.title:
                row.title = title
                _touch(row)
            session.flush()
            return _found(session, row.id)

    def project(self, project_id: int) -> Project:
        """Raises:
        NotFoundError: when there is none of that id.
        """
        with self.reading() as session:
            return _found(session, project_id)

    def projects(self, query: ProjectQuery = ProjectQuery()) -> Page[Project]:
        """One page of projects, the newest first.

        Raises:
            InputError: when a value of the query is out of range.
        """
        check_limit(query.limit)
        conditions = [_has_word(word) for word in query.text.casefold().split()]
        if query.after is not None:
            conditions.append(tables.Project.id < read_marker(query.after, "projects", (int,))[0])
        statement = _rows().where(and_(True, *conditions)).order_by(tables.Project.id.desc()).limit(query.limit + 1)
        with self.reading() as session:
            found = [_project(row) for row in session.execute(statement)]
        items = tuple(found[: query.limit])
        more = len(found) > query.limit
        return Page(items, make_marker("projects", [items[-1].id]) if more else None)

    def project_of_source(self, source_id: int) -> Project | None:
        """The newest project that a source belongs to."""
        newest = select(func.max(tables.Project.id)).where(tables.Project.source_id == source_id)
        with self.reading() as session:
            project_id = session.scalar(newest)
            return None if project_id is None else _found(session, project_id)

    def attach_source(self, project_id: int, source_id: int) -> None:
        """Say what the link of a project led to.

        Raises:
            NotFoundError: when there is no such project or source.
        """
        with self.writing() as session:
            if session.get(tables.Source, source_id) is None:
                raise NotFoundError(f"There is no source {source_id} in the library.")
            _change(session, project_id, source_id=source_id)

    def set_project_folder(self, project_id: int, folder: Path | None) -> None:
        """Choose where the clips of a project go; None for the usual folder.

        Raises:
            NotFoundError: when there is no such project.
        """
        with self.writing() as session:
            _change(session, project_id, folder=None if folder is None else str(canonical(folder)))

    def set_project_video(self, project_id: int, video: Published | None) -> None:
        """Note the download that is kept, or that there is none any more.

        Raises:
            NotFoundError: when there is no such project.
        """
        with self.writing() as session:
            _change(
                session,
                project_id,
                video_path=None if video is None else str(video.path),
                video_size=None if video is None else video.size,
                video_mtime_ns=None if video is None else video.mtime_ns,
                video_sha256=None if video is None else video.sha256,
            )

    def delete_project(self, project_id: int) -> list[Path]:
        """Forget a project, its jobs and compounds, and the source and clips that belong to no other project.

        Rated clips leave the lists, too, but their ratings go on teaching.

        Returns:
            the files that nobody knows any more: clips, compounds, the kept download.

        Raises:
            NotFoundError: when there is no such project.
        """
        with self.writing() as session:
            project = session.get(tables.Project, project_id)
            if project is None:
                raise _missing(project_id)
            compounds = select(tables.CompoundClip.path).where(tables.CompoundClip.project_id == project_id)
            files: list[str | None] = [project.video_path, *session.scalars(compounds)]
            source_id = project.source_id
            session.execute(delete(tables.Project).where(tables.Project.id == project_id))
            shared = exists().where(tables.Project.source_id == source_id)
            if source_id is not None and not session.scalar(select(shared)):
                files += _delete_source(session, source_id)
            return [Path(file) for file in files if file]


def _delete_source(session: Session, source_id: int) -> Iterable[str | None]:
    """Paths of its clips; the row stays while ratings of its clips teach."""
    of_source = tables.Clip.source_id == source_id
    paths = list(session.scalars(select(tables.Clip.path).where(of_source, tables.Clip.path.is_not(None))))
    rated = exists().where(tables.Rating.clip_id == tables.Clip.id)
    session.execute(delete(tables.Clip).where(of_source, ~rated).execution_options(synchronize_session=False))
    session.execute(
        update(tables.Clip).where(of_source).values(path=None, highlight_id=None, announced=None),
        execution_options={"synchronize_session": False},
    )
    session.execute(delete(tables.Highlight).where(tables.Highlight.source_id == source_id))
    session.execute(delete(tables.Transcript).where(tables.Transcript.source_id == source_id))
    if not session.scalar(select(exists().where(of_source))):
        session.execute(delete(tables.Source).where(tables.Source.id == source_id))
    return paths


def _rows() -> Select[Any]:
    """Projects with what lists show beside them; counts come from indexes, of the rows of one page alone."""
    clip, job, newest = tables.Clip, tables.Job, aliased(tables.Job)
    of_source = (clip.source_id == tables.Project.source_id, clip.path.is_not(None))
    # A job that is a part of another is that one's business.
    of_project = (job.project_id == tables.Project.id, job.parent_id.is_(None))
    clips = select(func.count()).where(*of_source).correlate(tables.Project).scalar_subquery()
    jobs = select(func.count()).where(*of_project).correlate(tables.Project).scalar_subquery()
    newest_id = select(func.max(job.id)).where(*of_project).correlate(tables.Project).scalar_subquery()
    return (
        select(tables.Project, tables.Source, clips, jobs, newest.id, newest.status, newest.kind)
        .outerjoin(tables.Source, tables.Source.id == tables.Project.source_id)
        .outerjoin(newest, newest.id == newest_id)
    )


def _has_word(word: str) -> ColumnElement[bool]:
    return or_(
        func.lower(tables.Project.title).contains(word, autoescape=True),
        func.lower(tables.Project.url).contains(word, autoescape=True),
        tables.Source.search.contains(word, autoescape=True),
    )


def _found(session: Session, project_id: int) -> Project:
    row = session.execute(_rows().where(tables.Project.id == project_id)).first()
    if row is None:
        raise _missing(project_id)
    return _project(row)


def _missing(project_id: int) -> NotFoundError:
    return NotFoundError(f"There is no project {project_id} in the library; it may have been deleted.")


def _change(session: Session, project_id: int, **changes: Any) -> None:
    row = session.get(tables.Project, project_id)
    if row is None:
        raise _missing(project_id)
    for name, value in changes.items():
        setattr(row, name, value)
    _touch(row)


def _touch(row: tables.Project) -> None:
    row.updated_at = database_now()


def _project(found: Any) -> Project:
    row, source, clips, jobs, job_id, job_status, job_kind = found
    video = None
    if row.video_path:
        video = Published(Path(row.video_path), row.video_size, row.video_sha256, row.video_mtime_ns)
    return Project(
        id=row.id,
        url=row.url,
        title=row.title or (source.title if source else ""),
        source_id=row.source_id,
        channel=source.channel if source else "",
        duration_s=nan_if_none(source.duration_s if source else None),
        live=bool(source and source.live),
        folder=Path(row.folder) if row.folder else None,
        video=video,
        clips=clips,
        jobs=jobs,
        job_id=job_id,
        job_status=job_status,
        job_kind=job_kind,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
