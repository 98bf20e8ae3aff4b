"""Whether a file is what it says: some of its sound or picture is decoded."""

from __future__ import annotations

from pathlib import Path

import av

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.probe import MediaInfo, best_streams, describe, open_media, packets_of

# A stream that was cut out of a longer one may begin with pictures that refer to lost ones.
MOST_PACKETS = 600


def taste(path: Path) -> MediaInfo:
    """Decode until the first picture and the first sound are there.

    Returns:
        what the file holds.

    Raises:
        MediaError: when it holds no media, or not one picture or sound can be decoded.
    """
    with open_media(path) as container:
        info = describe(container)
        wanted = [stream for stream in best_streams(container) if stream is not None]
        missing = {stream.index for stream in wanted}
        for count, packet in enumerate(packets_of(container, wanted)):
            if not missing or count >= MOST_PACKETS:
                break
            try:
                if packet.stream_index in missing and packet.decode():
                    missing.discard(packet.stream_index)
            except av.FFmpegError:
                continue  # the next picture may be whole
        if not wanted or len(missing) == len(wanted):
            raise MediaError(f"{path.name} holds no picture or sound that can be decoded.")
        return info
