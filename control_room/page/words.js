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
  ruler: ["Metres", "里程"],
  metres: ["m", "米"],

  upright: ["upright", "站立"],
  crouching: ["crouching", "蹲下"],
  lying: ["lying", "倒地"],
  posture_unknown: ["posture unknown", "姿态未知"],
  possibly: ["possibly", "可能"],
  certainly: ["certainly", "确定"],
  seconds_ago: ["{0} s ago", "{0} 秒前"],

  count: ["{0} people seen", "可见 {0} 人"],
  count_one: ["1 person seen", "可见 1 人"],
  count_lately: ["{0} more not seen just now", "另有 {0} 人此刻不可见"],
  count_unplaced: ["up to {0} more seen but NOT placed", "另有至多 {0} 人可见但未定位"],
  count_unknown: ["head-count unknown", "人数未知"],
  unseen_of: ["{0} m of {1} m not visible", "{1} 米中有 {0} 米不可见"],
  all_seen: ["all {0} m visible", "{0} 米全部可见"],
  coverage_unknown: ["what is visible is unknown", "可见范围未知"],
  coverage_unknown_of: ["what {0} sees is unknown", "{0} 的可见范围未知"],

  critical: ["Critical", "严重"],
  warning: ["Warning", "警告"],
  notice: ["Notice", "提示"],
  active: ["active", "进行中"],
  cleared: ["cleared", "已解除"],
  acknowledged: ["acknowledged", "已确认"],
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
  new_alarm: ["New alarm: {0}", "新报警：{0}"],

  kind: ["Kind", "类型"],
  severity: ["Severity", "级别"],
  state: ["State", "状态"],
  where: ["Where", "位置"],
  zone: ["Zone", "区域"],
  person: ["Person", "人员"],
  camera: ["Camera", "摄像机"],
  gateway: ["Gateway", "网关"],
  raised: ["Raised", "触发时间"],
  cleared_at: ["Cleared", "解除时间"],
  stored: ["In the journal", "入库时间"],
  probability: ["Probability", "概率"],
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
  legend_alarm: ["alarm", "报警"],
  legend_zone: ["restricted zone", "限制区域"],
  legend_unseen: ["cameras cannot see", "摄像机不可见"],

  online: ["online", "在线"],
  offline: ["offline", "离线"],
  silent: ["silent for {0} s", "已静默 {0} 秒"],
  panorama_rate: ["panorama {0}/s", "全景 {0} 帧/秒"],
  detection_rate: ["detection {0}/s", "检测 {0} 次/秒"],
  detection_age: ["age {0} s", "延迟 {0} 秒"],
  no_detection: ["no detection yet", "尚无检测"],
  degraded: ["degraded: {0}", "性能下降：{0}"],
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

/** Say something: `word("count", 4)`. An unknown key, as of a newer gateway, is shown as it is. */
export function word(key, ...values) {
  if (!Object.hasOwn(WORDS, key)) return String(key);
  return WORDS[key][INDEX[current]].replace(/\{(\d)\}/g, (_, index) => String(values[index]));
}
