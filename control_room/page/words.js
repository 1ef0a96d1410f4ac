// What an operator reads, in English and Chinese. Knows nothing about where it is shown.

const WORDS = {
  panorama: ["Panorama", "全景"],
  plan: ["Plan", "平面图"],
  alarms: ["Alarms", "报警"],
  no_alarms: ["No open alarms", "无未处理报警"],
  alarms_unknown: ["Not connected: alarms unknown", "未连接：报警情况未知"],
  past: ["Past alarms", "历史报警"],
  health: ["Gateways and cameras", "网关与摄像机"],
  fit: ["Show all", "显示全部"],
  zoomed: ["zoomed: {0} people outside this view", "已放大：此视野外有 {0} 人"],
  zoomed_one: ["zoomed: 1 person outside this view", "已放大：此视野外有 1 人"],
  zoomed_none: ["zoomed: a part of the picture", "已放大：仅显示部分画面"],
  zoomed_plan: [
    "zoomed; outside this view: people {0}, alarms {1}",
    "已放大：此视野外有人员 {0} 人、报警 {1} 条",
  ],
  zoomed_plan_none: ["zoomed: a part of the plan", "已放大：仅显示部分平面图"],
  ruler: ["Metres", "里程"],
  metres: ["m", "米"],

  upright: ["upright", "站立"],
  crouching: ["crouching", "蹲下"],
  lying: ["lying", "倒地"],
  posture_unknown: ["posture unknown", "姿态未知"],
  possibly: ["possibly", "可能"],
  certainly: ["certainly", "确定"],
  seconds_ago: ["{0} s ago", "{0} 秒前"],
  lasts_s: ["{0} s", "{0} 秒"],
  lasts_min: ["{0} min {1} s", "{0} 分 {1} 秒"],
  lasts_h: ["{0} h {1} min", "{0} 小时 {1} 分"],

  count: ["{0} people seen", "可见 {0} 人"],
  count_one: ["1 person seen", "可见 1 人"],
  count_lately: ["{0} more not seen just now", "另有 {0} 人此刻不可见"],
  count_unplaced: ["up to {0} more seen but NOT placed", "另有至多 {0} 人可见但未定位"],
  count_impossible: ["NOBODY CAN BE COUNTED at {0}", "{0} 处无法清点人数"],
  count_unknown: ["head-count unknown", "人数未知"],
  unseen_of: ["{0} m of {1} m not fully seen", "{1} 米中有 {0} 米看不全"],
  all_seen: ["all {0} m visible", "{0} 米全部可见"],
  coverage_unknown: ["what is visible is unknown", "可见范围未知"],
  coverage_unknown_of: ["what {0} sees is unknown", "{0} 的可见范围未知"],

  critical: ["Critical", "严重"],
  warning: ["Warning", "警告"],
  notice: ["Notice", "提示"],
  active: ["active", "进行中"],
  cleared: ["cleared", "已解除"],
  acknowledged: ["acknowledged", "已确认"],
  acknowledged_by: ["acknowledged by {0}", "已由 {0} 确认"],
  not_acknowledged: ["not acknowledged", "未确认"],
  acknowledge: ["Acknowledge", "确认"],
  acknowledge_all: ["Acknowledge all {0}", "全部确认（{0}）"],
  shelve: ["Shelve", "搁置"],
  unshelve: ["Bring back", "恢复"],
  end: ["End", "结束报警"],
  by: ["Name", "姓名"],
  reason: ["Reason", "原因"],
  shelf_time: ["Shelve for", "搁置时长"],
  minutes: ["{0} min", "{0} 分钟"],
  reason_needed: ["Give a reason", "请填写原因"],
  refused_act: ["{0}", "未执行，控制室拒绝：{0}"],
  in_english: ["", "详情见英文界面"],
  not_done: ["Not done: the control room does not answer", "未执行：控制室无响应"],
  shelved: ["Shelved", "搁置"],
  shelved_count: ["Shelved: {0}", "已搁置：{0}"],
  shelved_until: ["shelved until {0}", "搁置至 {0}"],
  seen_by: ["Acknowledged", "确认"],
  ended: ["Ended", "结束"],
  ending: ["ending …", "正在结束…"],
  group_open: ["Show all {0}", "展开全部 {0} 条"],
  group_close: ["Show the worst of {0} only", "仅显示 {0} 条中最严重的"],
  group_unseen: ["{0} not acknowledged", "{0} 条未确认"],

  rate: ["Alarms per operator: {0} in the last hour, {1} in 10 min", "每名操作员报警：近 1 小时 {0} 条，近 10 分钟 {1} 条"],
  rate_flood: ["ALARM FLOOD", "报警泛滥"],
  rate_acceptable: ["acceptable (at most {0}/h)", "可接受（每小时不超过 {0} 条）"],
  rate_manageable: ["more than {0}/h, at most {1}/h", "每小时超过 {0} 条，不超过 {1} 条"],
  rate_too_many: ["TOO MANY: more than {0}/h", "过多：每小时超过 {0} 条"],
  rate_shift: ["{0}/h over 8 h ({1})", "8 小时平均每小时 {0} 条（{1}）"],
  rate_standing: ["{0} active for over 24 h", "{0} 条持续超过 24 小时"],
  rate_most: ["most often: {0}", "最频繁：{0}"],
  close: ["Close", "关闭"],
  since: ["since {0} ({1})", "自 {0}（{1}）"],
  at: ["at {0} m", "位置 {0} 米"],
  now_at: ["now at {0} m", "现在位置 {0} 米"],
  seen_at: ["last seen at {0} m", "最后可见位置 {0} 米"],
  support: ["support {0}", "{0} 号支架"],
  new_alarm: ["New alarm: {0}", "新报警：{0}"],

  kind: ["Kind", "类型"],
  severity: ["Severity", "级别"],
  certainty: ["How sure", "确定程度"],
  state: ["State", "状态"],
  where: ["Where", "位置"],
  where_now: ["Where now", "当前位置"],
  zone: ["Zone", "区域"],
  person: ["Person", "人员"],
  camera: ["Camera", "摄像机"],
  gateway: ["Gateway", "网关"],
  raised: ["Raised", "触发时间"],
  cleared_at: ["Cleared", "解除时间"],
  stored: ["In the journal", "入库时间"],
  probability: ["Probability", "概率"],
  clearing: ["Clearing", "解除依据"],
  evidence: ["Evidence", "依据"],
  alarm_id: ["Alarm", "报警编号"],

  replay: ["REPLAY – recorded, not live", "回放 – 录像，非实时"],
  replay_ended: ["REPLAY – the recording has ended", "回放 – 录像已结束"],
  connection_lost: [
    "CONNECTION LOST – this page shows the past. Trying again… ({0} s)",
    "连接中断 – 页面内容已过时，正在重试…（{0} 秒）",
  ],
  broker_lost: [
    "The control room has lost the MQTT broker: positions and alarms do not arrive",
    "控制室与 MQTT 服务器断开：位置和报警无法到达",
  ],
  journal_trouble: [
    "Alarms can't be stored: {0}",
    "报警无法入库：{0}",
  ],
  picture_old: [
    "PICTURE STOPPED – {0}: the newest picture is {1} s old",
    "画面停止 – {0}：最新画面为 {1} 秒前",
  ],
  picture_late: [
    "The picture of {0} comes {1} s late, or its clock is wrong",
    "{0} 的画面延迟 {1} 秒，或其时钟不准",
  ],
  no_picture: ["No picture from {0} yet", "{0} 尚无画面"],
  no_gateway: ["No gateway has been heard yet", "尚未收到任何网关消息"],
  no_webcodecs: [
    "This browser can't decode the panorama here. Open the page over https or as http://localhost, "
      + "in a browser with WebCodecs (Chrome, Edge, Firefox 130+, Safari 16.4+). Plan and alarms work.",
    "此浏览器无法在此解码全景画面。请通过 https 或 http://localhost 打开，并使用支持 WebCodecs 的浏览器"
      + "（Chrome、Edge、Firefox 130+、Safari 16.4+）。平面图和报警可正常使用。",
  ],
  decode_trouble: ["The panorama can't be decoded: {0}", "全景画面无法解码：{0}"],
  picture_age: ["picture {0} s old", "画面延迟 {0} 秒"],

  legend_person: ["person, 2σ ellipse", "人员，2σ 误差椭圆"],
  legend_possibly: ["possibly a person", "可能是人员"],
  legend_critical: ["critical", "严重"],
  legend_warning: ["warning", "警告"],
  legend_notice: ["notice", "提示"],
  legend_restricted: ["restricted zone", "限制区域"],
  legend_danger: ["danger zone", "危险区域"],
  legend_area: ["area", "区域"],
  legend_gate: ["one-way gate", "单向通道"],
  legend_machine: ["machine", "设备"],
  legend_cleared: ["cleared", "已解除"],
  left_zone: ["{0}: has left", "{0}：已离开"],
  legend_unseen: ["not fully seen: others may be here", "看不全：可能还有人"],
  why_unseen: [
    "No camera surely sees a whole person here: a picture that cuts off feet or helmet, is dark or "
      + "is searched too seldom does not count as seen. People drawn here are seen in part, or "
      + "followed from elsewhere. Somebody else may be there, unseen.",
    "此处没有摄像机能可靠地看到完整的人：画面截去脚部或安全帽、画面过暗或检测过慢的不算可见。"
      + "图中画在此处的人员只是部分可见，或由别处跟踪而来。此处可能还有未被看到的人。",
  ],
  restricted: ["restricted zone", "限制区域"],
  danger: ["danger zone", "危险区域"],
  area: ["area", "区域"],
  gate: ["one-way gate", "单向通道"],
  at_most: ["at most {0}", "限 {0} 人"],
  at_rest: ["at rest", "静止"],
  zone_nowhere: [
    "! Zone {0} is NOT WATCHED: where {1} is, is not known.",
    "! 区域 {0} 未受监视：{1} 的位置未知。",
  ],
  panorama_label: [
    "Panorama. Everybody on it stands in the list of people, too. Enter lists the alarms that share a label.",
    "全景。画面中的人员也列在人员列表中。按回车键列出共用标签的报警。",
  ],
  plan_label: [
    "Plan of the mine. Everybody on it stands in the list of people, too. Enter lists the alarms that share a label.",
    "矿井平面图。图中的人员也列在人员列表中。按回车键列出共用标签的报警。",
  ],
  alarm_details: ["The selected alarm", "所选报警"],
  gateway_stopped: ["Gateway stopped", "网关已停止"],

  sound_off: ["✕ SOUND IS OFF – turn on", "✕ 声音已关闭 – 点击开启"],
  sound_on: ["♪ Sound on", "♪ 声音已开启"],
  sound_muted: ["✕ MUTED until {0} – turn on", "✕ 静音至 {0} – 点击开启"],
  sound_replay: ["", ""],
  mute: ["Mute …", "静音…"],
  mute_for: ["for {0} min", "{0} 分钟"],

  filters: ["Filter and search", "筛选与搜索"],
  filters_on: ["Filter and search – FILTERED", "筛选与搜索 – 已筛选"],
  search: ["Search", "搜索"],
  all: ["all", "全部"],
  hidden: ["Open alarms hidden by the filter: {0}", "被筛选隐藏的未处理报警：{0}"],
  hidden_critical: ["{0} CRITICAL, not acknowledged", "{0} 条严重且未确认"],
  show_all_alarms: ["Show all alarms", "显示全部报警"],
  none_shown: ["No open alarm fits the filter", "没有符合筛选条件的未处理报警"],
  older: ["Load older", "加载更早的报警"],
  download: ["Download all (CSV)", "下载全部 (CSV)"],
  no_history: ["The history can't be read now", "暂时无法读取历史"],
  history: ["What was done", "处理记录"],
  no_acts: ["Nothing yet", "暂无"],
  act_acknowledge: ["acknowledged", "确认"],
  act_shelve: ["shelved", "搁置"],
  act_unshelve: ["brought back", "恢复"],
  act_end: ["ended", "结束"],
  new_alarms: ["{0} new alarms. {1}", "{0} 条新报警。{1}"],

  by_zone: ["Head-count by zone", "分区人数"],
  people: ["People", "人数"],
  seen_part: ["Seen by cameras", "摄像机可见"],
  who: ["Who", "人员"],
  elsewhere: ["(elsewhere)", "（其他位置）"],
  without_name: ["{0} without a name", "{0} 人未识别"],
  last_seen_here: ["{0} last seen here", "{0} 人最后在此出现"],
  lost_here: ["lost sight of here, without a name: {0}", "在此失去视野（未识别）：{0}"],
  why_lost_here: [
    "The cameras followed somebody without a name here and then saw them no more. One person may be "
      + "counted several times: whoever is found again gets a new number. Look at the picture, or "
      + "call, to find out whether somebody is still there.",
    "摄像机曾在此跟踪未识别的人员，之后失去视野。同一人可能被计多次：重新发现的人员会得到新编号。"
      + "请查看画面或呼叫，确认此处是否仍有人。",
  ],
  count_at_least: ["at least {0}", "至少 {0}"],
  count_maybe: ["{0} (at least {1})", "{0}（至少 {1}）"],
  why_maybe: [
    "{0} are counted; {1} of them are certainly people, and different ones. The others are only "
      + "possibly people, or one person counted twice. More may be where no camera sees.",
    "共计 {0} 人，其中 {1} 人可以确定且互不重复；其余只是可能为人员，或为同一人重复计数。摄像机不可见处可能还有人。",
  ],
  why_maybe_here: [
    "{0} are counted here; {1} of them are certainly people, different ones, and in this zone. The "
      + "others may stand beside it, are only possibly people, or one person counted twice. "
      + "More may be where no camera sees.",
    "此处共计 {0} 人，其中 {1} 人可以确定、互不重复且在此区域内；其余可能在区域旁边，只是可能为人员，"
      + "或为同一人重复计数。摄像机不可见处可能还有人。",
  ],
  metres_of: ["{0} of {1} m", "{1} 米中 {0} 米"],
  people_list: ["People, one by one", "人员列表"],
  people_old: ["People as of {0} s ago", "{0} 秒前的人员"],
  seen_ago: ["last seen {0} s ago", "{0} 秒前最后可见"],
  people_unknown: ["People: unknown", "人员：未知"],
  not_shown_now: ["{0}: not shown now", "{0}：当前未显示"],
  number: ["Number", "编号"],
  name_sure: ["name {0} % sure", "姓名可信度 {0} %"],
  coordinates: ["Mine metres", "矿井坐标"],
  spread: ["How sure", "误差"],
  fix_age: ["Last seen", "定位时间"],
  predicted: ["place only predicted since", "此后位置为推测"],
  posture: ["Posture", "姿态"],
  helmet: ["Helmet", "安全帽"],
  cameras: ["Cameras", "摄像机"],
  left_of: ["{0} m left of the middle", "中线左侧 {0} 米"],
  right_of: ["{0} m right of the middle", "中线右侧 {0} 米"],
  site: ["Site", "矿区"],

  muster: ["Muster", "人员清点"],
  print: ["Print", "打印"],
  muster_none: ["The muster can't be read", "无法读取清点结果"],
  muster_alarms: ["{0} alarms not acknowledged · {1}", "{0} 条报警未确认 · {1}"],
  muster_alarm: ["1 alarm not acknowledged · {1}", "1 条报警未确认 · {1}"],
  muster_old: ["NOT CONNECTED: these figures are old", "未连接：以下数据已过时"],
  muster_held: ["These figures are old: let go to see the new ones", "以下数据已过时：松开后显示最新数据"],
  all_here: ["Everybody accounted for", "全员在场"],
  not_all_here: ["NOT everybody is accounted for", "尚未全员确认"],
  in_view: ["In view: {0}", "当前可见：{0} 人"],
  muster_rest: [
    "Out of view, with a name: {0} · unknown (gateway silent): {1} · in view without a name: {2}",
    "已离开视野（已识别）：{0} 人 · 状况不明（网关无信号）：{1} · 可见但未识别：{2}",
  ],
  muster_lost: [
    "Numbers lost, without a name: {0}. That is no head-count: one person may be several of them.",
    "跟踪中断的编号（未识别）：{0} 个。此数不是人数：同一人可能占多个编号。",
  ],
  cameras_see: ["Cameras see {0} of {1} m", "摄像机可见 {1} 米中的 {0} 米"],
  never_heard: ["Incomplete: gateway {0} was never heard (waited for since {1})", "清点不完整：从未收到网关 {0} 的信号（自 {1} 起等待）"],
  passed_over: ["Gateway {0} is not counted: its site has too many gateways", "网关 {0} 未计入：该矿区网关过多"],
  uncounted: ["Gateway {0}: NOBODY CAN BE COUNTED: {1}", "网关 {0}：无法清点人数：{1}"],
  silent_since: ["Gateway {0} silent since {1}", "网关 {0} 自 {1} 起无信号"],
  blind_always: [
    "Cameras can't see {0} to {1} m: never seen since the gateway started",
    "看不到 {0} 至 {1} 米：自网关启动以来从未看到",
  ],
  blind_some_time: ["Cameras can't see {0} to {1} m; since when is not known", "看不到 {0} 至 {1} 米，起始时间不详"],
  blind_from: ["Cameras can't see {0} to {1} m since {2}", "自 {2} 起看不到 {0} 至 {1} 米"],
  clock_off_of: ["The clock of gateway {0} is off by {1} s", "网关 {0} 的时钟偏差 {1} 秒"],
  missing_of: ["MISSING: {0} of {1}", "未见人员：{1} 人中 {0} 人"],
  by_tags: ["(by tags heard, no roster given)", "（按近期标识卡，未提供名单）"],
  no_roster: [
    "No roster and no tags: who is missing can't be told",
    "没有名单和标识卡：无法判断缺少何人",
  ],
  one_of_unnamed: [
    "A missing worker may be one of {0} without a name.",
    "未见人员可能在 {0} 名未识别者之中。",
  ],
  last_place: ["Seen last at", "最后位置"],
  last_time: ["Seen last", "最后时间"],
  tag_heard: ["Tag heard (a tag is no person)", "标识卡（卡不等于人）"],
  never_seen: ["not seen yet", "尚未出现"],
  in_view_title: ["In view: {0}", "当前可见：{0}"],
  away_title: ["Out of view with a name, or unknown: {0}", "已离开视野（已识别）或状况不明：{0}"],
  away_unnamed: [
    "{0} numbers lost, without a name, newest {1}. One person may be in it several times.",
    "{0} 个跟踪中断的编号（未识别），最近 {1}。同一人可能占多个编号。",
  ],
  state_in_view: ["in view", "可见"],
  state_out_of_view: ["out of view", "离开视野"],
  state_unknown: ["unknown", "不明"],
  listening_since: [
    "Listening since {0}; what was before is not known here.",
    "自 {0} 起监听；此前情况不详。",
  ],

  language: ["Language", "语言"],
  keys: ["Keys", "快捷键"],
  key_next: ["next alarm", "下一条报警"],
  key_previous: ["previous alarm", "上一条报警"],
  key_acknowledge: ["acknowledge the selected alarm", "确认所选报警"],
  key_search: ["search alarms", "搜索报警"],
  key_muster: ["muster", "人员清点"],
  key_mute: ["mute for 2 min; a new critical alarm is heard", "静音 2 分钟；新的严重报警仍会发声"],
  key_gateway: ["panorama of the next gateway", "下一个网关的全景"],
  key_panorama: ["go to the panorama", "转到全景"],
  key_plan: ["go to the plan", "转到平面图"],
  key_count: ["read out the head-count", "朗读人数"],
  key_leave: ["select nothing", "取消选择"],
  key_help: ["these keys", "快捷键列表"],
  key_place: ["on panorama and plan: the alarms that share a label", "在全景和平面图上：列出共用标签的报警"],
  more_kinds: ["{0} +{1} kinds", "{0} +{1} 类"],
  more_kinds_one: ["{0} +1 kind", "{0} +1 类"],
  alarms_here: ["{0} alarms", "{0} 条报警"],
  alarms_at_place: ["Alarms at one place: {0}", "同一位置的报警：{0}"],
  key_move: ["on panorama and plan: zoom, show all, move", "在全景和平面图上：缩放、显示全部、移动"],
  key_tab: ["everything else", "其他所有操作"],
  role_viewer: ["viewer", "查看者"],
  role_operator: ["operator", "操作员"],
  role_admin: ["admin", "管理员"],
  logout: ["Log out", "退出"],
  users: ["Users", "用户"],
  log_in_to_act: ["Log in again to act", "请重新登录后再操作"],

  online: ["online", "在线"],
  offline: ["offline", "离线"],
  silent: ["silent for {0} s", "已静默 {0} 秒"],
  panorama_rate: ["panorama {0}/s", "全景 {0} 帧/秒"],
  detection_rate: ["detection {0}/s", "检测 {0} 次/秒"],
  detection_age: ["age {0} s", "延迟 {0} 秒"],
  no_detection: ["no detection yet", "尚无检测"],
  trouble: ["trouble: {0}", "异常：{0}"],
  alarms_waiting: ["{0} alarms on their way", "{0} 条报警传送中"],
  positions_lost: ["{0} % of its position messages never arrived", "{0} % 的位置消息未送达"],
  why_positions_lost: [
    "The gateway sent them and the control room did not get them: people may stand still or be missing "
      + "here for a moment. Alarms are sent again until they arrive. Have the network between gateway, "
      + "broker and control room looked at.",
    "网关已发送但控制室未收到：此处人员位置可能短暂停滞或缺失。报警会重发直至送达。"
      + "请检查网关、MQTT 服务器与控制室之间的网络。",
  ],
  clock_off: ["clock off by {0} s", "时钟偏差 {0} 秒"],
  ok: ["ok", "正常"],
  lost: ["lost", "丢失"],
  stalled: ["stalled", "卡顿"],
  obscured: ["can't see: obscured", "看不见：被遮挡"],
  dark: ["can't see: dark", "看不见：画面全黑"],
  moved: ["moved", "被移动"],
  frozen: ["frozen", "冻结"],
};

const INDEX = { en: 0, zh: 1 };
let current = "en";

/** Tell the language: "en" or "zh". */
export function language() {
  return current;
}

/** Choose the language; an unknown one is English. */
export function setLanguage(language) {
  current = language in INDEX ? language : "en";
}

/**
 * Words of a gateway's or the control room's insides, which come in English. The Chinese page has
 * what the control room says they are in `chinese`; of others it says where to read them.
 */
export function technical(text, chinese = {}) {
  if (current !== "zh") return text;
  if (Object.hasOwn(chinese, text)) return chinese[text];
  return /[a-z]{2}/i.test(text) ? word("in_english") : text;
}

/** Say something: `word("count", 4)`. An unknown key, as of a newer gateway, is shown as it is. */
export function word(key, ...values) {
  if (!Object.hasOwn(WORDS, key)) return String(key);
  return WORDS[key][INDEX[current]].replace(/\{(\d)\}/g, (_, index) => String(values[index]));
}
