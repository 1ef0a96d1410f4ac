"""The login page's text, in English and Chinese: one form that works without JavaScript.

Knows nothing about who may log in.
"""

from html import escape
from importlib.resources import files
from string import Template
from typing import Literal
from urllib.parse import quote

Language = Literal["en", "zh"]

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Log in – Lamproom", "登录 – Lamproom"),
    "language": ("Language", "语言"),
    "name": ("Name", "用户名"),
    "password": ("Password", "密码"),
    "log_in": ("Log in", "登录"),
    "oidc": ("Log in with the company's account", "使用公司账号登录"),
    "wrong": ("Name or password is wrong.", "用户名或密码错误。"),
    "wait": ("Too many tries. Try again in {0} s.", "尝试次数过多，请在 {0} 秒后重试。"),
    "busy": ("Many are logging in just now. Try again.", "当前登录人数较多，请重试。"),
    "plain": (
        "This page did not come over https: no password is taken here.",
        "本页面未通过 https 打开，不接受密码。",
    ),
    "unreadable": ("The form could not be read. Try again.", "表单无法读取，请重试。"),
    "oidc_failed": ("The company's account did not let you in.", "公司账号登录失败。"),
    "oidc_away": ("The company's login does not answer.", "公司登录服务无响应。"),
    "no_role": (
        "Your account has no role here. Ask whoever looks after Lamproom.",
        "您的账号在此没有角色，请联系 Lamproom 管理员。",
    ),
    "shift": ("Log in again to act.", "请重新登录后再操作。"),
}
_PAGE = Template(files("control_room.access").joinpath("login.html").read_text(encoding="utf-8"))


def login_page(
    language: Language,
    next_path: str,
    *,
    problem: str = "",
    wait_s: float = 0.0,
    name: str = "",
    passwords: bool = True,
    oidc: bool = False,
) -> str:
    """Write the page; `problem` is a key of `WORDS`, `name` what was typed before it."""
    index = 0 if language == "en" else 1
    said = WORDS[problem][index].format(int(wait_s) + 1) if problem else ""
    texts = {key: escape(texts[index]) for key, texts in WORDS.items()}
    return _PAGE.substitute(
        texts
        | {
            "lang": "en" if language == "en" else "zh-CN",
            "code": language,
            "next": escape(next_path),
            "next_query": quote(next_path, safe=""),
            "problem": f"<p>{escape(said)}</p>" if said else "",
            "no_password": "" if passwords else "hidden",
            "no_oidc": "" if oidc else "hidden",
            "typed": escape(name),
            "focus": "autofocus" if passwords and not name else "",
            "focus_password": "autofocus" if passwords and name else "",
        }
    )


def language_of(wanted: str, accepted: str) -> Language:
    """Choose the language: the one asked for, else what the browser likes best.

    >>> language_of("", "zh-CN,zh;q=0.9,en;q=0.8"), language_of("en", "zh")
    ('zh', 'en')
    """
    if wanted in ("en", "zh"):
        return "zh" if wanted == "zh" else "en"
    return "zh" if accepted.strip().lower().startswith("zh") else "en"


def safe_next(text: str) -> str:
    r"""Give where to go after the login: a path of ours, nothing else.

    >>> safe_next("/?a=1"), safe_next("//evil.example"), safe_next("/\\evil"), safe_next("/login")
    ('/?a=1', '/', '/', '/')
    """
    plain = text.isprintable() and "\\" not in text and len(text) < 1000
    ours = text.startswith("/") and not text.startswith(("//", "/login"))
    return text if plain and ours else "/"
