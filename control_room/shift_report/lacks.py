"""What is missing in the data of a report, said plainly, the gravest first.

Knows nothing about HTML. Whoever reads a report must know what it can't know.
"""

from collections.abc import Iterator

from control_room.shift_report.acts import MOST_ROWS as MOST_ACTS
from control_room.shift_report.alarm_table import LATE_S
from control_room.shift_report.alarm_table import MOST_ROWS as MOST_ALARMS
from control_room.shift_report.gather import Gathered
from control_room.shift_report.heads import NOBODY_COUNTED
from control_room.shift_report.room_life import Lacks
from control_room.shift_report.series import UNKNOWN
from control_room.shift_report.span import local
from control_room.shift_report.watched import Clockwork
from control_room.shift_report.words import from_to, long_words
from scene.html_page import Both

MOST_TIMES, MOST_NAMED, MOST_GATEWAYS = 6, 12, 200
LOST_WORTH = 0.02
CLOCK_WORTH_S = 2


def lacks_of(found: Gathered) -> list[Both]:
    """List all that is missing or not to be trusted."""
    return [*_room(found), *_gateways(found), *_heads(found), *_alarms(found), *_more(found)]


def _room(found: Gathered) -> Iterator[Both]:
    room = found.room
    if found.no_conditions:
        yield (
            "Nothing was written down of the control room, head-counts, coverage, gateways and "
            f"cameras ({found.no_conditions}): all of that is not known, and there is no alarm "
            "rate",
            f"没有控制室、人数、可见范围、网关和摄像机的记录（{found.no_conditions}）：均不明，"
            "无法计算报警率",
        )
    elif not room.is_told:
        yield (
            "No control room wrote down in this time that it ran: head-counts, coverage, gateways "
            "and cameras are not known, and there is no alarm rate",
            "此时间内没有控制室运行的记录：人数、可见范围、网关和摄像机情况均不明，无法计算报警率",
        )
    elif room.unknown.times:
        yield _times(
            room.unknown,
            "The control room did not run, or wrote nothing down",
            "控制室未运行或无记录",
        )
    if room.deaf.times:
        yield _times(
            room.deaf,
            "The control room had no MQTT broker and heard no gateway",
            "控制室与 MQTT 服务器断开，未收到任何网关消息",
        )
    if room.trouble.times:
        why = room.trouble.first[0].why
        en, zh = _times(
            room.trouble, "The journal could not be written or read", "日志无法写入或读取"
        )
        yield f"{en} ({why})", f"{zh}（{why}）"


def _times(lacks: Lacks, english: str, chinese: str) -> Both:
    """Say how often, how long and when."""
    told = [from_to(one.from_ns, one.until_ns) for one in lacks.first[:MOST_TIMES]]
    more = lacks.times - len(told)
    en, zh = long_words(lacks.held_ns)
    after_en = f" and {more} more" if more else ""
    after_zh = f" 等共 {lacks.times} 段" if more else ""
    return (
        f"{english}: {en} in all: {', '.join(told)}{after_en}",
        f"{chinese}：共 {zh}：{'，'.join(told)}{after_zh}",
    )


def _gateways(found: Gathered) -> Iterator[Both]:
    amiss = 0
    for (site, gateway), known in sorted(found.watched.gateways.items()):
        lines = [*_gateway(f"{site}/{gateway}", known)]
        amiss += bool(lines)
        if amiss <= MOST_GATEWAYS:
            yield from lines
    if amiss > MOST_GATEWAYS:
        more = amiss - MOST_GATEWAYS
        yield (
            f"{more} more gateways were silent, unheard, or not to be trusted, and are not named",
            f"另有 {more} 个网关无响应、从未收到信号或不可信，未列出",
        )
    if found.watched.left_out:
        yield ("Too many gateways and cameras: some are left out", "网关与摄像机过多：部分未列出")
    if found.too_many:
        yield (
            "The journal has more sites or gateways than are gone through; one site at a time: "
            "--site",
            "日志中的矿区或网关超出可处理数量；可用 --site 单独查看",
        )


def _gateway(name: str, known: Clockwork) -> Iterator[Both]:
    if known.never_heard_ns:
        en, zh = long_words(known.never_heard_ns)
        yield (
            f"Gateway {name} was expected and never heard: for {en} nobody knows what is there",
            f"网关 {name} 应在线但从未收到信号：{zh} 内情况不明",
        )
    elif known.silent_ns:
        en, zh = long_words(known.silent_ns)
        yield (
            f"Gateway {name} was silent for {en}: what its cameras saw then is not known",
            f"网关 {name} 无响应 {zh}：其间摄像机所见不明",
        )
    if abs(known.clock_off_s) >= CLOCK_WORTH_S:
        yield (
            f"The clock of gateway {name} was off by up to {known.clock_off_s} s: the instants "
            "of its alarms are as wrong",
            f"网关 {name} 的时钟偏差最大 {known.clock_off_s} 秒：其报警时刻同样不准",
        )
    if known.lost >= LOST_WORTH:
        yield (
            f"Of gateway {name}, up to {known.lost:.0%} of the position messages of a minute "
            "never arrived",
            f"网关 {name} 每分钟最多有 {known.lost:.0%} 的位置消息未送达",
        )
    if known.more_cameras:
        yield (
            f"Gateway {name}: up to {known.more_cameras} more cameras were not written down",
            f"网关 {name}：最多另有 {known.more_cameras} 台摄像机未记录",
        )


def _heads(found: Gathered) -> Iterator[Both]:
    for one in found.sites:
        for gateway, held_ns in one.uncounted_ns.most_common(MOST_NAMED):
            en, zh = long_words(held_ns)
            yield (
                f"{one.site}/{gateway}: for {en} nobody could be counted, though its cameras were "
                "well (detection too slow, or not calibrated)",
                f"{one.site}/{gateway}：{zh} 内无法清点人数，尽管摄像机正常（检测过慢或未标定）",
            )
        nobody_ns = one.whole.states.held_ns[NOBODY_COUNTED]
        if nobody_ns:
            en, zh = long_words(nobody_ns)
            yield (
                f"{one.site}: for {en} no metre of roadway was seen; there is no head-count then",
                f"{one.site}：{zh} 内没有任何巷道可见，其间没有人数",
            )
        if one.is_told and UNKNOWN in one.whole.states.worst():
            en, zh = long_words(one.whole.states.unknown_ns())
            yield (
                f"{one.site}: for {en} there is no head-count",
                f"{one.site}：{zh} 内没有人数记录",
            )
        if one.more_areas:
            yield (
                f"{one.site}: up to {one.more_areas} more zones were not written down",
                f"{one.site}：最多另有 {one.more_areas} 个区域未记录",
            )
        if one.more_blind:
            yield (
                f"{one.site}: up to {one.more_blind} more stretches of roadway that nobody saw "
                "were not written down",
                f"{one.site}：最多另有 {one.more_blind} 段看不到的巷道未记录",
            )
        if one.uncounted_left or one.blind_left:
            yield (
                f"{one.site}: too many gateways or metres that nobody could see: some are left "
                "out of the lists of what was not seen",
                f"{one.site}：看不到的网关或巷道过多：部分未列入清单",
            )
        if one.followed_left:
            yield (
                f"{one.site}: more people had a place than are gone through: some of the curve of "
                "those followed is left out",
                f"{one.site}：有位置的人员超出可处理数量：部分跟踪人数曲线未绘出",
            )
        if one.more_zones:
            yield (
                f"{one.site}: {len(one.more_zones)} more zones are not told of",
                f"{one.site}：另有 {len(one.more_zones)} 个区域未列出",
            )
    if found.more_sites:
        more = len(found.more_sites)
        yield (
            f"Head-counts of {more} more sites are left out; one at a time: --site",
            f"另有 {more} 个矿区的人数未列出；可用 --site 单独查看",
        )


def _alarms(found: Gathered) -> Iterator[Both]:
    alarms = found.alarms
    if found.forgotten_ns is not None and found.forgotten_ns > found.span.from_ns:
        at = local(found.forgotten_ns)
        yield (
            f"Alarms from before {at} that were over and seen have been forgotten (--keep-alarms)",
            f"{at} 之前已结束并确认的报警已被清除（--keep-alarms）",
        )
    missing = found.missing.get("messages_missing", 0)
    if missing:
        yield (
            f"Messages of gateways were missing: {missing} alarms say so (Messages missing)",
            f"有网关消息缺失：{missing} 条“消息缺失”报警",
        )
    refused = found.missing.get("message_refused", 0)
    if refused:
        yield (
            f"Messages were refused: {refused} alarms say so (Message refused)",
            f"有消息被拒：{refused} 条“消息被拒”报警",
        )
    if alarms.late:
        en, zh = long_words(alarms.latest_s * 1e9)
        yield (
            f"{alarms.late} alarms came more than {LATE_S:.0f} s after they were raised, the "
            f"latest after {en}: nobody here knew of them meanwhile",
            f"{alarms.late} 条报警在触发 {LATE_S:.0f} 秒之后才送达，最迟 {zh}：其间控制室不知情",
        )
    if alarms.count > MOST_ALARMS:
        yield (
            f"The table has {MOST_ALARMS} of {alarms.count} alarms, those that ask for somebody "
            "first; all: lamproom journal export",
            f"表中列出 {alarms.count} 条报警中的 {MOST_ALARMS} 条，待处理者在前；"
            "全部：lamproom journal export",
        )
    if found.acts.count > MOST_ACTS:
        yield (
            f"The table has the first {MOST_ACTS} of {found.acts.count} acts; all: "
            "lamproom journal export --what acts",
            f"表中列出 {found.acts.count} 条操作中的前 {MOST_ACTS} 条；"
            "全部：lamproom journal export --what acts",
        )
    if found.acts.uncounted:
        yield (
            f"{found.acts.uncounted} acts are left out of the counts by person",
            f"{found.acts.uncounted} 条操作未计入按人员统计",
        )
    if found.load.offenders_left:
        yield (
            "Too many different sources of alarms: who alarmed most may be another one",
            "报警来源过多：“报警最多”可能不准",
        )
    if found.acts.gaps:
        yield (
            f"{found.acts.gaps} entries of the audit could never be written",
            f"{found.acts.gaps} 条审计记录未能写入",
        )


def _more(found: Gathered) -> Iterator[Both]:
    if found.no_positions:
        yield (
            f"There are no positions: {found.no_positions}",
            f"没有位置记录：{found.no_positions}",
        )
    if not found.load.operators_told:
        yield (
            "How many operators shared the alarms is not known; taken is 1 (--operators)",
            "分担报警的值班人数不明；按 1 人计算（--operators）",
        )
