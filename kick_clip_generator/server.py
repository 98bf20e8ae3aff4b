"""The server: API routes, the page mounted behind them, and an end within two seconds."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from kick_clip_generator.api.app import build_api, guard
from kick_clip_generator.api.context import Context
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import GUI_PORT, SERVE_PORT, Settings, with_changes
from kick_clip_generator.jobs.supervisor import Supervisor
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.door import Door, require_password
from kick_clip_generator.service.jobs import start_daily
from kick_clip_generator.service.library import open_library
from kick_clip_generator.service.secrets import secret_key
from kick_clip_generator.service.webhooks import WebhookSender

log = logging.getLogger(__name__)

_RELOADED = "KICK_CLIP_GENERATOR_RELOADED"


class Background:
    """What a server does beside answering: its workers, and telling webhooks."""

    def __init__(self, library: Library, settings: Settings) -> None:
        secret = secret_key(library, settings)
        self._supervisor = Supervisor(library, settings, secret, periodic=start_daily)
        self._webhooks = WebhookSender(library, settings)
        self._lock = threading.Lock()
        self._stopped = False

    def start(self) -> None:
        self._supervisor.start()
        self._webhooks.start()

    def stop(self) -> None:
        """End within two seconds; whoever calls second waits for the first."""
        with self._lock:
            if not self._stopped:
                self._webhooks.stop()
                self._supervisor.stop()
                self._stopped = True


def build_app(
    settings: Settings, library: Library, *, frontend: bool = True, background: Background | None = None
) -> FastAPI:
    """The application: `/api/…` and the page at `/`.

    Args:
        settings: `host` is the only name beside the loopback ones and `allowed_hosts` that requests may use.
        library: open; the caller closes it after the server has ended.
        frontend: whether there is a page.
        background: started and stopped with the application; None where jobs are not worked off here.
    """
    context = Context(library, settings, Door(library, settings))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if background is not None:
            background.start()
        yield
        if background is not None:
            await run_in_threadpool(background.stop)

    app = build_api(context, lifespan=lifespan)
    app.state.background = background
    if frontend:
        _mount_page(app, settings, library)
    guard(app, context)
    return app


def _mount_page(app: FastAPI, settings: Settings, library: Library) -> None:
    # Takes seconds to import, which a server of the API alone need not wait for.
    import gradio as gr

    from kick_clip_generator.ui.app import build_page
    from kick_clip_generator.ui.theme import CSS, theme

    page = build_page(library, settings)
    # Several browsers poll; Gradio's own default is one call of a function at a time.
    page.queue(default_concurrency_limit=8)
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        server_name=settings.host,
        server_port=settings.port or GUI_PORT,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        theme=theme(),
        css=CSS,
    )
    # A mounted page stays "not launched", and until then Gradio does not check the file paths in requests: one
    # that named /etc/passwd got it back.
    page.has_launched = True


def open_gui(settings: Settings, *, open_browser: bool) -> int:
    """Serve the web UI until Ctrl-C.

    Args:
        open_browser: show the page in the browser as soon as it answers.

    Returns:
        the exit code.

    Raises:
        InputError: when the address or the port cannot be used, or other computers could come in without a password.
        LibraryError: when `clips.db` cannot be opened.
    """
    settings = with_changes(settings, port=settings.port or GUI_PORT)
    return _serve(settings, frontend=True, open_browser=open_browser)


def serve(settings: Settings) -> int:
    """Serve the REST API until Ctrl-C, with the page where `SERVE_FRONTEND` says so.

    Returns:
        the exit code.

    Raises:
        InputError, LibraryError: as `open_gui`.
    """
    settings = with_changes(settings, port=settings.port or SERVE_PORT)
    return _serve(settings, frontend=settings.serve_frontend, open_browser=False)


def _serve(settings: Settings, *, frontend: bool, open_browser: bool) -> int:
    with _listening(settings) as listener, open_library(settings) as library:
        require_password(library, settings)
        app = build_app(settings, library, frontend=frontend, background=Background(library, settings))
        shown = settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1"
        url = f"http://{f'[{shown}]' if ':' in shown else shown}:{settings.port}"
        # No grace: an open page holds event streams that never end by themselves, so every second of it would be waited
        # for; with one second, Ctrl-C during a run took 2.3 s. What is stored is stored in transactions.
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=0
        )
        with contextlib.suppress(KeyboardInterrupt):
            _Server(config, app, url, open_browser=open_browser).run(sockets=[listener])
    return 0


def serve_reloading(settings: Settings) -> int:
    """As `serve`, in a child that is started anew when a file of the program changes; for development."""
    from uvicorn.supervisors import ChangeReload

    settings = with_changes(settings, port=settings.port or SERVE_PORT)
    with _listening(settings) as listener, open_library(settings) as library:
        require_password(library, settings)
        # The child has no other way to know what the command line said.
        os.environ[_RELOADED] = settings.model_dump_json()
        config = uvicorn.Config(
            f"{__name__}:reloaded_app",
            factory=True,
            reload=True,
            reload_dirs=[str(Path(__file__).parent)],
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=0,
        )
        print(f"Kick Clip Generator: http://{settings.host}:{settings.port} (Ctrl-C ends it)", flush=True)
        ChangeReload(config, target=uvicorn.Server(config).run, sockets=[listener]).run()
    return 0


def reloaded_app() -> FastAPI:
    """The application of `serve_reloading`'s child."""
    settings = with_changes(Settings.model_construct(), **json.loads(os.environ[_RELOADED]))
    library = open_library(settings)
    background = Background(library, settings)
    return build_app(settings, library, frontend=settings.serve_frontend, background=background)


class _Server(uvicorn.Server):
    """Says where it is once it answers, and tells the runs to end as soon as it is told to."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, url: str, *, open_browser: bool) -> None:
        super().__init__(config)
        self._ended_by_us = [app.state.background.stop] if app.state.background else []
        self._url = url
        self._open_browser = open_browser

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        print(f"Kick Clip Generator: {self._url} (Ctrl-C ends it)", flush=True)
        if self._open_browser:
            threading.Thread(target=_show, args=(self._url,), daemon=True).start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not here: a signal handler must not wait for a lock.
        for end in self._ended_by_us:
            threading.Thread(target=end, name="end").start()
        # Every open page makes uvicorn log an error when its event stream is cut off.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        super().handle_exit(sig, frame)


def _show(url: str) -> None:
    try:
        webbrowser.open(url)
    except webbrowser.Error as error:
        log.info("No browser could be opened: %s", error)


def _listening(settings: Settings) -> socket.socket:
    """A socket bound to the configured address; bound here, because uvicorn ends the process when it can't."""
    where = f"{settings.host}:{settings.port}"
    try:
        family, *_, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise InputError(f"HOST={settings.host!r} is no address of this computer; use 127.0.0.1.") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # there it would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"Another program already listens on {where}; close it, or set PORT to another number."
            ) from error
        raise InputError(
            f"The server cannot listen on {where} ({error.strerror}); set HOST and PORT to something else."
        ) from error
    listener.setblocking(False)
    return listener
