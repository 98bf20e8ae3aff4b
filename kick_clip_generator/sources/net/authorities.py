"""Whose certificates are trusted: what the environment names, as behind a company's proxy that opens TLS."""

from __future__ import annotations

import os

# requests, curl and OpenSSL each look at another one.
AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def own_authority() -> str:
    """The file of certificates that the environment names; empty when there is none."""
    named = (os.environ.get(name, "") for name in AUTHORITIES)
    return next((path for path in named if path and os.path.isfile(path)), "")
