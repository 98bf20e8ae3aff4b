"""The headers that a browser of a given user agent sends: sites refuse a Firefox that talks like a Chrome."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from urllib3.util.request import ACCEPT_ENCODING

# Headers that say which browser this is; they fit their user agent and no other.
IDENTITY = frozenset({"user-agent", "accept", "accept-language", "accept-encoding"})

# The first versions that send them, as of MDN's compatibility tables.
_FETCH_METADATA_SINCE = {"chromium": 76.0, "firefox": 90.0, "safari": 16.4}
_CLIENT_HINTS_SINCE = 89

# Names of the makers' builds; what calls itself none of these is Google's.
_BRANDS = (("Edg", "Microsoft Edge"), ("EdgA", "Microsoft Edge"), ("OPR", "Opera"))

# The more particular before the more general: Android and Chrome OS are Linux, too.
_PLATFORMS = (
    ("Windows", "Windows"),
    ("CrOS", "Chrome OS"),
    ("Android", "Android"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)

# Chromium's `GenerateBrandVersionList` and `GetGreasedUserAgentBrandVersion` in user_agent_utils.cc: a made-up brand,
# and all three in an order, that follow from the major version.
_BRAND_ORDERS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
_GREASE_CHARS = " (:-./);=?_"
_GREASE_VERSIONS = ("8", "99", "24")


def browser_headers(user_agent: str, url: str, *, page: str = "", cors: bool = False) -> dict[str, str]:
    """What a page's script sends to fetch something, in the order of Chrome.

    Args:
        user_agent: of Chrome, Edge, Opera, Safari or Firefox; another program's gets no headers of browsers.
        url: what is fetched. Fetch metadata and client hints go to https and this computer only, as the standards say.
        page: the address of the page that fetches; empty: one on the same host.
        cors: whether the page names itself in an Origin header.
    """
    engine, version = _engine(user_agent)
    told = engine and _is_trustworthy(url)
    hints = {}
    if told and engine == "chromium" and version >= _CLIENT_HINTS_SINCE:
        hints = {
            "sec-ch-ua-platform": f'"{_platform(user_agent)}"',
            "sec-ch-ua": _brands(user_agent, int(version)),
            "sec-ch-ua-mobile": "?1" if "Mobile" in user_agent else "?0",
        }
    metadata = {}
    if told and version >= _FETCH_METADATA_SINCE[engine]:
        site = _site(page, url) if page else "same-origin"
        # Only requests of this mode go across sites without an Origin.
        mode = "cors" if cors or site == "same-origin" else "no-cors"
        metadata = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": "empty"}
    language = {"Accept-Language": f"en-US,en;q={'0.5' if engine == 'firefox' else '0.9'}"} if engine else {}
    return {
        "Connection": "keep-alive",
        "User-Agent": user_agent,
        **hints,
        "Accept": "*/*",
        **metadata,
        # What a browser takes and urllib3 can unpack here.
        "Accept-Encoding": ", ".join(name for name in ACCEPT_ENCODING.split(",")),
        **language,
    }


def _engine(user_agent: str) -> tuple[str, float]:
    """The kind of browser and its version; empty for other programs."""
    if match := re.search(r"\bFirefox/(\d{1,4})", user_agent):
        return "firefox", float(match[1])
    # Chrome and Firefox on iOS are Safari under another name.
    if match := re.search(r"\bChrome/(\d{1,4})", user_agent):
        return "chromium", float(match[1])
    if "Safari/" in user_agent and (match := re.search(r"\bVersion/(\d{1,3}(?:\.\d{1,2})?)", user_agent)):
        return "safari", float(match[1])
    return "", 0.0


def _platform(user_agent: str) -> str:
    return next((name for token, name in _PLATFORMS if token in user_agent), "Unknown")


def _brands(user_agent: str, version: int) -> str:
    brand, brand_version = "Google Chrome", version
    for token, name in _BRANDS:
        if match := re.search(rf"\b{token}/(\d{{1,4}})", user_agent):
            brand, brand_version = name, int(match[1])
    made_up = f"Not{_GREASE_CHARS[version % 11]}A{_GREASE_CHARS[(version + 1) % 11]}Brand"
    named = (
        (made_up, _GREASE_VERSIONS[version % 3]),
        ("Chromium", str(version)),
        (brand, str(brand_version)),
    )
    places: dict[int, tuple[str, str]] = dict(zip(_BRAND_ORDERS[version % 6], named, strict=True))
    return ", ".join(f'"{places[place][0]}";v="{places[place][1]}"' for place in sorted(places))


def _site(page: str, url: str) -> str:
    """How a page and what it fetches are related."""
    try:
        ours, theirs = urlsplit(page), urlsplit(url)
        if (ours.scheme, ours.hostname, ours.port) == (theirs.scheme, theirs.hostname, theirs.port):
            return "same-origin"
    except ValueError:
        return "cross-site"
    # Without a list of public suffixes; both names were given by one platform, which owns no `co.uk`.
    same = (ours.hostname or "").split(".")[-2:] == (theirs.hostname or "").split(".")[-2:]
    return "same-site" if same and ours.scheme == theirs.scheme else "cross-site"


def _is_trustworthy(url: str) -> bool:
    """W3C Secure Contexts, "potentially trustworthy"."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme.lower() == "https" or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
