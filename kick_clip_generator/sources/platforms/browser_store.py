"""A program of its own: print the cookies of some hosts out of a browser's store, as lines of a Netscape cookie file.

    python browser_store.py firefox:/path/of/profile kick.com twitch.tv …

`browser_cookies` beside it runs it as a file, so that it starts without this package, and so that all the other cookies
of the browser never enter the program itself. yt-dlp knows where browsers keep them and how they are encrypted; nothing
here touches the network. It ends with status 0, or prints one of the words of `main` to stderr and ends with 1.
"""

from __future__ import annotations

import re
import sqlite3
import sys

# As yt-dlp's --cookies-from-browser: BROWSER[+KEYRING][:PROFILE][::CONTAINER].
SPECIFICATION = re.compile(
    r"(?P<name>[^+:]+)(?:\s*\+\s*(?P<keyring>[^:]+))?(?:\s*:\s*(?!:)(?P<profile>.+?))?(?:\s*::\s*(?P<container>.+))?"
)
MAX_PRINTED = 5_000


class _Silent:
    """What yt-dlp wants to say goes nowhere: it may name files and accounts."""

    def debug(self, *_: object, **__: object) -> None: ...

    info = warning = error = debug

    def progress_bar(self) -> None:
        return None


def main(specification: str, hosts: list[str]) -> str:
    """Print the cookies.

    Returns:
        Empty, or why there are none: "no yt-dlp", "unknown" (browser), "missing" (store), "locked", "encrypted",
        "failed".
    """
    try:
        from yt_dlp import cookies as store  # type: ignore[import-untyped]
    except ImportError:
        return "no yt-dlp"
    parsed = SPECIFICATION.fullmatch(specification)
    name = parsed["name"].strip().lower() if parsed else ""
    keyring = parsed["keyring"].strip().upper() if parsed and parsed["keyring"] else None
    if parsed is None or name not in store.SUPPORTED_BROWSERS or (keyring and keyring not in store.SUPPORTED_KEYRINGS):
        return "unknown"
    try:
        jar = store.extract_cookies_from_browser(
            name, parsed["profile"], _Silent(), keyring=keyring, container=parsed["container"]
        )
    except FileNotFoundError:
        return "missing"
    except (PermissionError, sqlite3.Error):
        return "locked"
    except Exception as error:
        return "encrypted" if re.search(r"decrypt|dpapi|keyring|keychain", str(error), re.IGNORECASE) else "failed"
    printed = 0
    for cookie in jar:
        domain = cookie.domain.lstrip(".").lower()
        if not any(domain == host or domain.endswith(f".{host}") for host in hosts):
            continue
        value = cookie.value or ""
        if printed >= MAX_PRINTED or re.search(r"[\x00-\x1f\x7f]", f"{cookie.domain}{cookie.path}{cookie.name}{value}"):
            continue
        printed += 1
        subdomains, secure = ("TRUE" if flag else "FALSE" for flag in (cookie.domain.startswith("."), cookie.secure))
        fields = (cookie.domain, subdomains, cookie.path, secure, str(int(cookie.expires or 0)), cookie.name, value)
        sys.stdout.write("\t".join(fields) + "\n")
    return ""


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    complaint = main(sys.argv[1], sys.argv[2:])
    sys.stderr.write(complaint)
    sys.exit(bool(complaint))
