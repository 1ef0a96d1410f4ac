"""A self-contained HTML page in two languages: style, language switch, cards, lists, tables.

Knows nothing about what it reports. Nothing is loaded from elsewhere. Whatever comes from elsewhere
is only text.
"""

from collections.abc import Collection, Iterable, Sequence
from html import escape

from scene.errors import printable

Both = tuple[str, str]
"""English, Chinese."""
LONGEST = 2000
"""Of one text."""

STYLE = """
:root{color-scheme:light}body{margin:0;background:#f3f5f7;color:#111827;
font:15px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif}
main{max-width:1420px;margin:0 auto;padding:16px 20px 60px}h1{font-size:23px;margin:4px 0}
h2{font-size:17px;margin:24px 0 8px}h3{font-size:15px;margin:0 0 6px}p{margin:4px 0 8px}
ul,ol{margin:0;padding-left:24px}.note{color:#4b5563;font-size:13px}
.card{background:#fff;border:1px solid #d8dee5;border-radius:10px;padding:12px 14px;
overflow-x:auto;margin:0 0 12px}
.verdict{padding:10px 14px;border-radius:8px;margin:8px 0;border-left:10px solid}
.verdict p{margin:2px 0;font-weight:600}
.verdict.green{background:#dcf3ec;border-color:#12855f;color:#0b5345}
.verdict.amber{background:#fdf1d6;border-color:#d08a10;color:#6b4406}
.verdict.red{background:#fde3e3;border-color:#c62828;color:#8f1d1d}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13px;width:100%}
th,td{padding:3px 8px;border-bottom:1px solid #e5e9ee;text-align:right;vertical-align:top}
th{color:#4b5563;font-weight:600;vertical-align:bottom;word-break:keep-all}
td.t,th.t{text-align:left}td.t{overflow-wrap:break-word}.n+.t{padding-left:18px}
td.n,td b{white-space:nowrap}tr.bad td{background:#fdf0f0}
svg{display:block;max-width:100%;height:auto}
@media screen and (max-width:1100px){th{word-break:normal}}
@page{margin:12mm}
@media print{body{background:#fff;font-size:11px}main{padding:0}
.card{padding:6px;overflow:visible}h2,h3{break-after:avoid}svg,figure,tr{break-inside:avoid}
thead{display:table-header-group}table{font-size:9px}th,td{padding:1px 3px}
.note{font-size:10px}h3{font-size:12px}.n+.t{padding-left:12px}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
SWITCH = """
button{float:right;font:inherit;padding:3px 12px;border:1px solid #b6c0cb;border-radius:6px;
background:#fff;cursor:pointer}@media print{button{display:none}}
html[lang=en] .zh,html[lang=zh] .en{display:none}
"""
SCRIPT = """
const root=document.documentElement;
if((navigator.language||"").startsWith("zh"))root.lang="zh";
document.querySelector("button").onclick=()=>{root.lang=root.lang==="zh"?"en":"zh"};
"""


def document(title: str, body: str, style: str = "") -> str:
    """Give the whole page around its body, with more style; it opens in the browser's language."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width,initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{STYLE}{SWITCH}{style}</style></head><body><main><button>English / 中文</button>"
        f"{body}</main><script>{SCRIPT}</script></body></html>\n"
    )


def text(value: object, most: int = 200) -> str:
    """Give a text as HTML: cut, without control characters, escaped."""
    whole = str(value)
    return escape(printable(whole, most) + ("…" if len(whole) > most else ""))


def both(words: Both) -> str:
    """Give words in both languages, of which one is shown; the same in both are written once."""
    en, zh = (text(word, LONGEST) for word in words)
    if en == zh:
        return en
    return f'<span class="en" lang="en">{en}</span><span class="zh" lang="zh">{zh}</span>'


def head(words: Both) -> str:
    """Give the heading of a part."""
    return f"<h2>{both(words)}</h2>"


def card(inner: str, kind: str = "") -> str:
    """Give a framed piece."""
    return f'<div class="{f"card {kind}".strip()}">{inner}</div>'


def bullets(lines: Sequence[Both]) -> str:
    """Give a list of sentences; without any it says so."""
    if not lines:
        return both(("nothing", "无"))
    return "<ul>" + "".join(f"<li>{both(line)}</li>" for line in lines) + "</ul>"


def table(
    heads: Sequence[Both],
    rows: Iterable[Sequence[str]],
    texts: Collection[int],
    bad: Collection[int] = (),
) -> str:
    """Give a table of cells that are HTML already: columns in `texts` are words, rows in `bad` red.

    Columns and rows are counted from 0.
    """
    top = "".join(f"<th{_kind(i, texts)}>{both(words)}</th>" for i, words in enumerate(heads))
    body = "".join(
        f"<tr{' class=bad' if number in bad else ''}>"
        + "".join(f"<td{_kind(i, texts)}>{cell}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for number, row in enumerate(rows)
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _kind(index: int, texts: Collection[int]) -> str:
    return ' class="t"' if index in texts else ' class="n"'
