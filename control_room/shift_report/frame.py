"""The frame of the page: style, two languages without any script, tables, lists, cards.

Knows nothing about what it reports. Nothing on the page is loaded from elsewhere or runs, and
whatever comes from the journal is only text.
"""

from collections.abc import Collection, Iterable, Sequence
from html import escape

from scene.errors import printable

Both = tuple[str, str]
"""English, Chinese."""
Language = str
"""`en`, `zh` or `both`: which is shown when the page is opened."""
LANGUAGES = ("en", "zh", "both")
_BUTTONS = (("en", "English"), ("zh", "中文"), ("both", "English + 中文"))

BAD = ' class="bad"'
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
:root{color-scheme:light}body{margin:0;background:#f3f5f7;color:#111827;
font:14px/1.45 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif}
main{max-width:1420px;margin:0 auto;padding:10px 20px 60px}h1{font-size:22px;margin:4px 0}
h2{font-size:17px;margin:22px 0 8px}h3{font-size:14px;margin:10px 0 4px}p{margin:4px 0 8px}
ul{margin:0;padding-left:22px}.note{color:#4b5563;font-size:12px}
.card{background:#fff;border:1px solid #d8dee5;border-radius:10px;padding:10px 14px;margin:0 0 12px;
overflow-x:auto}.verdict{padding:8px 14px;border-radius:8px;margin:8px 0;border-left:10px solid}
.verdict li{margin:2px 0}.verdict.green{background:#dcf3ec;border-color:#12855f}
.verdict.amber{background:#fdf1d6;border-color:#d08a10}
.verdict.red{background:#fde3e3;border-color:#c62828}
.figures{display:flex;flex-wrap:wrap;gap:8px;margin:8px 0}
.figure{background:#fff;border:1px solid #d8dee5;border-radius:8px;padding:6px 12px;min-width:120px}
.figure b{display:block;font-size:20px;font-variant-numeric:tabular-nums}
.figure span{font-size:12px;color:#4b5563}.figure.red b{color:#b91c1c}.figure.amber b{color:#92600a}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:12px;width:100%}
th,td{padding:3px 7px;border-bottom:1px solid #e5e9ee;text-align:left;vertical-align:top;
overflow-wrap:anywhere}
th{color:#4b5563;font-weight:600;vertical-align:bottom;overflow-wrap:normal;word-break:keep-all}
td.r,th.r{text-align:right}td.n{white-space:nowrap}
tr.bad td{background:#fdf0f0}svg{display:block;max-width:100%;height:auto}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:12px;margin:4px 0}
.legend svg{display:inline-block;width:22px;height:12px;margin-right:5px;vertical-align:-1px}
.switch{position:absolute;opacity:0;pointer-events:none}
nav{max-width:1420px;margin:0 auto;padding:10px 20px 0;text-align:right}
nav label{padding:3px 10px;border:1px solid #b6c0cb;background:#fff;cursor:pointer;font-size:13px}
#to-en:checked~nav [for=to-en],#to-zh:checked~nav [for=to-zh],
#to-both:checked~nav [for=to-both]{background:#1f2937;color:#fff}
.switch:focus-visible~nav{outline:2px solid #2563eb}
#to-en:checked~main .zh,#to-zh:checked~main .en{display:none}
#to-both:checked~main .en+.zh::before{content:" · "}
@page{size:A4 landscape;margin:10mm}
@media print{nav{display:none}body{background:#fff;font-size:10px}main{padding:0;max-width:none}
.card{padding:4px 0;border:0;overflow:visible}.plot{break-inside:avoid}h2,h3{break-after:avoid}
table{font-size:8px}th,td{padding:1px 3px}thead{display:table-header-group}tr{break-inside:avoid}
.figure{padding:2px 8px}.figure b{font-size:14px}.legend,.note,.figure span{font-size:8px}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""


def document(title: str, body: str, language: Language) -> str:
    """Give the whole page around its body."""
    inputs = "".join(
        f'<input class="switch" type="radio" name="language" id="to-{name}"'
        f"{' checked' if name == language else ''}>"
        for name, _ in _BUTTONS
    )
    labels = "".join(f'<label for="to-{name}">{words}</label>' for name, words in _BUTTONS)
    return (
        f'<!doctype html>\n<html lang="{"zh" if language == "zh" else "en"}"><head>'
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head>"
        f"<body>{inputs}<nav>{labels}</nav><main>{body}</main></body></html>\n"
    )


def text(value: object, most: int = 200) -> str:
    """Give a text from elsewhere as HTML: cut, without control characters, escaped."""
    whole = str(value)
    return escape(printable(whole, most) + ("…" if len(whole) > most else ""))


def both(words: Both) -> str:
    """Give words in both languages, of which one is shown; they may hold what came from elsewhere.

    Words that are the same in both are written once.
    """
    if words[0] == words[1]:
        return text(words[0], 1000)
    en, zh = (text(word, 1000) for word in words)
    return f'<span class="en" lang="en">{en}</span><span class="zh" lang="zh">{zh}</span>'


def part(words: Both, inner: str) -> str:
    """Give a part of the page with its heading."""
    return f"<section><h2>{both(words)}</h2>{inner}</section>"


def card(inner: str, kind: str = "") -> str:
    """Give a framed piece."""
    return f'<div class="card {kind}">{inner}</div>'


def note(words: Both) -> str:
    """Give a small remark."""
    return f'<p class="note">{both(words)}</p>'


def bullets(lines: Iterable[Both]) -> str:
    """Give a list of sentences."""
    return "<ul>" + "".join(f"<li>{both(line)}</li>" for line in lines) + "</ul>"


def figure(value: str, words: Both, kind: str = "") -> str:
    """Give one figure with what it is; `value` is HTML."""
    return f'<div class="figure {kind}"><b>{value}</b><span>{both(words)}</span></div>'


def table(
    heads: Sequence[Both],
    rows: Iterable[Sequence[str]],
    *,
    figures: Collection[int] = (),
    bad: Collection[int] = (),
) -> str:
    """Give a table of cells that are HTML already.

    Columns in `figures` stand right, rows in `bad` are red; both are counted from 0.
    """
    top = "".join(f"<th{_kind(i, figures)}>{both(words)}</th>" for i, words in enumerate(heads))
    body = "".join(
        f"<tr{BAD if number in bad else ''}>"
        + "".join(f"<td{_kind(i, figures)}>{cell}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for number, row in enumerate(rows)
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _kind(index: int, figures: Collection[int]) -> str:
    return ' class="r n"' if index in figures else ""
