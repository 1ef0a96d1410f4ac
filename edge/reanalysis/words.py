"""What the report says of files that could not be read whole, in Chinese: the same figures.

Knows nothing about why. What nobody has worded, an operating system's own reason for instance,
stays in English: nothing is left out.
"""

import re

from scene.html_page import Both

ROWS: tuple[tuple[str, str], ...] = (
    ("does not say what was run: of which gateway it is", "未说明所运行的内容：不知属于哪个网关"),
    ("does not say when it was begun", "未说明开始时间"),
    (
        "is still being written to: run it again when it is finished",
        "仍在写入：写完后请再次运行",
    ),
    ("is there twice: {other} is used", "有两份：使用 {other}"),
    ("no --site FILE is of its gateway, {gateway}", "没有 --site 文件属于其网关 {gateway}"),
    ("this folder can't be read: {why}", "无法读取此文件夹：{why}"),
    ("can't be read: {why}", "无法读取：{why}"),
    ("can't be read on: {why}", "无法继续读取：{why}"),
    ("there is no such recording", "没有此录像"),
    ("is no recording (not an MCAP file)", "不是录像（不是 MCAP 文件）"),
    (
        "is an MCAP file, but was not recorded by Lamproom",
        "是 MCAP 文件，但不是 Lamproom 的录像",
    ),
    (
        "its beginning is cut off or damaged; nothing can be read",
        "开头缺失或损坏，全部无法读取",
    ),
    ("has none of the pipeline's steps: it can't be run again", "没有处理步骤：无法重新分析"),
    (
        "nothing in it can be run again: its steps show no instant",
        "其中没有可重新分析的时刻",
    ),
    ("no positions are in it: there is nothing to judge", "其中没有位置：无可判断"),
    (
        "cameras' packets are not in it (`lamproom run --record-cameras`): only other rules can be "
        "tried on it, with a site file of this gateway",
        "没有摄像机数据包（`lamproom run --record-cameras`）：只能用此网关的站点文件试验其他规则",
    ),
    (
        "cameras' packets are not in it: the recorded positions are judged by the other rules",
        "没有摄像机数据包：按其他规则判断录像中的位置",
    ),
    (
        "positions of {some} of {all} instants were recorded: what is different about people can "
        "hardly be told",
        "{all} 个时刻中只录下 {some} 个的位置：人员方面的差异几乎无法判断",
    ),
    ("{n} recorded instants did not come about again", "{n} 个录像时刻未能重现"),
    (
        "it begins in the midst of a run, and no file before it leads up to it: who was there, and "
        "for how long, is taken from live's first second",
        "从运行中途开始，且没有前一文件可衔接：当时有谁、已有多久，取自其第一秒",
    ),
    (
        "{n} pictures that live worked on are not in the recording",
        "录像中缺少当时处理过的 {n} 幅图像",
    ),
    ("{n} steps are missing in the recording", "录像中缺少 {n} 个处理步骤"),
    (
        "{n} packets of camera {name} are missing in the recording",
        "录像中缺少摄像机 {name} 的 {n} 个数据包",
    ),
    (
        "live searched with {live}, this machine with {here}",
        "当时用 {live} 检测，本机用 {here}",
    ),
    (
        "the end is missing: it breaks off after {when}, its last {n} bytes can't be read, and up "
        "to {s} s before the break may not have been written",
        "缺少结尾：在 {when} 之后中断，最后 {n} 字节无法读取，中断前至多 {s} 秒可能未写入",
    ),
    (
        "the end is missing: it breaks off, its last {n} bytes can't be read, and up to {s} s "
        "before the break may not have been written",
        "缺少结尾：最后 {n} 字节无法读取，中断前至多 {s} 秒可能未写入",
    ),
    (
        "damaged after {when}: bytes {at} to {to} can't be read and are passed over",
        "在 {when} 之后损坏：第 {at} 至 {to} 字节无法读取，已跳过",
    ),
    (
        "damaged: bytes {at} to {to} can't be read and are passed over",
        "损坏：第 {at} 至 {to} 字节无法读取，已跳过",
    ),
    (
        "damaged {when}: a chunk of {n} bytes is passed over",
        "损坏（{when}）：跳过 {n} 字节的一块",
    ),
    (
        "damaged {when}: an index is wrong; every message is there",
        "损坏（{when}）：一个索引有误，消息齐全",
    ),
    (
        "only its index is cut off or damaged; every message is there",
        "只有索引缺失或损坏，消息齐全",
    ),
    ("its first record is damaged; every message is there", "第一条记录损坏，消息齐全"),
    ("some of its bytes are not those that were written", "部分字节与写入时不同"),
    (
        "{n} messages can't be understood and were passed over",
        "{n} 条消息无法理解，已跳过",
    ),
    (
        "{n} packets or steps can't be understood and were passed over",
        "{n} 个数据包或步骤无法理解，已跳过",
    ),
    (
        "{n} messages were refused when they came (forged, altered or played again, as far as the "
        "keys there could tell) and are left out",
        "{n} 条消息当时被拒收（按当地密钥判断为伪造、篡改或重放），已略去",
    ),
    (
        "was changed while {file} was run again: give the same command again",
        "在重新分析 {file} 时被改动：请再次运行同一命令",
    ),
    (
        "was taken away while {file} was run again: give the same command again",
        "在重新分析 {file} 时被移走：请再次运行同一命令",
    ),
    ("its process died {how}, twice", "其进程两次异常终止（{how}）"),
    ("takes more memory than there is", "所需内存超过现有内存"),
)


def said(english: str) -> Both:
    """Give a sentence, and in Chinese as far as it has been worded.

    >>> said("a.mcap: is there twice: b.mcap is used")[1]
    'a.mcap：有两份：使用 b.mcap'
    >>> said("a.mcap: [Errno 5]")[1]
    'a.mcap: [Errno 5]'
    """
    whole = _worded(english)
    if whole is None and english.endswith(")"):  # a sentence, and in brackets what led to it
        head, _, tail = english[:-1].partition(" (")
        worded = _worded(head)
        whole = None if worded is None else f"{worded}（{said(tail)[1]}）"
    return english, whole or english


def _worded(english: str) -> str | None:
    for pattern, chinese in _PATTERNS:
        if found := pattern.fullmatch(english):
            file = found["named"]
            return (f"{file}：" if file else "") + chinese.format(**found.groupdict())
    return None


def _pattern(english: str) -> re.Pattern[str]:
    """Give what takes a sentence as it is, or with a file's name before it."""
    parts = re.split(r"\{(\w+)\}", english)
    told = (
        re.escape(part) if number % 2 == 0 else f"(?P<{part}>.*?)"
        for number, part in enumerate(parts)
    )
    return re.compile("(?:(?P<named>.*?): )?" + "".join(told), re.DOTALL)


_PATTERNS = tuple((_pattern(english), chinese) for english, chinese in ROWS)
