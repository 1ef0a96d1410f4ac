// The login page works without this; it only keeps the language and skips the form where it can.

const STORED = "lamproom.language";
const query = new URLSearchParams(location.search);

// A link from elsewhere comes without the cookie; a question from our own page carries it.
if (!document.querySelector("#problem p")) {
  fetch("/api/me").then((answer) => {
    if (!answer.ok) return;
    answer.json().then((me) => {
      if (me.role !== null && !me.log_in_to_act) location.replace(document.querySelector("[name=next]").value);
    });
  }).catch(() => {});
}

try {
  const stored = localStorage.getItem(STORED);
  const shown = document.querySelector("[name=lang]").value;
  if (query.has("lang")) localStorage.setItem(STORED, shown);
  else if (["en", "zh"].includes(stored) && stored !== shown && !document.querySelector("#problem p")) {
    query.set("lang", stored);
    location.replace(`/login?${query}`);
  }
} catch {
  // A browser that stores nothing shows the language that it asks for.
}
