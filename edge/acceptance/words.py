"""Words of the acceptance test in English and Chinese that more than one part says.

Knows nothing about figures or pages.
"""

from edge.html_page import Both
from scene.alarms import ALARMS


def kind_words(kind: str) -> Both:
    """Name a kind of alarm.

    >>> kind_words("man_down")
    ('Man down', '人员倒地')
    """
    row = ALARMS.get(kind)
    return (kind, kind) if row is None else (row.english, row.chinese)
