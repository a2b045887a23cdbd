"""Texts without markup, among those that may be HTML."""

from __future__ import annotations

import re
from html import unescape

TAG = re.compile(
    r"</?(?:a|abbr|address|article|aside|b|big|blockquote|body|br|caption|center|cite|code|col"
    r"|colgroup|dd|del|details|dfn|div|dl|dt|em|figcaption|figure|font|footer|form|h[1-6]|head"
    r"|header|hr|html|i|iframe|img|input|ins|kbd|label|li|link|main|mark|meta|nav|ol|p|pre|q|s"
    r"|samp|script|section|small|span|strike|strong|style|sub|summary|sup|table|tbody|td|tfoot"
    r"|th|thead|time|title|tr|tt|u|ul|var|video|o:p)(?:\s[^<>]*)?/?>|<!--.*?-->|<![a-z][^<>]*>",
    re.IGNORECASE | re.DOTALL,
)
"""Tags, comments and entities of HTML; `<jane@example.org>` is text."""


class PlainText(str):
    """A text without markup: nothing in it is a tag or an entity, whatever it looks like."""

    __slots__ = ()


def without_markup(text: str) -> str:
    """Return *text*, which may be HTML, without what HTML adds."""
    return str(text) if isinstance(text, PlainText) else unescape(TAG.sub("", text))
