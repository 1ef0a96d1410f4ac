"""Words of the acceptance test in English and Chinese that more than one part says.

Knows nothing about figures or pages.
"""

from control_room.evidence_words import in_chinese
from control_room.shift_report.words import STATE
from scene.alarms import ALARMS
from scene.html_page import Both


def kind_words(kind: str) -> Both:
    """Name a kind of alarm.

    >>> kind_words("man_down")
    ('Man down', '人员倒地')
    """
    row = ALARMS.get(kind)
    return (kind, kind) if row is None else (row.english, row.chinese)


def said(english: str) -> Both:
    """Give a gateway's sentence, and in Chinese as far as it has been worded."""
    return english, in_chinese(english)


def state_words(state: str) -> Both:
    """Name a camera's state.

    >>> state_words("lost")
    ('lost', '离线')
    """
    return STATE.get(state, (state, state))


def told_alarm(kind: str, evidence: str, at_s: float | None = None) -> Both:
    """Say what an alarm said, and when: seconds from the test's start."""
    (en, zh), (why, why_zh) = kind_words(kind), said(evidence)
    when, when_zh = ("", "") if at_s is None else (f" at {at_s:.1f} s", f"（{at_s:.1f} 秒）")
    return f"{en}{when}: {why}", f"{zh}{when_zh}：{why_zh}"
