// The mapping editor where scripts run: rows are added, moved and removed in place, and the draft is checked while
// somebody types. Without it every button sends the form, and the server does the same.
"use strict";

const form = document.getElementById("mapping");
const rows = form.querySelector("[data-rows]");
const blank = form.querySelector("template[data-blank]");
const tableRows = form.querySelector("[data-table-rows]");
const tableBlank = form.querySelector("template[data-table-blank]");

// Ids, labels and buttons carry the place of their row.
function renumber() {
  for (const [index, row] of [...rows.children].entries()) {
    for (const element of row.querySelectorAll("[id], [for], [aria-describedby], [data-move]")) {
      for (const name of ["id", "for", "aria-describedby"]) {
        const value = element.getAttribute(name);
        if (value) element.setAttribute(name, value.replace(/-(\d+|new)(?= |$)/g, `-${index}`));
      }
      if (element.dataset.move) element.value = `${element.dataset.move}:${index}`;
    }
  }
  for (const [index, button] of [...tableRows.querySelectorAll("[data-table-remove]")].entries()) {
    button.value = `table-remove:${index}`;
  }
}

function move(row, where) {
  if (where === "up" && row.previousElementSibling) row.previousElementSibling.before(row);
  if (where === "down" && row.nextElementSibling) row.nextElementSibling.after(row);
  if (where === "remove") {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector("[data-move=remove]") ?? form.querySelector("[data-add]")).focus();
  }
}

form.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { move: where, add, tableAdd, tableRemove } = button.dataset;
  if (where !== undefined) {
    move(button.closest("tr"), where);
    if (where !== "remove") button.focus();
  } else if (add !== undefined) {
    rows.append(blank.content.cloneNode(true));
    rows.lastElementChild.querySelector("select").focus();
  } else if (tableAdd !== undefined) {
    tableRows.append(tableBlank.content.cloneNode(true));
    tableRows.lastElementChild.querySelector("input").focus();
  } else if (tableRemove !== undefined) {
    button.closest("tr").remove();
  } else {
    return;
  }
  event.preventDefault();
  renumber();
  soon();
});

// A preview or a replay may take seconds: it is said that something is happening.
const work = form.querySelector("[data-work]");
const working = {
  preview: "Working out what this sign-in would become…",
  replay: "Playing the sign-ins again; this can take some seconds…",
};

form.addEventListener("submit", (event) => {
  work.textContent = working[event.submitter?.value] ?? "";
});
// Back from the page that came of it, nothing is happening any more.
window.addEventListener("pageshow", () => {
  work.textContent = "";
});

// A check that was overtaken by a later one is of no interest.
let timer;
let latest = 0;

function soon() {
  clearTimeout(timer);
  timer = setTimeout(check, 400);
}

form.addEventListener("input", soon);

async function check() {
  const turn = ++latest;
  try {
    const answer = await fetch(form.dataset.check, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { accept: "application/json" },
      redirect: "error",
    });
    if (!answer.ok || turn !== latest) return;
    const found = await answer.json();
    if (turn === latest) show(found);
  } catch {
    // Offline, or signed out meanwhile: the server will say so when the form is sent.
  }
}

function paragraphs(place, texts, className) {
  place.replaceChildren(
    ...texts.map((text) => {
      const paragraph = document.createElement("p");
      paragraph.className = className;
      paragraph.textContent = text;
      return paragraph;
    }),
  );
}

function seen(place, found) {
  place.textContent = found.seen;
  place.classList.toggle("rule__seen--warn", found.warns);
}

function show(found) {
  for (const [index, row] of [...rows.children].entries()) {
    const rule = found.rules[index];
    if (!rule) continue;
    paragraphs(row.querySelector("[data-mistakes]"), rule.mistakes, "field__error");
    seen(row.querySelector("[data-seen]"), rule);
    const attribute = row.querySelector("[name=attribute]");
    if (rule.mistakes.length) attribute.setAttribute("aria-invalid", "true");
    else attribute.removeAttribute("aria-invalid");
  }
  const groups = found.groups.mistakes.map((mistake) => `The rule ${mistake}`);
  paragraphs(form.querySelector("[data-group-mistakes]"), groups, "field__error");
  seen(form.querySelector("[data-group-seen]"), found.groups);
  paragraphs(form.querySelector("[data-whole]"), found.whole, "message message--error");
}
