"""Which clients of the server may name files of this computer."""

from __future__ import annotations

import pytest

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.service.access import check_stream_of_client

PATHS = ["/etc/passwd", "clips.db", r"C:\Users\x\a.mp4", "~/a.mp4", " /etc/passwd", "file:///etc/passwd", "concat:a|b"]


@pytest.mark.parametrize(
    "host", ["192.168.1.20", "203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7", None, "", "testclient"]
)
@pytest.mark.parametrize("path", PATHS)
def test_paths_of_other_computers_are_refused(path: str, host: str | None) -> None:
    with pytest.raises(InputError, match="REMOTE_LOCAL_PATHS"):
        check_stream_of_client(path, host, Settings())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1"])
@pytest.mark.parametrize("path", PATHS)
def test_this_computer_may_name_its_files(path: str, host: str) -> None:
    check_stream_of_client(path, host, Settings())


def test_links_and_configured_servers_pass() -> None:
    check_stream_of_client(" https://kick.com/somebody", "203.0.113.7", Settings())
    check_stream_of_client("", "203.0.113.7", Settings())
    check_stream_of_client("/srv/stream.mp4", "203.0.113.7", Settings(remote_local_paths=True))
