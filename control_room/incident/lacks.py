"""What an export lacks, or can't vouch for, in English and Chinese: it must never look whole.

Knows nothing about pages.
"""

from collections import Counter

from control_room.incident.gather import Gathered
from control_room.incident.lives import Life
from control_room.incident.models import MOST as MOST_MODELS
from control_room.incident.models import Model
from control_room.incident.outages import Outage
from control_room.incident.showing import Shown
from control_room.incident.span import Span
from control_room.journal.export import moment
from scene.errors import printable
from scene.html_page import Both

MOST = 200
"""So many gaps and refused topics are told one by one."""


def lacks_of(
    found: Gathered,
    span: Span,
    shown: Shown,
    outages: tuple[Outage, ...],
    lives: tuple[Life, ...],
    *,
    acts_known: bool,
    models: tuple[Model, ...],
    more_sites: int,
) -> list[Both]:
    """List all that is missing in the exported minutes, or was not believed or not proven.

    `acts_known`: whether the control room's journal was at hand; `more_sites`: how many site files
    are left out.
    """
    return [
        *_of_the_run(models, more_sites),
        *_of_the_span(found, span),
        *_of_pictures(shown),
        *_of_health(outages),
        *_of_alarms(shown, lives, acts_known=acts_known),
        *_of_messages(found, span),
        *_of_the_file(found),
    ]


def _of_the_span(found: Gathered, span: Span) -> list[Both]:
    first_ns, last_ns = found.bounds_ns
    told = list[Both]()
    if span.from_ns < first_ns:
        at = moment(first_ns)
        told.append(
            (
                f"The recording, with the files of its series beside it, has nothing before {at}",
                f"录像及其同系列的相邻文件在 {at} 之前无任何记录",
            )
        )
    if span.to_ns > last_ns + 1_000_000_000:
        at = moment(last_ns)
        told.append(
            (
                f"The recording, with the files of its series beside it, has nothing after {at}",
                f"录像及其同系列的相邻文件在 {at} 之后无任何记录",
            )
        )
    return told


def _of_the_run(models: tuple[Model, ...], more_sites: int) -> list[Both]:
    told = list[Both]()
    if not models:
        told.append(("Which detection model ran is not recorded", "未记录所用的检测模型"))
    if len(models) > 1:
        more, more_zh = (
            (", there may be more", "，可能还有") if len(models) >= MOST_MODELS else ("", "")
        )
        told.append(
            (
                f"The detection model changed within this time: {len(models)} are listed{more}",
                f"此时间内检测模型有更换：共列出 {len(models)} 个{more_zh}",
            )
        )
    if more_sites:
        told.append(
            (
                f"{more_sites} more states of the site file are left out",
                f"站点文件另有 {more_sites} 个版本未导出",
            )
        )
    return told


def _of_pictures(shown: Shown) -> list[Both]:
    told = list[Both]()
    if shown.film_begins_ns is None:
        told.append(("There is no picture at all, and so no film", "没有任何画面，因此没有视频"))
    if not shown.instants:
        told.append(("No position is recorded in this time", "此时间内没有人员位置记录"))
    for from_ns, to_ns in shown.gaps[:MOST]:
        long = f"{(to_ns - from_ns) / 1e9:.1f}"
        told.append(
            (
                f"No picture from {moment(from_ns)} to {moment(to_ns)} ({long} s)",
                f"{moment(from_ns)} 至 {moment(to_ns)} 无画面（{long} 秒）",
            )
        )
    if len(shown.gaps) > MOST:
        more = len(shown.gaps) - MOST
        told.append((f"and {more} more gaps", f"另有 {more} 处中断"))
    if shown.failed:
        told.append(
            (
                f"{shown.failed} recorded pictures can't be decoded and are left out",
                f"{shown.failed} 幅录制画面无法解码，已略去",
            )
        )
    if shown.disordered:
        told.append(
            (
                f"{shown.disordered} pictures are older than the one before and are left out",
                f"{shown.disordered} 幅画面早于前一幅，已略去",
            )
        )
    return told


def _of_health(outages: tuple[Outage, ...]) -> list[Both]:
    silent_s = sum(one.to_ns - one.from_ns for one in outages if one.state == "unknown") / 1e9
    wrong = sorted({printable(one.name, 80) for one in outages if one.what == "camera"})
    told = list[Both]()
    if silent_s:
        told.append(
            (
                f"For {silent_s:.1f} s in all no heartbeat is recorded: what was seen then is not "
                "known (health.csv)",
                f"共 {silent_s:.1f} 秒无心跳记录：当时可见情况不明（health.csv）",
            )
        )
    if wrong:
        names = ", ".join(wrong)
        told.append(
            (
                f"Cameras that could not be trusted all the time: {names} (health.csv)",
                f"并非始终可信的摄像机：{names}（health.csv）",
            )
        )
    return told


def _of_alarms(shown: Shown, lives: tuple[Life, ...], *, acts_known: bool) -> list[Both]:
    told = list[Both]()
    for life in shown.without_picture[:MOST]:
        name = printable(life.first.id, 80)
        told.append(
            (
                f"No picture was recorded when alarm {name} was raised",
                f"报警 {name} 触发时无画面记录",
            )
        )
    if len(shown.without_picture) > MOST:
        more = len(shown.without_picture) - MOST
        told.append(
            (
                f"and {more} more alarms without a picture of their raise",
                f"另有 {more} 条报警触发时无画面",
            )
        )
    if shown.beyond_pictures:
        more = shown.beyond_pictures
        told.append(
            (
                f"{more} more alarms have no picture of their own: see the film",
                f"另有 {more} 条报警没有单独的画面：请看视频",
            )
        )
    before = sum(not one.raise_is_there for one in lives)
    if before:
        told.append(
            (
                f"Of {before} alarms the recording has no word of their raising, only later ones",
                f"{before} 条报警在录像中没有触发记录，只有其后的消息",
            )
        )
    if lives and not acts_known:
        told.append(
            (
                "What people did with alarms (acknowledging, shelving) is not known: it is in the "
                "control room's journal, which was not given (--journal)",
                "人员对报警的操作（确认、搁置）未知：这些在控制室日志中，未提供日志（--journal）",
            )
        )
    return told


def _of_messages(found: Gathered, span: Span) -> list[Both]:
    told = list[Both]()
    total, trust = sum(found.trust.values()), found.trust
    if trust["unsigned"]:
        told.append(
            (
                f"{trust['unsigned']} of {total} messages in the recording were not signed: who "
                "sent them is not proven",
                f"录像的 {total} 条消息中有 {trust['unsigned']} 条未签名：发送方无法证实",
            )
        )
    if trust["unchecked"]:
        told.append(
            (
                f"{trust['unchecked']} of its {total} messages were recorded where no keys were "
                "known: who sent them is not proven",
                f"录像的 {total} 条消息中有 {trust['unchecked']} 条录制时未知密钥：发送方无法证实",
            )
        )
    told.append(
        (
            "Pictures are as the recorder received them; gateways do not sign pictures",
            "画面为录像程序所收到的内容；网关不对画面签名",
        )
    )
    if found.others:
        told.append(
            (
                f"{found.others} messages of other gateways are left out",
                f"其他网关的 {found.others} 条消息未导出",
            )
        )
    return told + _refused(found, span)


def _refused(found: Gathered, span: Span) -> list[Both]:
    """Tell of messages that were not believed, those of the span one topic and reason a line."""
    within = [one for one in found.refused if span.has(one.at_ns)]
    outside = len(found.refused) - len(within) + found.refused_most
    counts = Counter((printable(one.topic, 200), printable(one.why, 200)) for one in within)
    told: list[Both] = [
        (
            f"REFUSED when they came, and left out here: {count} messages on {topic}: {why}",
            f"接收时被拒，未采用：{topic} 上 {count} 条消息：{why}",
        )
        for (topic, why), count in counts.most_common(MOST)
    ]
    if len(counts) > MOST:
        more = sum(counts.values()) - sum(count for _, count in counts.most_common(MOST))
        told.append((f"and {more} more refused messages", f"另有 {more} 条消息被拒"))
    if outside:
        told.append(
            (
                f"{outside} messages were refused at other times of the recording",
                f"录像的其他时间另有 {outside} 条消息被拒",
            )
        )
    return told


def _of_the_file(found: Gathered) -> list[Both]:
    told: list[Both] = [
        (f"The recording itself: {printable(one)}", f"录像文件：{printable(one)}")
        for one in found.missing[:MOST]
    ]
    if len(found.missing) > MOST:
        more = len(found.missing) - MOST
        told.append((f"and {more} more faults in the file", f"文件另有 {more} 处损坏"))
    if found.impossible:
        told.append(
            (
                f"{found.impossible} places are left out: no person has such figures",
                f"{found.impossible} 个位置已略去：数值不可能属于人员",
            )
        )
    if found.dropped:
        told.append(
            (
                f"{found.dropped} messages are beyond what can be kept, and are left out",
                f"{found.dropped} 条消息超出可保留数量，已略去",
            )
        )
    return told
