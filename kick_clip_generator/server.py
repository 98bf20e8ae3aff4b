"""The server of the web UI: API routes, the mounted page, and an end within two seconds."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator
from types import FrameType

import gradio as gr
import uvicorn
from fastapi import FastAPI

from kick_clip_generator.api.clips import clips_router
from kick_clip_generator.api.guard import OnlyOwnPages
from kick_clip_generator.api.health import health_router
from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.library import open_library
from kick_clip_generator.service.runs import Runs
from kick_clip_generator.ui.app import build_page
from kick_clip_generator.ui.theme import CSS, theme

log = logging.getLogger(__name__)


def build_app(settings: Settings, library: Library) -> FastAPI:
    """The application: `/api/…` and the page at `/`. Its runs are cancelled when it shuts down.

    Args:
        settings: `host` is the only name beside the loopback ones that requests may use.
        library: open; the caller closes it after the server has ended.
    """
    runs = Runs(library, settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        runs.close()

    # No documentation pages: they load their scripts from elsewhere.
    app = FastAPI(title="Kick Clip Generator", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.runs = runs
    app.include_router(health_router(library))
    app.include_router(clips_router(library))
    page = build_page(library, settings, runs)
    # Several browsers poll; Gradio's own default is one call of a function at a time.
    page.queue(default_concurrency_limit=8)
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        server_name=settings.host,
        server_port=settings.port,
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
    app.add_middleware(OnlyOwnPages, host=settings.host)
    return app


def open_gui(settings: Settings, *, open_browser: bool) -> int:
    """Serve the web UI until Ctrl-C.

    Args:
        open_browser: show the page in the browser as soon as it answers.

    Returns:
        the exit code.

    Raises:
        InputError: when the address or the port cannot be used.
        LibraryError: when `clips.db` cannot be opened.
    """
    with _listening(settings) as listener, open_library(settings) as library:
        app = build_app(settings, library)
        shown = settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1"
        url = f"http://{f'[{shown}]' if ':' in shown else shown}:{settings.port}"
        # No grace: an open page holds event streams that never end by themselves, so every second of it would be waited
        # for; with one second, Ctrl-C during a run took 2.3 s. What is stored is stored in transactions.
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=0
        )
        with contextlib.suppress(KeyboardInterrupt):
            _Server(config, app.state.runs, url, open_browser=open_browser).run(sockets=[listener])
    return 0


class _Server(uvicorn.Server):
    """Says where it is once it answers, and tells the runs to end as soon as it is told to."""

    def __init__(self, config: uvicorn.Config, runs: Runs, url: str, *, open_browser: bool) -> None:
        super().__init__(config)
        self._runs = runs
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
        # Not here: a signal handler must not wait for the lock.
        threading.Thread(target=self._runs.close, name="cancel-runs").start()
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
