"""What the platforms' tools complain about, as one of our outcomes, and the sentence that the user reads."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.sources.platforms.links import NAMES, Platform, PlatformLink
from kick_clip_generator.sources.safety import clean_text, redact

MAX_DETAIL_CHARS = 300

# Most telling first: what one provider knows for certain says more than that another one was refused.
BY_WEIGHT = (
    "login",
    "gone",
    "offline",
    "geo_blocked",
    "unsupported",
    "blocked",
    "rate_limited",
    "site_changed",
    "unreachable",
    "timeout",
    "tls",
    "server",
)

# Messages of yt-dlp 2026.10.26 (its extractors of the three platforms, `common.py`, `networking`), of streamlink 8.6.3
# and of the platforms themselves as these tools pass them on. The first pattern that is found counts.
_PATTERNS: Sequence[tuple[str, str]] = (
    ("site_changed", r"JSONDecodeError|KeyError|TypeError|AttributeError|ValidationError|Failed to parse JSON"),
    ("geo_blocked", r"geo.?restrict|not (?:made this video )?available (?:in|from) your (?:country|location|region)"),
    ("geo_blocked", r"blocked (?:it|this \w+) in your country|content_geoblocked|your country"),
    ("blocked", r"not a bot|IP is likely being blocked|unusual traffic|JS challenge|captcha|cloudflare"),
    ("rate_limited", r"\b429\b|too many requests|rate.?limit|try again later"),
    ("offline", r"not currently live|is offline|live event (?:will begin|has ended)|premieres? in|will begin in"),
    ("offline", r"waiting for .{1,60} to start|offline\b"),
    ("gone", r"has been removed|no longer available|account .{0,60}(?:terminated|closed)|has been deleted|deleted"),
    ("login", r"private video|video is private|members.only|join this channel|sub(?:scriber)?.only|subscribers?\b"),
    ("login", r"requires? (?:a )?(?:channel )?subscription|vod_manifest_restricted|unauthorized_entitlements"),
    (
        "login",
        r"log(?:ged)? in|login|sign in|registered users|confirm your age|age.restricted|requires? payment|\b401\b",
    ),
    ("login", r"unauthorized|use --cookies|purchase"),
    ("gone", r"video unavailable|video is unavailable|does not exist|doesn.t exist|not found|\b404\b|\b410\b|expired"),
    ("gone", r"this video (?:isn.t|is not) available|recording is not available"),
    ("unsupported", r"\bDRM\b|protected videos"),
    ("tls", r"certificate|SSL"),
    ("timeout", r"timed? ?out"),
    ("unreachable", r"resolve host|name resolution|getaddrinfo|Name or service not known|No address associated"),
    (
        "unreachable",
        r"Failed to establish|Could not connect|Couldn.t connect|Connection refused|Network is unreachable",
    ),
    ("unreachable", r"ProxyError|CONNECT tunnel|Max retries exceeded|Errno 1[01]\d|curl: \((?:5|6|7|35|52|56)\)"),
    ("server", r"\b50[0-9]\b|Internal Server Error|service error|Bad Gateway"),
    ("blocked", r"\b403\b|Forbidden|access denied|blocked|impersonat"),
    ("site_changed", r"unable to (?:extract|find|recognize|parse|download)|failed to (?:extract|parse)|update"),
    ("site_changed", r"unsupported url|No (?:suitable|plugin)"),
    ("site_changed", r"No video formats|Requested format is not available|could not be found|Only images"),
)
_COMPILED = tuple((outcome, re.compile(pattern, re.IGNORECASE)) for outcome, pattern in _PATTERNS)

# These interfaces answer 200 for what is gone, so a 404 means that they themselves are not there any more.
_NO_API: Mapping[Platform, re.Pattern[str]] = {
    "twitch": re.compile(r"JSON metadata: HTTP Error 4(?:00|04)|gql\.twitch\.tv/gql \(4(?:00|04)"),
    "youtube": re.compile(r"\[youtube\].*API page: HTTP Error 4(?:00|04)"),
}

_URL = re.compile(r"https?://[^\s'\"<>)]+")
_PATH_OF_URL = re.compile(r"(?<=url: )/\S+")
_PLEAS = re.compile(
    r"[;.]? *(please report this issue on|Confirm you are on the latest|See +\S+ +(for|first)|Use --cookies|"
    r"Also see|\(caused by).*",
    re.IGNORECASE | re.DOTALL,
)


def judge(text: str, platform: Platform) -> str:
    """The outcome that a tool's complaint stands for; "failed" where it is not known."""
    closed = _NO_API.get(platform)
    if closed is not None and closed.search(text):
        return "site_changed"
    # Names and numbers in addresses say nothing.
    text = _PATH_OF_URL.sub("…", _URL.sub("…", text))
    return next((outcome for outcome, pattern in _COMPILED if pattern.search(text)), "failed")


def tidy(text: str) -> str:
    """A complaint as logs may show it: one line, without signed addresses and pleas to report it elsewhere."""
    text = _PATH_OF_URL.sub("…", _URL.sub(lambda found: redact(found[0]), " ".join(text.split())))
    text = _PLEAS.sub("", text)
    return clean_text(text, MAX_DETAIL_CHARS).strip().rstrip(".;:")


def refusal(link: PlatformLink, outcome: str, detail: str = "") -> SourceError:
    """The error for an outcome, with what to do next.

    Args:
        detail: what exactly was said, tidied; shown where the outcome alone says little.
    """
    site = NAMES[link.platform]
    name = link.name
    said = f" ({detail})" if detail else ""
    kept = ", for Kick keeps recordings for 30 days" if link.platform == "kick" and link.kind == "vod" else ""
    sentences = {
        "offline": f"{_start(name)} is not live now{said}; paste the link of a recording, or come back when it is live",
        "gone": f"{_start(name)} does not exist, was deleted or has expired{kept}; check the link in a browser",
        "login": f"{_start(name)} is for members, subscribers or people who are logged in{said}; log in with a browser "
        "and give its cookies: --cookies-from-browser firefox, or --cookies FILE",
        "geo_blocked": f"{_start(name)} may not be watched from this country; open the link in a browser, and if it "
        "does not play there either, use a file of it that you have",
        "blocked": f"{site} refuses {name} to this program{said or ' (403 after all retries)'}; wait some minutes, "
        "give the cookies of a browser where it plays (--cookies-from-browser firefox), or try without a VPN",
        "rate_limited": f"{site} was asked too often from this address (429); wait some minutes and try again",
        "site_changed": f"{site} answers in a way that is not known yet{said}; update what reads it: "
        f"{update_command()}",
        "unsupported": f"{_start(name)} is protected (DRM) and can't be read; choose another one",
        "unreachable": f"{site} can't be reached; check the network, the proxy (HTTPS_PROXY) and the name server",
        "timeout": f"{site} did not answer in time; check the network, or raise RESOLVE_TIMEOUT",
        "tls": f"No trusted connection to {site} could be made; check the clock and, behind a company's proxy, "
        "SSL_CERT_FILE",
        "server": f"{site} has trouble of its own just now (5xx); try again in some minutes",
    }
    sentence = sentences.get(outcome) or f"{_start(name)} could not be resolved{said}; {update_command()} may help"
    retryable = outcome in ("offline", "blocked", "rate_limited", "unreachable", "timeout", "server")
    return SourceError(f"{sentence}.", outcome=outcome, retryable=retryable)


def update_command(*packages: str) -> str:
    """The command that updates the tools in this environment; one that uv made has no pip of its own."""
    wanted = " ".join(packages or ("yt-dlp", "yt-dlp-ejs", "streamlink", "curl_cffi"))
    if importlib.util.find_spec("pip") is None:
        return f"uv pip install -U --python {sys.executable} {wanted}"
    return f"{sys.executable} -m pip install -U {wanted}"


def _start(name: str) -> str:
    return name[:1].upper() + name[1:]
