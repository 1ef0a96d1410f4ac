"""The frame of the page: two languages without any script, and what only this report has.

Knows nothing about what it reports. Nothing on the page is loaded from elsewhere or runs, and
whatever comes from the journal is only text.
"""

from collections.abc import Collection, Iterable, Sequence

from scene import html_page
from scene.html_page import Both, both, text

Language = str
"""`en`, `zh` or `both`: which is shown when the page is opened."""
LANGUAGES = ("en", "zh", "both")
_BUTTONS = (("en", "English"), ("zh", "中文"), ("both", "English + 中文"))

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
body{font-size:14px}table,.note{font-size:12px}.verdict li{margin:2px 0}td{overflow-wrap:anywhere}
.figures{display:flex;flex-wrap:wrap;gap:8px;margin:8px 0}
.figure{background:#fff;border:1px solid #d8dee5;border-radius:8px;padding:6px 12px;min-width:120px}
.figure b{display:block;font-size:20px;font-variant-numeric:tabular-nums}
.figure span{font-size:12px;color:#4b5563}.figure.red b{color:#b91c1c}.figure.amber b{color:#92600a}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:12px;margin:4px 0}
.legend svg{display:inline-block;width:22px;height:12px;margin-right:5px;vertical-align:-1px}
.switch{position:absolute;opacity:0;pointer-events:none}
nav{max-width:1420px;margin:0 auto;padding:10px 20px 0;text-align:right}
nav label{padding:3px 10px;border:1px solid #b6c0cb;background:#fff;cursor:pointer;font-size:13px}
#to-en:checked~nav [for=to-en],#to-zh:checked~nav [for=to-zh],
#to-both:checked~nav [for=to-both]{background:#1f2937;color:#fff}
.switch:focus-visible~nav{outline:2px solid #2563eb}
#to-en:checked~main .zh,#to-zh:checked~main .en{display:none}
#to-both:checked~main .en+.zh::before{content:" · "}.legend{break-after:avoid}
@page{size:A4 landscape;margin:10mm}
@media print{nav{display:none}body{font-size:10px}main{padding:0;max-width:none}
.card{padding:4px 0;border:0}.plot{break-inside:avoid}.figure{padding:2px 8px}
.figure b{font-size:14px}table,.legend,.note,.figure span{font-size:8px}}
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
        f"<title>{text(title)}</title><style>{html_page.STYLE}{STYLE}</style></head>"
        f"<body>{inputs}<nav>{labels}</nav><main>{body}</main></body></html>\n"
    )


def part(words: Both, inner: str) -> str:
    """Give a part of the page with its heading."""
    return f"<section><h2>{both(words)}</h2>{inner}</section>"


def note(words: Both) -> str:
    """Give a small remark."""
    return f'<p class="note">{both(words)}</p>'


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
    return html_page.table(heads, rows, set(range(len(heads))) - set(figures), bad)
