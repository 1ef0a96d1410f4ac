// The users' page: who may log in, and what an admin does with them. The server decides what may
// be done; what it refuses it names by a code. Names were written by others: only ever text.

import { button, element } from "/dom.js";

const STORED = "lamproom.language";
const ROLES = ["viewer", "operator", "admin"];
const WORDS = {
  title: ["Users", "用户"],
  page_title: ["Users – Lamproom", "用户 – Lamproom"],
  language: ["Language", "语言"],
  back: ["To the control room", "返回控制室"],
  name: ["Name", "用户名"],
  role: ["Role", "角色"],
  sessions: ["Browsers logged in", "已登录的浏览器数"],
  acts: ["Acts", "操作"],
  new_user: ["New user", "新建用户"],
  password: ["Password", "密码"],
  password_note: [
    "12 characters at least: some words that nobody else would put together.",
    "至少 12 个字符：几个别人不会连在一起的词。",
  ],
  add: ["Add", "添加"],
  cancel: ["Cancel", "取消"],
  viewer: ["viewer: looks", "查看者：仅查看"],
  operator: ["operator: also acts on alarms", "操作员：可处理报警"],
  admin: ["admin: also manages users", "管理员：可管理用户"],
  save: ["Change role", "更改角色"],
  set_password: ["New password", "设置新密码"],
  logout: ["Log out", "强制退出"],
  remove: ["Remove", "删除"],
  you: ["{0} (you)", "{0}（您）"],
  yours: ["Another admin must change yours.", "您的角色须由其他管理员更改。"],
  elsewhere: ["{0} (company's account)", "{0}（公司账号）"],
  ask_password: ["New password of {0}", "{0} 的新密码"],
  ask_remove: ["Remove {0}?", "删除 {0}？"],
  logs_out: ["This logs {0} out everywhere.", "{0} 将在所有位置退出登录。"],
  done_add: ["{0} was added.", "已添加 {0}。"],
  done_role: ["{0} has another role, and is logged out.", "已更改 {0} 的角色，并已将其退出。"],
  done_password: ["{0} has another password, and is logged out.", "已更改 {0} 的密码，并已将其退出。"],
  done_logout: ["{0} is logged out.", "{0} 已退出。"],
  done_remove: ["{0} was removed.", "已删除 {0}。"],
  refused: ["The control room refused (error {0}).", "控制室已拒绝（错误 {0}）。"],
  refused_unknown_user: ["{0}: there is no such user any more.", "{0}：已没有此用户。"],
  refused_taken_name: ["{0} is a user already.", "{0} 已是用户。"],
  refused_last_admin: [
    "{0} is the last admin: make another one first.", "{0} 是最后一位管理员：请先设置另一位管理员。",
  ],
  refused_own_role: [
    "Another admin must change your role, or remove you.", "您的角色须由其他管理员更改，删除您也须由其他管理员进行。",
  ],
  refused_new_name: [
    "{0}: give a name of letters, digits, spaces and . _ - · @, at most 64 characters, that begins "
      + "with a letter or digit and is none that the journal uses itself.",
    "{0}：用户名只能由文字、数字、空格和 . _ - · @ 组成，最多 64 个字符，须以文字或数字开头，且不能是日志自用的名称。",
  ],
  refused_password: [
    "This password won't do: 12 to 256 characters, some words that nobody else would put together.",
    "此密码不可用：须为 12 至 256 个字符，几个别人不会连在一起的词。",
  ],
  refused_users_file: [
    "The users can't be read or written; the control room's log says why.", "无法读取或写入用户数据，原因见控制室日志。",
  ],
  refused_asked: ["The control room did not understand this page: load it anew.", "控制室无法理解此页面的请求：请重新加载页面。"],
  no_answer: ["The control room does not answer; nothing is known to be done.", "控制室无响应，不确定操作是否完成。"],
};
const by = (id) => document.getElementById(id);
const [trouble, done, rows, form, ask] = ["trouble", "done", "users", "add", "ask"].map(by);

let language = "en";
let me = null;
let settle = () => {};
let users = [];

// Told late, perhaps when the next question is open already.
ask.addEventListener("close", () => { if (!ask.open) settle(ask.returnValue === "yes"); });

function word(key, name = "") {
  return WORDS[key][language === "zh" ? 1 : 0].replace("{0}", () => name);
}

function chooseLanguage(wanted) {
  language = wanted === "zh" ? "zh" : "en";
  try {
    localStorage.setItem(STORED, language);
  } catch {
    // A browser that stores nothing asks again next time.
  }
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = word("page_title");
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = word(one.dataset.word);
  for (const one of document.querySelectorAll("[data-label]")) {
    one.setAttribute("aria-label", word(one.dataset.label));
  }
  for (const code of ["en", "zh"]) {
    by(`lang-${code}`).setAttribute("aria-pressed", String(code === language));
  }
  const chosen = by("new-role").value || "viewer";
  by("new-role").replaceChildren(...ROLES.map(option));
  by("new-role").value = chosen;
  done.textContent = "";
  draw();
}

function storedLanguage() {
  try {
    const stored = localStorage.getItem(STORED);
    if (stored !== null) return stored;
  } catch {
    // As above.
  }
  return navigator.language.startsWith("zh") ? "zh" : "en";
}

function option(role) {
  const made = element("option", "", word(role));
  made.value = role;
  return made;
}

/** Draw the list anew, and keep the focus where it was. */
function draw() {
  const focused = document.activeElement?.dataset?.key;
  rows.replaceChildren(...users.map(rowOf));
  if (focused === undefined) return;
  const again = [...rows.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused);
  (again && !again.disabled ? again : by("title")).focus();
}

function rowOf(user) {
  const mine = me !== null && me.name === user.name;
  const row = element("tr");
  const name = element("th", "", user.local ? user.name : word("elsewhere", user.name));
  if (mine) name.textContent = word("you", user.name);
  name.scope = "row";
  const role = element("td");
  role.append(user.local ? roleOf(user, mine) : element("span", "", word(user.role)));
  const acts = element("div", "row");
  if (user.local) acts.append(control("password", user, "set_password", () => changePassword(user.name)));
  acts.append(control("logout", user, "logout", () => act("logout", { name: user.name })));
  if (user.local && !mine) acts.append(control("remove", user, "remove", () => remove(user.name)));
  const cell = element("td");
  cell.append(acts);
  row.append(name, role, element("td", "", String(user.sessions)), cell);
  return row;
}

function roleOf(user, mine) {
  const select = element("select");
  select.append(...ROLES.map(option));
  select.value = user.role;
  select.disabled = mine;
  select.dataset.key = `choose ${user.name}`;
  select.setAttribute("aria-label", `${word("role")}: ${user.name}`);
  // Apart from choosing: whoever goes through a list by key must not change a role with each step.
  const save = control("role", user, "save", () => act("role", { name: user.name, role: select.value }));
  save.disabled = true;
  select.addEventListener("change", () => { save.disabled = select.value === user.role; });
  const together = element("div", "row");
  together.append(select, mine ? element("span", "note", word("yours")) : save);
  return together;
}

function control(action, user, text, does) {
  const made = button(action, word(text), does);
  made.dataset.key = `${action} ${user.name}`;
  made.setAttribute("aria-label", `${word(text)}: ${user.name}`);
  return made;
}

async function changePassword(name) {
  if (await answered(word("ask_password", name), word("set_password"), word("logs_out", name), true)) {
    await act("password", { name, password: by("ask-password").value });
  }
  by("ask-password").value = "";
}

async function remove(name) {
  if (await answered(word("ask_remove", name), word("remove"), word("logs_out", name), false)) {
    await act("remove", { name });
  }
}

/** Ask, with or without a password; tells whether the answer was yes. */
function answered(title, yes, note, withPassword) {
  by("ask-title").textContent = title;
  by("ask-yes").textContent = yes;
  by("ask-note").textContent = withPassword ? `${word("password_note")} ${note}` : note;
  const password = by("ask-password");
  password.value = "";
  password.required = withPassword;
  password.hidden = !withPassword;
  document.querySelector("label[for=ask-password]").hidden = !withPassword;
  ask.returnValue = "";
  ask.showModal();
  (withPassword ? password : by("ask-no")).focus();
  settle(false); // what was asked before
  return new Promise((resolve) => { settle = resolve; });
}

/** Have something done; tells whether it was. */
async function act(action, body) {
  trouble.textContent = done.textContent = "";
  let answer;
  try {
    answer = await fetch(`/api/users/${action}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    if (answer.ok) users = await answer.json();
    else trouble.textContent = refusal(answer, await answer.json(), body.name);
  } catch {
    trouble.textContent = word("no_answer");
    return false;
  }
  if (answer.status === 401) toLogin();
  if (!answer.ok) return false;
  draw();
  done.textContent = word(`done_${action}`, body.name);
  if (body.name === me?.name) await load();
  return true;
}

/** Say why something was refused, in the chosen language; English has the server's words for all else. */
function refusal(answer, { error }, name = "") {
  const code = answer.headers.get("Lamproom-Refused");
  if (Object.hasOwn(WORDS, `refused_${code}`)) return word(`refused_${code}`, name);
  return language === "en" && error ? error : word("refused", answer.status);
}

function toLogin() {
  location.replace("/login?next=%2Fusers");
}

async function load() {
  try {
    const [who, list] = await Promise.all([fetch("/api/me"), fetch("/api/users")]);
    if (list.status === 401) {
      toLogin();
      return;
    }
    me = await who.json();
    const told = await list.json();
    if (list.ok) users = told;
    else trouble.textContent = refusal(list, told);
  } catch {
    trouble.textContent = word("no_answer");
  }
  draw();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, role, password } = form.elements;
  const body = { name: name.value, role: role.value, password: password.value };
  if (!await act("add", body)) return;
  form.reset();
  name.focus();
});
for (const code of ["en", "zh"]) by(`lang-${code}`).addEventListener("click", () => chooseLanguage(code));
chooseLanguage(storedLanguage());
load();
