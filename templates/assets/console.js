// What the console's pages gain where scripts run: buttons that copy, and times in the reader's own zone.
"use strict";

const said = document.createElement("p");
said.className = "visually-hidden";
said.setAttribute("role", "status");
document.body.append(said);

// <button data-copy="id" hidden>: of no use without this script, so it is this script that shows it. The clipboard is
// there on secure origins only.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const label = button.textContent;
    let timer;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      let outcome = "Copied";
      try {
        await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
      } catch {
        outcome = "Not copied";
      }
      button.textContent = outcome;
      said.textContent = outcome;
      clearTimeout(timer);
      timer = setTimeout(() => {
        button.textContent = label;
        said.textContent = "";
      }, 2000);
    });
  }
}

// The title keeps the UTC.
const zone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[data-local]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) time.textContent = zone.format(at);
}
