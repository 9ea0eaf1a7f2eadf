"use strict";
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const suspects = data.suspects;
const decided = new Map();
let at = 0;
let saved = true;

const shown = (label) => Array.isArray(label) ? label.join(", ") || "(none)" : label;

function option(label) {
  const element = document.createElement("option");
  element.value = JSON.stringify(label);
  element.textContent = shown(label);
  return element;
}

function showText(suspect) {
  if (suspect.word === undefined) {
    byId("text").textContent = suspect.text;
    return;
  }
  const words = suspect.text.split(" ");
  const mark = document.createElement("mark");
  mark.textContent = words[suspect.word - 1];
  const before = words.slice(0, suspect.word - 1).join(" "), after = words.slice(suspect.word).join(" ");
  byId("text").replaceChildren(before + (before ? " " : ""), mark, (after ? " " : "") + after);
}

function show() {
  const done = at >= suspects.length;
  const counts = { relabel: 0, keep: 0, drop: 0 };
  for (const decision of decided.values()) counts[decision.decision] += 1;
  byId("progress").textContent = `${Math.min(at + 1, suspects.length)} of ${suspects.length}: ${counts.relabel} accepted, `
    + `${counts.keep} rejected, ${counts.drop} dropped` + (saved ? "" : ", not saved yet");
  for (const id of ["relabel", "keep", "skip", "drop"]) byId(id).disabled = done;
  document.querySelector("article").hidden = done;
  if (done) {
    byId("progress").textContent += ". That was the last one: save the decisions.";
    return;
  }
  const suspect = suspects[at], decision = decided.get(at);
  byId("place").textContent = `row ${suspect.row}, line ${suspect.line}` + (suspect.language ? `, ${suspect.language}` : "");
  showText(suspect);
  byId("given").textContent = shown(suspect.given);
  byId("score").textContent = suspect.self_confidence.toFixed(3);
  byId("decision").textContent = decision === undefined ? "none yet"
    : { relabel: `new label ${shown(decision.label)}`, keep: "the given label is right", drop: "drop the row" }[decision.decision];
  const others = Array.isArray(suspect.given) ? [] : data.labels.filter((name) => name !== suspect.given && name !== suspect.suggested);
  byId("label").replaceChildren(option(suspect.suggested), ...others.map(option));
  if (decision !== undefined && decision.decision === "relabel") byId("label").value = JSON.stringify(decision.label);
}

function decide(kind) {
  if (at >= suspects.length) return;
  const suspect = suspects[at];
  const decision = { row: suspect.row, decision: kind };
  if (suspect.word !== undefined && kind !== "drop") decision.word = suspect.word;
  if (kind === "relabel") decision.label = JSON.parse(byId("label").value);
  decided.set(at, decision);
  saved = false;
  move(1);
}

function move(step) {
  at = Math.max(0, Math.min(suspects.length, at + step));
  show();
}

function save() {
  const dropped = new Set();
  const lines = [{ format_version: data.format_version, data: data.data }];
  // Of several suspected words of a sentence, one decision drops it.
  for (const [, decision] of [...decided].sort((first, second) => first[0] - second[0])) {
    if (decision.decision === "drop" && dropped.has(decision.row)) continue;
    if (decision.decision === "drop") dropped.add(decision.row);
    lines.push(decision);
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.map((line) => JSON.stringify(line) + "\n").join("")], { type: "application/jsonl" }));
  link.download = "decisions.jsonl";
  link.click();
  URL.revokeObjectURL(link.href);
  saved = true;
  show();
}

const actions = {
  a: () => decide("relabel"), r: () => decide("keep"), s: () => move(1), d: () => decide("drop"), b: () => move(-1), e: save,
};
const buttons = { relabel: "a", keep: "r", skip: "s", drop: "d", back: "b", save: "e" };
for (const [id, key] of Object.entries(buttons)) byId(id).addEventListener("click", actions[key]);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === "SELECT") return;
  const key = event.key.toLowerCase(), action = actions[key];
  // A key that is held down decides about one text only.
  if (event.repeat && "ard".includes(key)) return;
  if (action) {
    event.preventDefault();
    action();
  }
});
// Keys are for the page again once a label was chosen.
byId("label").addEventListener("change", (event) => event.target.blur());
addEventListener("beforeunload", (event) => {
  if (!saved) event.preventDefault();
});
byId("title").textContent = `Suspected labels of ${data.name}`;
byId("about").textContent = data.about;
show();
