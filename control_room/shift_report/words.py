"""Words of the report in English and Chinese that more than one part says.

Knows nothing about figures or HTML.
"""

from control_room.shift_report.span import NS, local
from scene.alarms import ALARMS
from scene.html_page import Both

SEVERITY: dict[str, Both] = {
    "critical": ("critical", "严重"),
    "warning": ("warning", "警告"),
    "notice": ("notice", "提示"),
}
STATE: dict[str, Both] = {
    "ok": ("well", "正常"),
    "unknown": ("not known", "不明"),
    "silent": ("gateway silent", "网关无响应"),
    "degraded": ("detection degraded", "检测性能下降"),
    "other": ("out of order", "异常"),
    "moved": ("moved", "被移动"),
    "dark": ("in the dark", "画面全黑"),
    "obscured": ("can't see", "被遮挡"),
    "frozen": ("frozen", "画面冻结"),
    "stalled": ("stalled", "卡顿"),
    "lost": ("lost", "离线"),
}
COUNTED: dict[str, Both] = {
    "whole": ("every metre was seen", "全部巷道可见"),
    "at_least": ("at least: some roadway was not seen", "至少：有巷道看不到"),
    "nobody_counted": ("nobody could be counted", "无法清点人数"),
    "unknown": ("not known: no record", "不明：无记录"),
}
ACTION: dict[str, Both] = {
    "acknowledge": ("acknowledged", "已确认"),
    "shelve": ("shelved", "已搁置"),
    "unshelve": ("brought back", "已恢复"),
    "end": ("ended", "已结束"),
    "log_in": ("logged in", "登录"),
    "log_in_refused": ("log-in refused", "登录被拒"),
    "log_out": ("logged out", "退出登录"),
    "retention": ("old alarms forgotten", "旧报警已清除"),
    "audit_gap": ("entries of the audit lost", "审计记录丢失"),
    "user_added": ("user added", "新增用户"),
    "user_changed": ("user changed", "更改用户"),
    "user_removed": ("user removed", "删除用户"),
    "export": ("copy of the journal taken", "导出日志"),
}
OUTSIDE: Both = ("outside all zones", "各区域之外")
WHOLE_SITE: Both = ("whole site", "全矿区")


def kind_words(kind: str) -> Both:
    """Name a kind of alarm.

    >>> kind_words("man_down")
    ('Man down', '人员倒地')
    """
    row = ALARMS.get(kind)
    return (kind, kind) if row is None else (row.english, row.chinese)


def action_words(what: str) -> Both:
    """Name an act; one that has no words yet, as the audit has it."""
    return ACTION.get(what, (what, what))


def long_words(ns: float) -> Both:
    """Say how long.

    >>> long_words(90 * 10**9), long_words(7_380 * 10**9)
    (('1 min 30 s', '1 分 30 秒'), ('2 h 03 min', '2 小时 03 分'))
    """
    seconds = round(ns / NS)
    minutes, s = divmod(seconds, 60)
    hours, m = divmod(minutes, 60)
    if hours:
        return f"{hours} h {m:02d} min", f"{hours} 小时 {m:02d} 分"
    if minutes:
        return f"{minutes} min {s:02d} s", f"{minutes} 分 {s:02d} 秒"
    return f"{s} s", f"{s} 秒"


def from_to(from_ns: int, until_ns: int) -> str:
    """Write a stretch of time, the day only once where it is the same."""
    same = local(from_ns, "%Y-%m-%d") == local(until_ns, "%Y-%m-%d")
    return f"{local(from_ns)}-{local(until_ns, '%H:%M:%S') if same else ' ' + local(until_ns)}"
