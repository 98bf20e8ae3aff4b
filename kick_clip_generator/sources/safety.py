"""Which addresses may be read, and how they may be named.

Addresses come from strangers: pasted links, redirects, playlists. None of them may make this program open local files
through odd protocols or talk to machines on the user's own network. Only `http` and `https` pass, and every address
that a host name resolves to must be public, unless `ALLOWED_PRIVATE_HOSTS` names the host. The check sits where the
connection is made (`sources.net.connection`), so a name cannot resolve differently between check and use.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import socket
import unicodedata
from collections.abc import Collection
from pathlib import PurePosixPath
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from kick_clip_generator.core.errors import SourceError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_URL_CHARS = 8192
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
MAX_TITLE_CHARS = 300

# Azure's host agent answers on a globally routed address, so no address class covers it.
_METADATA_ADDRESSES = frozenset({ipaddress.ip_address("168.63.129.16")})

# An IPv6-only network reaches IPv4 hosts through this prefix (RFC 6052); the IPv4 address inside is what counts.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

# Long path parts of streaming URLs are tokens more often than names.
_MAX_SHOWN_PART_CHARS = 60

# Query parameters that sign a URL change with every visit; the others may tell two videos apart.
_SIGNING = re.compile(
    r"sig|token|expir|policy|key|auth|hmac|hash|nonce|session|sess|ticket|pass|secret|jwt|amz|cred|timestamp|^(e|s|st|t|ts|sid)$",
    re.IGNORECASE,
)

_GENERIC_NAMES = frozenset({"index", "master", "playlist", "manifest", "chunklist", "stream", "video", "prog_index"})


def check_url(url: str) -> SplitResult:
    """Split a web address after checking its form; the addresses behind its host are checked on connecting.

    Raises:
        SourceError: when it is not a plain http or https address (outcome "refused").
    """
    if len(url) > MAX_URL_CHARS:
        raise _refused(f"The address is {len(url)} characters long; at most {MAX_URL_CHARS} are read")
    if _UNPRINTABLE.search(url):
        raise _refused("The address holds spaces or control characters; copy it again")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _refused(f"{redact(url)} is not a valid web address; copy it again") from None
    if parts.scheme.lower() not in ("http", "https"):
        scheme = parts.scheme[:20] or "no"
        raise _refused(f"Only http and https addresses and local files are read, and this one starts with {scheme}:")
    if not host:
        raise _refused("The address names no host; copy it again")
    return parts


def redact(url: str) -> str:
    """A URL as logs and messages may show it: no credentials, query, fragment, or token-like path parts."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "(unreadable address)"
    host = f"[{host}]" if ":" in host else host
    location = f"{host}:{port}" if port else host
    path = "/".join(f"{part[:12]}…" if len(part) > _MAX_SHOWN_PART_CHARS else part for part in parts.path.split("/"))
    return clean_text(f"{parts.scheme}://{location}{path}", MAX_TITLE_CHARS)


def public_url(url: str) -> str:
    """A URL as the library may keep it: whole path, but no credentials, query or fragment."""
    parts = check_url(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme.lower()}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def identity(url: str) -> str:
    """What makes a URL the same source tomorrow: `public_url`, and a hash of the parameters that sign nothing.

    `watch?v=1` and `watch?v=2` differ; two visits of one signed URL do not.
    """
    lasting = sorted((name, value) for name, value in parse_qsl(urlsplit(url).query) if not _SIGNING.search(name))
    digest = hashlib.sha256(repr(lasting).encode("utf-8", "replace")).hexdigest()[:16] if lasting else ""
    return f"{public_url(url)} {digest}"


def lasting_url(url: str) -> str:
    """A URL as it names a video: without credentials, fragment and the parameters that sign it."""
    lasting = [(name, value) for name, value in parse_qsl(urlsplit(url).query) if not _SIGNING.search(name)]
    return f"{public_url(url)}{'?' if lasting else ''}{urlencode(lasting)}"


def title_of(path: str, fallback: str = "") -> str:
    """A title for people from a URL's (percent-encoded) path: its last part, or the folder's where that says nothing.

    Any character may come back but control characters; at most `MAX_TITLE_CHARS` of them.
    """
    names = [unquote(part, errors="replace") for part in path.split("/") if part]
    for name in reversed(names[-2:]):
        title = clean_text(stem_of(name), MAX_TITLE_CHARS).strip()
        if title and title.lower() not in _GENERIC_NAMES:
            return title
    return clean_text(stem_of(names[-1]) if names else fallback, MAX_TITLE_CHARS).strip() or fallback


def stem_of(name: str) -> str:
    """A file name without its extension; "v1.2 final" keeps its dot, for no extension has a space or ten letters."""
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if re.fullmatch(r"\.\w{1,5}", suffix) and name != suffix else name


def clean_text(text: str, max_chars: int) -> str:
    """Text without control characters, lone surrogates and direction overrides (they make `gpj.exe` read `exe.jpg`).

    Joiners and variation selectors stay: emoji are made of them.
    """
    kept = (
        character
        for character in text
        if unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        and unicodedata.bidirectional(character) not in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    )
    return "".join(kept)[:max_chars]


def checked_addresses(host: str, port: int, allowed_private_hosts: Collection[str]) -> list[str]:
    """All addresses of a host, for connecting to exactly these.

    Args:
        host: a name or an address in any notation, without brackets.
        port: for the look-up.
        allowed_private_hosts: lower-case names or addresses, as the user wrote them, that are not checked.

    Raises:
        SourceError: when any of them is not public (outcome "refused").
        OSError: when the name cannot be resolved.
    """
    plain = host.strip("[]").rstrip(".").lower()
    literal = literal_address(plain)
    if literal is not None:
        addresses = [literal]
    else:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))
    if plain not in allowed_private_hosts and not all(is_public(address) for address in addresses):
        raise _refused(
            f"{clean_text(plain, 100)} is an address of this computer or its network, which links may not reach; "
            f"add it to ALLOWED_PRIVATE_HOSTS if you trust it"
        )
    return [str(address) for address in addresses]


def literal_address(host: str) -> IPAddress | None:
    """The address that a host is, in any notation that resolvers take (`0x7f.1`, `2130706433`); None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    if not re.fullmatch(r"[0-9a-fx.]+", host) or not host[:1].isdigit():
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def is_public(address: IPAddress) -> bool:
    """Whether an address, and any IPv4 address inside it, belongs to the public internet."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address in _METADATA_ADDRESSES)


def _refused(message: str) -> SourceError:
    return SourceError(f"{message}.", outcome="refused")
