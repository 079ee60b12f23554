"use strict";

const notes = document.getElementById("notes");

async function load() {
  try {
    const response = await fetch("/api/notes");
    if (response.ok) {
      notes.textContent = await response.text();
    } else if (response.status === 401) {
      notes.textContent = (await response.json()).detail;
    } else {
      notes.textContent = "Try again.";
    }
  } catch {
    notes.textContent = "Try again.";
  }
}

document.getElementById("load").addEventListener("click", load);
load();
