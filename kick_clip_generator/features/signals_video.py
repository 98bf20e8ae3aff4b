"""The signals of the picture: names, units, ranges, meanings, sources and prices."""

from __future__ import annotations

from kick_clip_generator.features.feature import Feature, Tier


def _video(
    name: str,
    unit: str,
    low: float,
    high: float,
    meaning: str,
    source: str,
    *,
    context_s: float = 0.0,
    tier: Tier = "core",
    price_s_per_h: float = 0.0,
) -> Feature:
    return Feature(name, unit, low, high, meaning, source, "video", context_s, tier, price_s_per_h)


VIDEO_FEATURES: tuple[Feature, ...] = (
    _video(
        "motion",
        "levels",
        0,
        60,
        "Mean absolute luma change over a quarter of a second, median of the last five, so that a cut is no motion",
        "OpenCV absdiff, luma 160x90",
        context_s=3.0,
        price_s_per_h=3.2,  # with all core signals of the picture; half of it is the edges
    ),
    _video(
        "motion_variance",
        "levels²",
        0,
        2000,
        "Variance of that change over the picture: high when a part moves, low when all of it does",
        "OpenCV absdiff, luma 160x90",
        context_s=3.0,
    ),
    _video("edge_density", "", 0, 1, "Share of pixels on an edge: how busy the picture is", "OpenCV Canny 100/200"),
    _video(
        "color_variance",
        "levels²",
        0,
        4000,
        "Variance of U plus variance of V over the picture: how colorful it is",
        "moments of the chroma planes",
    ),
    _video("brightness", "levels", 0, 255, "Mean luma", "luma 160x90"),
    _video(
        "brightness_change",
        "levels",
        0,
        60,
        "Mean absolute change of brightness over a quarter of a second: flashes, fades",
        "luma 160x90",
        context_s=0.5,
    ),
    _video(
        "scene_cut",
        "",
        0,
        1,
        "How far a change of content stands out from the changes before and after it; a hard cut is near 1",
        "PySceneDetect AdaptiveDetector, one frame late",
        context_s=1.5,
    ),
    _video(
        "motion_area",
        "",
        0,
        1,
        "Share of the picture that moves: whose luma changes by more than 15 levels over a quarter of a second; median "
        "of the last five, so that a cut is no motion",
        "OpenCV absdiff and threshold, luma 160x90",
        context_s=3.0,
    ),
    _video(
        "saturation",
        "levels",
        0,
        90,
        "Mean distance of the colors from gray: 0 for a gray picture",
        "ffmpeg signalstats SATAVG",
    ),
    _video(
        "flash",
        "levels",
        0,
        128,
        "How far the light jumps up and comes back within half a second; a muzzle flash, a strobe; half a second late",
        "brightness of the whole picture",
        context_s=2.0,
    ),
    _video(
        "scene_strength",
        "",
        0,
        1,
        "How much the content changes at once, at most; from 0.3 on it is a cut, or the two ends of a flash",
        "ffmpeg select scene, at the frames that are looked at",
        context_s=1.0,
    ),
    _video(
        "black_ratio",
        "",
        0,
        1,
        "Share of black pixels in the darkest picture; from 0.98 on the picture is black",
        "ffmpeg blackdetect, pix_th 0.10",
    ),
    _video(
        "picture_change",
        "levels",
        0,
        60,
        "Largest mean change of luma and color since the picture before the tick; up to 0.77 the picture is frozen",
        "ffmpeg freezedetect, n 0.003",
        context_s=0.5,
    ),
    _video(
        "overlay_change",
        "",
        0,
        1,
        "Share of the picture that stood still, changed and stands still again without a cut: an alert, a score, a "
        "banner; half a second late",
        "range of the luma over ticks",
        context_s=2.0,
    ),
    _video(
        "picture_novelty",
        "",
        0,
        1,
        "How unlike every picture of the last 5 s this one is: least share of hash bits that differ; near 0 where "
        "nothing changes and where the picture goes back to one it showed",
        "difference hash, Krawetz 2013",
        context_s=5.0,
        tier="extended",
    ),
    _video(
        "vector_speed",
        "widths/s",
        0,
        2,
        "Mean speed of the blocks of the picture by the codec's motion vectors; unknown without the media themselves, "
        "and for codecs that tell none (all but H.264 and MPEG)",
        "FFmpeg export_mvs",
        tier="extended",
        # At 320x180 and 30 fps, with the decode of the references, the coherence and the novelty.
        price_s_per_h=12.0,
    ),
    _video(
        "vector_coherence",
        "",
        0,
        1,
        "How alike those motions are: 1 for a pan, near 0 where everything runs its own way; unknown where nothing "
        "moves",
        "mean resultant length of the vectors",
        tier="extended",
    ),
    _video(
        "face_count",
        "",
        0,
        20,
        "Faces that look at the camera, looked for once in 4 s; unknown in between",
        "OpenCV Haar cascade frontalface_alt2, Viola and Jones 2001",
        tier="extended",
        # With the area, over the decode of the motion vectors, in every eighth tick; whatever the size of the media.
        price_s_per_h=23.0,
    ),
    _video(
        "face_area",
        "",
        0,
        1,
        "Share of the picture that they take up; unknown without the media themselves",
        "OpenCV Haar cascade frontalface_alt2, Viola and Jones 2001",
        tier="extended",
    ),
)
