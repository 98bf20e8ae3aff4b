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
)
