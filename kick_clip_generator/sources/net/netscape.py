"""Lines of Netscape cookie files, in which browsers and tools hand cookies on."""

from __future__ import annotations

import http.cookiejar
import re

PRINTABLE = re.compile(r"[\x20-\x7e]*")


def cookie_of(line: str) -> http.cookiejar.Cookie | None:
    """A cookie from `domain TAB subdomains too TAB path TAB https only TAB expires TAB name TAB value`, or None."""
    fields = line.removeprefix("#HttpOnly_").rstrip("\r\n").split("\t")
    if line.startswith("#") and not line.startswith("#HttpOnly_"):
        return None
    if len(fields) != 7 or not all(PRINTABLE.fullmatch(part) for part in fields):
        return None
    domain, flag, path, secure, expires, name, value = fields
    host = domain.strip().lower().lstrip(".")
    subdomains = flag.upper() == "TRUE"
    if not host or not name or ";" in name + value or (subdomains and "." not in host):
        # One for all of `.com` is a mistake or an attack.
        return None
    if "." not in host:
        # How `http.cookiejar` names hosts of the local network.
        host = f"{host}.local"
    lasting = re.fullmatch(r"[0-9]{1,15}(\.[0-9]+)?", expires)
    expires_s = int(float(expires)) if lasting else 0
    return http.cookiejar.Cookie(
        version=0,
        name=name,
        value=value,
        port=None,
        port_specified=False,
        domain=f".{host}" if subdomains else host,
        domain_specified=subdomains,
        domain_initial_dot=subdomains,
        path=path if path.startswith("/") else "/",
        path_specified=True,
        secure=secure.upper() == "TRUE",
        expires=expires_s or None,
        discard=not expires_s,
        comment=None,
        comment_url=None,
        rest={},
    )
