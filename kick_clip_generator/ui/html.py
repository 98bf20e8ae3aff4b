"""Text from strangers becomes HTML here and nowhere else.

Titles, paths, reasons and error sentences hold whatever a stranger put there. `markup` escapes every value that is not
`Html` already, so leaving something raw takes a deliberate `Html(...)`.

Gradio's `gr.HTML` compiles its `html_template` with Handlebars first and runs the outcome as a JavaScript template
literal after: a value put in by `{{value}}` would be run as code. So all our components keep the default template,
`${value}`, whose value is data; and the signs of both template languages are escaped all the same.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

# Control characters, lone surrogates (undecodable file names; no JSON encoder takes them), and the bidirectional
# overrides that make "gpj.exe" read as "exe.jpg".
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_TEMPLATE_SIGNS = {ord(sign): f"&#{ord(sign)};" for sign in "{}$`"}


class Html(str):
    """A string that is HTML and safe to show."""

    __slots__ = ()


def printable(text: str) -> str:
    """`text` with the characters that are never meant to be seen replaced."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def escape(text: object) -> Html:
    """Anything as HTML text, fit for element content and for quoted attributes.

    >>> escape('<b onclick="x">')
    '&lt;b onclick=&quot;x&quot;&gt;'
    """
    return Html(html.escape(printable(str(text)), quote=True).translate(_TEMPLATE_SIGNS))


def markup(template: str, /, **values: object) -> Html:
    """Fill a template written by us; every value that is not `Html` is escaped.

    >>> markup("<p>{title}</p>", title="<script>")
    '<p>&lt;script&gt;</p>'
    """
    return Html(
        template.format(**{name: value if isinstance(value, Html) else escape(value) for name, value in values.items()})
    )


def joined(parts: Iterable[Html]) -> Html:
    """HTML one after the other."""
    return Html("".join(parts))
