"""Every tunable once, with its default, unit, range and meaning.

Where a value comes from, strongest first: environment variable, `.env`, `config.py` (read by `main.py` alone), the
default here. `config.py` and `.env.example` are generated from this file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from kick_clip_generator.core.errors import InputError

# Divisors of a 60 fps clock that put a whole number of frames into every 0.5 s tick.
FRAME_SKIPS = (1, 2, 3, 5, 6, 10, 15, 30)

# An absurd minute of a stream; 100 hours is longer than any platform keeps in one piece.
LONGEST_STREAM_MIN = 6000.0

# Where nothing else is said.
GUI_PORT, SERVE_PORT = 7860, 8000

Words = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """All settings, checked. Attribute names are the setting names in lower case."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, populate_by_name=True
    )

    # Reading the stream
    chunk_duration: float = Field(30.0, ge=5, le=600, description="Length of an analysis window, in seconds.")
    chunk_overlap: float = Field(
        5.0,
        ge=5,
        le=60,
        description="Overlap of two windows, in seconds; it is the lead-in that decoder and features need.",
    )
    max_stream_duration: float = Field(
        36000.0, ge=1, le=360000, description="Analyse at most this much of a stream, in seconds."
    )
    frame_skip: int = Field(
        15,
        ge=1,
        le=30,
        description="Look at one of this many frames of a 60 fps clock: 15 is 4 a second. 1, 2, 3, 5, 6, 10, 15 or 30.",
    )
    max_workers: int = Field(2, ge=1, le=64, description="Stretches of a local file analysed at the same time.")
    prefetch_segments: int = Field(3, ge=2, le=4, description="Pieces of the stream fetched ahead of the decoder.")
    analysis_height: int = Field(
        160,
        ge=100,
        le=4320,
        description="The analysis reads the cheapest quality of at least this height, in pixels.",
    )
    analysis_effort: Literal["auto", "full", "keyframes"] = Field(
        "auto",
        description="full decodes every frame; auto those that others refer to, and from 720p60 and 1080p up only a "
        "keyframe and a tenth of a second behind it, where they are at most 3 s apart; keyframes does so for any size.",
    )
    hwaccel: Literal["auto", "cuda", "qsv", "vaapi", "videotoolbox", "none"] = Field(
        "auto",
        description="Decodes pictures from 720p up: auto tries what this machine has once and takes what beats "
        "software; none is software.",
    )
    signals: Literal["core", "candidates", "all"] = Field(
        "core",
        description="Also measure the expensive signals (speech, formants, faces, motion vectors): core does not, "
        "candidates does around the best moments, all everywhere.",
    )
    quality: str = Field(
        "best",
        description="Clips are cut from this quality: best, or a height such as 720p (the next lower one counts).",
    )
    live_from: Literal["now", "start"] = Field(
        "now", description="Where to begin in a running stream: now, or at the start of what the platform still keeps."
    )
    live_stall: float = Field(
        30.0, ge=5, le=3600, description="Seconds without new media after which a running stream is looked up again."
    )

    # Network
    max_retries: int = Field(5, ge=0, le=20, description="How often a failed request is tried again.")
    backoff_factor: float = Field(
        2.0, ge=1, le=10, description="Each wait before a retry is this many times the one before."
    )
    connect_timeout: float = Field(10.0, ge=0.1, le=300, description="Seconds a connection may take to be made.")
    request_timeout: float = Field(15.0, ge=0.1, le=300, description="Seconds a request may wait for the next byte.")
    resolve_timeout: float = Field(
        60.0, ge=1, le=600, description="Seconds each tool may take to find out what a platform's link leads to."
    )
    cookies_file: Path | None = Field(
        None, description="A cookies.txt (Netscape format) of a browser that is logged in, for members-only streams."
    )
    cookies_from_browser: str = Field(
        "", description="Take the cookies from this browser instead: firefox, chrome, edge, brave, opera or safari."
    )
    user_agents: Words = Field(
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
            "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
            "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
            "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
        ),
        min_length=1,
        description="User agents to rotate through when a server refuses; in the environment separated by |.",
    )
    allowed_private_hosts: Words = Field(
        (),
        description="Host names or addresses on the local network that may be read, separated by commas. Empty: none.",
    )

    # Highlights
    highlight_mode: Literal["v2", "v1"] = Field(
        "v2", description="What a highlight is: v2 a moment that stands out, with ends chosen around it; v1 a scene."
    )
    segmentation_mode: Literal["v2", "v1"] | None = Field(
        None, description="Another name of HIGHLIGHT_MODE, stronger when set: v2 or v1."
    )
    scene_threshold: float = Field(
        0.3, ge=0, le=1, description="Change of the picture from which v1 begins a new scene, as in ffmpeg's scene."
    )
    clip_duration: float | None = Field(
        None, ge=1, le=600, description="Fixed length of clips in seconds; empty or auto: ends are chosen."
    )
    min_clip_seconds: float = Field(5.0, ge=1, le=600, description="Shortest clip when ends are chosen, in seconds.")
    max_clip_seconds: float = Field(60.0, ge=1, le=600, description="Longest clip when ends are chosen, in seconds.")
    min_gap: float = Field(
        10.0, ge=0, le=3600, description="Least distance between the peaks of two highlights of a kind, in seconds."
    )
    top_n_highlights: int = Field(10, ge=1, le=25, description="Clips per kind unless a flag says otherwise.")
    min_audio_score: float = Field(0.05, ge=0, le=1, description="Audio highlights below this score are not shown.")
    min_video_score: float = Field(0.05, ge=0, le=1, description="Video highlights below this score are not shown.")
    min_speech_score: float = Field(0.05, ge=0, le=1, description="Speech highlights below this score are not shown.")
    min_chat_score: float = Field(0.05, ge=0, le=1, description="Chat highlights below this score are not shown.")
    chat_lag: float = Field(6.0, ge=0, le=120, description="So many seconds after a moment the chat answers it.")
    keep_best: bool = Field(True, description="When no moment reaches its minimum score, give the best one.")
    heuristic_weight: float = Field(
        0.6, ge=0, le=1, description="Share of the heuristic score once a model is trained."
    )
    ml_weight: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = Field(
        "auto",
        description="Share of the learned score once a model is trained, 0 to 1, beside HEURISTIC_WEIGHT; auto: as far "
        "as the ratings speak.",
    )

    # Learning
    learner: Literal["auto", "taste", "ridge", "boosting"] = Field(
        "auto",
        description="What learns from ratings: auto what measured best, a Gaussian process that begins at the "
        "heuristic (taste); ridge regression; gradient boosting.",
    )
    n_estimators: int = Field(100, ge=1, le=5000, description="Trees of the boosting models.")
    learning_rate: float = Field(0.1, gt=0, le=1, description="Learning rate of the boosting models.")
    retrain_every: int = Field(5, ge=1, le=1000, description="Retrain after this many new ratings.")
    min_training_samples: int = Field(10, ge=2, le=100000, description="No model below this many ratings.")
    ask_best: float = Field(0.3, ge=0, le=1, description="Clips to rate: share of those that you will like most.")
    ask_promising: float = Field(0.6, ge=0, le=1, description="Clips to rate: share of those that you may like most.")
    ask_unsure: float = Field(0.0, ge=0, le=1, description="Clips to rate: share of those that are known least.")
    ask_hidden: float = Field(
        0.1, ge=0, le=1, description="Clips to rate: share of those whose heuristic score is too low to be shown."
    )

    # Clips
    cut: Literal["copy", "smart", "exact"] = Field(
        "smart",
        description="How clips are cut: copy (fast, starts at a keyframe), smart (to the frame, re-encoded up to the "
        "first keyframe only) or exact (re-encoded).",
    )
    drop_days: float = Field(
        30.0, ge=0, le=3650, description="Clips that you dropped are deleted after so many days; 0: never."
    )
    quota_gb: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="Most that clips, compounds and kept downloads may take, in GB: beyond it the oldest clips that "
        "are neither rated nor kept are deleted; 0: no limit.",
    )
    retention_days: float = Field(
        0.0,
        ge=0,
        le=3650,
        description="Clips that are neither rated nor kept are deleted after so many days; 0: never.",
    )

    # Exports
    export_name: str = Field(
        "{channel}_{date}_{rank:02d}_{title}",
        min_length=1,
        max_length=500,
        description="Names of exported files: text with any of {channel}, {date}, {rank}, {title}, {source}, {kind}, "
        "{score}, {stars}, {start}, {end}, {duration} and {id}.",
    )
    export_dir: Path = Field(Path("exports"), description="Where exported clips go unless you say otherwise.")

    # Folders and programs
    output_dir: Path = Field(Path("output_clips"), description="Where clips go.")
    processed_clips_dir: Path | None = Field(None, description="Another name of OUTPUT_DIR, stronger when set.")
    model_dir: Path = Field(Path("models"), description="Where trained models are kept.")
    temp_dir: Path = Field(Path("temp_chunks"), description="Media of the window being read; emptied as the run goes.")
    feature_dir: Path = Field(
        Path("feature_cache"), description="Measured features of streams, so that a second look reads no media."
    )
    download_dir: Path = Field(Path("downloads"), description="Where sources that you choose to keep are stored.")
    log_dir: Path = Field(Path("logs"), description="Rotating log files.")
    database_path: Path = Field(Path("clips.db"), description="The SQLite library of sources, clips and ratings.")
    database_url: str = Field(
        "",
        repr=False,
        description="A PostgreSQL to use instead of DATABASE_PATH, shared by several machines: "
        "postgresql+psycopg://user:password@host/name.",
    )
    backup_dir: Path | None = Field(
        None, description="Where backups of the library go; empty: the folder backups beside it."
    )
    backups_kept: int = Field(5, ge=1, le=1000, description="How many of its own backups the program keeps.")
    ffmpeg_path: Path | None = Field(None, description="An ffmpeg to use instead of the bundled one.")

    # Workers
    workers: int = Field(
        2,
        ge=0,
        le=64,
        description="Processes that work on jobs: beside the server, or of python main.py worker; one more is for live "
        "streams. 0: none here.",
    )
    queue_url: str = Field(
        "", repr=False, description="A Redis that wakes the workers, redis://host:6379/0; empty: the database does."
    )
    download_quality: str = Field(
        "best", description="Which quality of a source is kept when you download it: best, or a height such as 720p."
    )

    # Programs
    host: str = Field(
        "127.0.0.1", description="Address the server listens on; any but those of this computer needs a password."
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="Port of the server; empty: 7860 with --gui, 8000 with serve."
    )
    allowed_hosts: Words = Field(
        (), description="Other names under which the server is reached, such as a proxy's, separated by commas."
    )
    serve_frontend: bool = Field(False, description="Whether serve shows the web page, too, beside the REST API.")
    debug: bool = Field(False, description="Answers of the server to what went wrong unexpectedly show the traceback.")
    server_password: str = Field(
        "",
        repr=False,
        description="Password of the server, for containers; elsewhere python main.py password keeps a hash of it.",
    )
    secret_key: str = Field(
        "", repr=False, description="Signs messages and names sessions; empty: made once and kept in the library."
    )
    flask_secret_key: str = Field("", repr=False, description="Another name of SECRET_KEY, weaker when both are set.")
    upload_limit: float = Field(20.0, gt=0, le=1000, description="Largest file that may be uploaded, in GB.")
    remote_local_paths: bool = Field(
        False, description="Whether pages opened on other computers may name files of this one as a stream."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much goes to the log files."
    )

    @field_validator("user_agents", mode="before")
    @classmethod
    def _split_user_agents(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split("|") if part.strip()) if isinstance(value, str) else value

    @field_validator("allowed_private_hosts", "allowed_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: Any) -> Any:
        return (
            tuple(part.strip().lower() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("clip_duration", mode="before")
    @classmethod
    def _auto_duration(cls, value: Any) -> Any:
        return None if isinstance(value, str) and value.strip().lower() in ("", "auto", "none") else value

    @field_validator("quality", "download_quality")
    @classmethod
    def _best_or_height(cls, value: str) -> str:
        value = value.strip().lower()
        if value != "best" and not re.fullmatch(r"[1-9]\d{2,3}p?", value):
            raise ValueError("Input should be best or a height such as 720p")
        return value

    @field_validator("cookies_from_browser")
    @classmethod
    def _browser(cls, value: str) -> str:
        # It becomes an argument of another program.
        if not re.fullmatch(r"[A-Za-z]{0,20}([+:][\w .+:/\\-]{1,300})?", value):
            raise ValueError("Input should be the name of a browser, such as firefox")
        return value

    @field_validator(
        "cookies_file", "processed_clips_dir", "backup_dir", "ffmpeg_path", "port", "segmentation_mode", mode="before"
    )
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("frame_skip")
    @classmethod
    def _whole_frames_per_tick(cls, value: int) -> int:
        if value not in FRAME_SKIPS:
            raise ValueError(f"Input should be one of {', '.join(map(str, FRAME_SKIPS))}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.chunk_overlap >= self.chunk_duration:
            raise ValueError("CHUNK_OVERLAP should be less than CHUNK_DURATION")
        if self.min_clip_seconds > self.max_clip_seconds:
            raise ValueError("MIN_CLIP_SECONDS should not be more than MAX_CLIP_SECONDS")
        if self.ml_weight != "auto" and math.isclose(self.heuristic_weight + self.ml_weight, 0.0):
            raise ValueError("HEURISTIC_WEIGHT and ML_WEIGHT should not both be 0")
        if not sum(self.ask_mix.values()) > 0:
            raise ValueError("ASK_BEST, ASK_PROMISING, ASK_UNSURE and ASK_HIDDEN should not all be 0")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over `.env` over what `load_settings` was given (`config.py`)."""
        return env_settings, dotenv_settings, init_settings

    @property
    def library_place(self) -> Path | str:
        """Where the library is: `DATABASE_URL` when set, else `DATABASE_PATH`."""
        return self.database_url or self.database_path

    @property
    def clips_dir(self) -> Path:
        """Where clips go: `PROCESSED_CLIPS_DIR` when set, else `OUTPUT_DIR`."""
        return self.processed_clips_dir or self.output_dir

    @property
    def mode(self) -> Literal["v2", "v1"]:
        """What a highlight is: `SEGMENTATION_MODE` when set, else `HIGHLIGHT_MODE`."""
        return self.segmentation_mode or self.highlight_mode

    @property
    def learned_share(self) -> float | None:
        """Share of the learned score in the blend, 0-1; None for as far as the ratings speak."""
        return None if self.ml_weight == "auto" else self.ml_weight / (self.heuristic_weight + self.ml_weight)

    @property
    def ask_mix(self) -> dict[str, float]:
        """How clips to rate are chosen: the share of each strategy of `learning.queries`."""
        return {
            "best": self.ask_best,
            "promising": self.ask_promising,
            "unsure": self.ask_unsure,
            "hidden": self.ask_hidden,
        }

    @property
    def frame_rate_hz(self) -> float:
        """Frames looked at per second of stream."""
        return 60.0 / self.frame_skip


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings from the environment, `.env` and `overrides` (names in any case), in that order of strength.

    Raises:
        InputError: when a value is out of range; one line that names the key, the value and the range.
    """
    try:
        return Settings(**{key.lower(): value for key, value in (overrides or {}).items()})
    except ValidationError as error:
        raise InputError(_one_line(error)) from None


def with_changes(settings: Settings, **changes: Any) -> Settings:
    """A copy with some values changed, checked like any others; the environment is not asked again.

    Raises:
        InputError: as `load_settings`.
    """
    try:
        return Settings.__pydantic_validator__.validate_python({**settings.model_dump(), **changes})  # type: ignore[no-any-return]
    except ValidationError as error:
        raise InputError(_one_line(error)) from None


def setting_range(name: str) -> tuple[float, float]:
    """The least and the greatest value of a number among the settings.

    Args:
        name: in lower case.

    Raises:
        KeyError: when there is no such setting, or it has no range.
    """
    bounds = {
        bound: float(getattr(item, bound))
        for item in Settings.model_fields[name].metadata
        for bound in ("gt", "ge", "le")
        if hasattr(item, bound)
    }
    return bounds["ge"] if "ge" in bounds else bounds["gt"], bounds["le"]


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]).upper()
    message = str(first["msg"]).removeprefix("Value error, ")
    if not key:
        return f"{message}."
    limits = _limits(key.split(".")[0].lower())
    return f"{key}={first['input']!r} is not valid: {message.removeprefix('Input ')}{limits}."


def _limits(name: str) -> str:
    try:
        low, high = setting_range(name)
    except KeyError:
        return ""
    return f" (allowed: {low:g} to {high:g})"
