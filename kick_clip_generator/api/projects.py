"""Projects: made from a link, a path or an upload; looked at, listed, deleted."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from kick_clip_generator.api.access import client_of
from kick_clip_generator.api.body import Body
from kick_clip_generator.api.clips import JPEG_ANSWERS, ClipPage, page_of_clips, thumbnail
from kick_clip_generator.api.context import After, Context, Limit, RowId
from kick_clip_generator.api.jobs import JobPage, page_of_jobs
from kick_clip_generator.api.media import MEDIA_ANSWERS, encodable, file_response
from kick_clip_generator.api.problems import PROBLEMS
from kick_clip_generator.api.ranges import RangeWanted, ranged_headers, wanted_range
from kick_clip_generator.api.uploads import UPLOAD_BODY, receive_form
from kick_clip_generator.core.errors import NotFoundError
from kick_clip_generator.core.records import Kind
from kick_clip_generator.library.projects import Project, ProjectQuery
from kick_clip_generator.library.records import ClipQuery, ClipSort, JobQuery, JobStatus
from kick_clip_generator.library.store import none_if_nan
from kick_clip_generator.service.jobs import delete_project
from kick_clip_generator.service.projects import add_project, set_output_folder
from kick_clip_generator.service.timeline import timeline_document
from kick_clip_generator.service.video import RemoteVideo, Videos

_LINK = Field(min_length=1, max_length=8192)
_TITLE = Field("", max_length=300, description="For people; that of the source without.")


class FromLink(Body):
    url: str = _LINK
    title: str = _TITLE


class FromPath(Body):
    path: str = _LINK
    title: str = _TITLE


class OutputFolder(Body):
    folder: str | None = Field(
        max_length=1000, description="A path on the server, or one below OUTPUT_DIR; null for the usual folder."
    )


class ProjectOut(BaseModel):
    id: int
    url: str = Field(description="What was given, without what signs it; of a file its name alone.")
    title: str
    channel: str
    duration: float | None = Field(description="Seconds; null until it is known.")
    live: bool
    clips: int
    jobs: int
    job_id: int | None = Field(description="The newest job.")
    job_state: JobStatus | None
    job_kind: str | None
    has_video: bool = Field(description="Whether a download is kept.")
    video_bytes: int | None
    created_at: float = Field(description="UNIX seconds.")
    updated_at: float


class ProjectPage(BaseModel):
    projects: list[ProjectOut]
    after: str | None = Field(description="Begins the next page; null at the end.")


class HighlightOut(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: int
    start: float
    end: float
    score: float
    kind: Kind


class ClipOnLine(BaseModel):
    id: int
    highlight_id: int | None
    start: float
    end: float
    stars: int | None
    kept: bool
    dropped: bool


class TimelineOut(BaseModel):
    duration: float | None
    highlights: list[HighlightOut]
    clips: list[ClipOnLine]


def projects_router(context: Context) -> APIRouter:
    """The routes under `/api/projects`, but for those that start work."""
    router = APIRouter(prefix="/api/projects", tags=["projects"], responses=PROBLEMS)
    library, settings = context.library, context.settings
    videos = Videos(library, settings)

    def made(request: Request, url: str, title: str) -> Response:
        project = add_project(library, settings, url, client=client_of(request.scope), title=title)
        return JSONResponse(project_document(project), 201)

    @router.post("/url", status_code=201, response_model=ProjectOut)
    def from_url(body: FromLink, request: Request) -> Response:
        """A project of any link that is supported; the same link gives the same project."""
        return made(request, body.url, body.title)

    @router.post("/youtube", status_code=201, response_model=ProjectOut)
    def from_youtube(body: FromLink, request: Request) -> Response:
        """As `url`, under the name that older clients know."""
        return made(request, body.url, body.title)

    @router.post("/local", status_code=201, response_model=ProjectOut)
    def from_path(body: FromPath, request: Request) -> Response:
        """A project of a file on the computer of the server, for clients there alone (`REMOTE_LOCAL_PATHS`)."""
        return made(request, body.path, body.title)

    @router.post("/upload", status_code=201, response_model=ProjectOut, openapi_extra=UPLOAD_BODY)
    async def from_upload(request: Request) -> Response:
        """A project of a file that is sent as a form; it is decoded before it counts as media."""
        return JSONResponse(project_document(await receive_form(request, library, settings)), 201)

    @router.get("", response_model=ProjectPage)
    def list_projects(
        text: Annotated[str, Query(max_length=200)] = "", after: After = None, limit: Limit = 50
    ) -> Response:
        """Projects, the newest first."""
        page = library.projects(ProjectQuery(text, after, limit))
        return JSONResponse({"projects": [project_document(one) for one in page.items], "after": page.after})

    @router.get("/{project_id:int}", response_model=ProjectOut)
    def show_project(project_id: RowId) -> Response:
        """One project."""
        return JSONResponse(project_document(library.project(project_id)))

    @router.delete("/{project_id:int}", status_code=204)
    def remove_project(project_id: RowId) -> Response:
        """Delete a project with its jobs, clips, folder and kept download; what was rated goes on teaching."""
        delete_project(library, settings, project_id)
        return Response(status_code=204)

    @router.post("/{project_id:int}/output-folder", response_model=ProjectOut)
    def output_folder(project_id: RowId, body: OutputFolder, request: Request) -> Response:
        """Choose where the clips of a project go from now on."""
        client = client_of(request.scope)
        project = set_output_folder(library, settings, project_id, body.folder, client=client)
        return JSONResponse(project_document(project))

    @router.get("/{project_id:int}/clips", response_model=ClipPage)
    def list_clips(
        project_id: RowId,
        sort: ClipSort = "score",
        dropped: bool | None = False,
        after: After = None,
        limit: Limit = 50,
    ) -> Response:
        """Clips of a project, the best first."""
        source_id = library.project(project_id).source_id
        if source_id is None:
            return JSONResponse({"clips": [], "after": None})
        query = ClipQuery(source_id=source_id, sort=sort, dropped=dropped, after=after, limit=limit)
        return page_of_clips(context, query)

    @router.get("/{project_id:int}/jobs", response_model=JobPage)
    def list_jobs(project_id: RowId, after: After = None, limit: Limit = 50) -> Response:
        """Jobs of a project, the newest first."""
        library.project(project_id)
        return page_of_jobs(context, JobQuery(project_id=project_id, after=after, limit=limit))

    @router.get("/{project_id:int}/timeline", response_model=TimelineOut)
    def timeline(project_id: RowId) -> Response:
        """The moments of a project and its clips, by time."""
        return JSONResponse(timeline_document(library, library.project(project_id)))

    @router.get("/{project_id:int}/thumbnails/{clip_id:int}", response_class=Response, responses=JPEG_ANSWERS)
    def clip_thumbnail(
        project_id: RowId, clip_id: Annotated[int, Path(ge=1, le=2**31 - 1)], request: Request
    ) -> Response:
        """A picture of the moment of a clip."""
        clip = library.clip(clip_id)
        if library.project(project_id).source_id != clip.source_id:
            raise NotFoundError(f"Clip {clip_id} is none of project {project_id}.")
        return thumbnail(clip, request)

    @router.api_route("/{project_id:int}/video", methods=["GET"], response_class=Response, responses=MEDIA_ANSWERS)
    @router.api_route("/{project_id:int}/video", methods=["HEAD"], include_in_schema=False)
    def video(project_id: RowId, request: Request) -> Response:
        """The whole video: the kept download, or ranges of the source passed on. Answers `Range`."""
        found = videos.of(library.project(project_id))
        if isinstance(found, RemoteVideo):
            return _passed_on(found, request)
        return file_response(found, request, gone="The file of this project has been moved or deleted; put it back.")

    return router


def project_document(project: Project) -> dict[str, Any]:
    """A `ProjectOut`."""
    is_link = urlsplit(project.url).scheme in ("http", "https")
    return {
        "id": project.id,
        "url": encodable(project.url if is_link else project.url.replace("\\", "/").rpartition("/")[2]),
        "title": encodable(project.title),
        "channel": encodable(project.channel),
        "duration": none_if_nan(project.duration_s),
        "live": project.live,
        "clips": project.clips,
        "jobs": project.jobs,
        "job_id": project.job_id,
        "job_state": project.job_status,
        "job_kind": project.job_kind,
        "has_video": project.video is not None,
        "video_bytes": None if project.video is None else project.video.size,
        "created_at": project.created_at,
        "updated_at": project.updated_at,
    }


def _passed_on(video: RemoteVideo, request: Request) -> Response:
    wanted: RangeWanted = wanted_range(request.headers, video.size, video.etag)
    headers = ranged_headers(wanted, video.size, video.etag)
    if wanted.status in (304, 416) or request.method == "HEAD":
        return Response(status_code=wanted.status, headers=headers, media_type=video.media_type)
    pieces = video.read(wanted.first, wanted.stop)
    # The first piece tells whether there is an answer at all.
    beginning = next(pieces, b"")

    def body() -> Any:
        yield beginning
        yield from pieces

    return StreamingResponse(body(), wanted.status, headers, video.media_type)
