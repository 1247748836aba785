// The page: what a user types, pastes or drops, and what the models of this folder say of it.

import { FORMULAS, densityOf } from "./distribution.js";
import { Engine, start } from "./engine.js";
import { loadImages } from "./image.js";
import { add, plotClasses, plotIntervals, plotQuestions } from "./plots.js";
import { loadColumns, readTable, writeTable } from "./table.js";

const byId = (id) => document.getElementById(id);
const results = byId("results");
const SHOWN_ROWS = 100;
const about = await (await fetch(new URL("models.json", import.meta.url), { cache: "no-cache" })).json();
const engines = about.models.map((model) => new Engine(model, about.flags));
// Of one name the one that has most columns: some have errors, too.
const all = about.models.flatMap((model) => model.inputs);
const inputs = Object.values(all.reduce((found, item) => {
  if (!(item.columns.length <= found[item.name]?.columns.length)) found[item.name] = item;
  return found;
}, {}));
const tables = inputs.filter((item) => item.columns.length);

function written(output, value) {
  if (output.kind === "mass") return `${value.toExponential(2)} ${output.unit} (log ${Math.log10(value).toFixed(2)})`;
  return `${value.toPrecision(4)} ${output.unit}`.trim();
}

function intervalsInWords(model, output, row) {
  const shown = (value) => (output.kind === "mass" ? value.toExponential(2) : value.toPrecision(4));
  const parts = model.levels.map((level) => {
    const share = (100 * level).toFixed(0), [low, high] = ["low", "high"].map((end) => row[`${output.name}_${end}_${share}`]);
    return `${share}: ${shown(low)} to ${shown(high)}`;
  });
  return `Of 100 such intervals so many hold the true value. ${parts.join("; ")}.`;
}

function questionsOf(output) {
  return output.questions.map(({ text, answers, first }) => ({
    text, answers: Object.fromEntries(answers.map((answer, k) => [answer, `${output.name}_${output.answers[first + k]}`])),
  }));
}

function showOne(cards, model, output, row, raw) {
  const card = add(cards, "section"), used = row.inputs ?? model.inputs[0].name;
  add(card, "h3", `${output.description} from ${used.replaceAll("|", ", ")}`);
  const filled = row[output.columns.at(-1).name] !== null;
  if (!filled) add(card, "p", "No prediction.", "value");
  else if (output.classes.length) {
    add(card, "p", row[output.name], "value");
    plotClasses(card, output.name, row, output.classes, null);
    add(card, "p", "Bold: the set that holds the true class in 90 of 100 cases.", "soft");
  } else if (output.answers.length) {
    add(card, "p", row[output.name], "value");
    plotQuestions(card, row, questionsOf(output));
  } else {
    add(card, "p", written(output, row[output.name]), "value");
    plotIntervals(card, output.name, row, null, output.kind === "mass", output.value in FORMULAS ? densityOf(output, raw) : null);
    add(card, "p", intervalsInWords(model, output, row), "soft");
  }
  const flag = row[`${output.name}_flag`] ?? row.flag;
  for (const { bit, meaning } of Object.values(about.flags)) if (flag & bit) add(card, "p", meaning, "flag");
  if (row.problem) add(card, "p", row.problem, "flag");
  add(card, "p", `${model.name}, version ${model.version}`, "soft");
}

function cellText(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "number" && !Number.isInteger(value) ? value.toPrecision(5) : String(value);
}

function showTable(model, rows) {
  const columns = Object.keys(rows[0]), link = add(add(results, "p"), "a", `${model.name}.csv: all ${rows.length} rows, every digit`);
  link.href = URL.createObjectURL(new Blob([writeTable(rows)], { type: "text/csv" }));
  link.download = `${model.name}.csv`;
  const frame = add(results, "div", "", "scroll");
  Object.assign(frame, { tabIndex: 0, role: "region", ariaLabel: `predictions of ${model.name}` });
  const table = add(frame, "table");
  add(table, "caption", `${model.name}, version ${model.version}${rows.length > SHOWN_ROWS ? `: the first ${SHOWN_ROWS}` : ""}`);
  const head = add(table, "tr");
  for (const name of columns) add(head, "th", name).scope = "col";
  for (const row of rows.slice(0, SHOWN_ROWS)) {
    const line = add(table, "tr");
    for (const name of columns) add(line, "td", cellText(row[name])).title = String(row[name] ?? "");
  }
}

// Load: what some inputs find in what the user gave, by input; each model has its own form of an input.
async function predictAll(load, ids, idName) {
  const chosen = engines.filter(({ model }) => Object.keys(load(model.inputs)).length);
  const cards = ids.length === 1 ? add(results, "div", "", "cards") : null;
  const began = performance.now();
  for (const engine of chosen) {
    const { model } = engine, { rows, raws } = await engine.predict(load(model.inputs), ids.length);
    if (cards) model.outputs.forEach((output, k) => showOne(cards, model, output, rows[0], raws.get(0)?.[k]));
    else {
      const origin = { model: model.name, version: model.version, weights: `sha256:${model.weights_sha256.slice(0, 12)}` };
      showTable(model, rows.map((row, n) => ({ [idName]: ids[n], ...row, ...origin, runtime: about.runtime })));
    }
  }
  const skipped = engines.filter((engine) => !chosen.includes(engine)).map(({ model }) => model.name);
  const rest = skipped.length ? ` Not asked, for they take something else: ${skipped.join(", ")}.` : "";
  byId("status").textContent = `${ids.length === 1 ? "Predicted" : `${ids.length} galaxies`} in ${(performance.now() - began).toFixed(0)} ms, in this browser.${rest}`;
}

async function typed() {
  const columns = {};
  for (const item of tables) {
    const texts = item.columns.map((column) => [column, byId(`value-${column.name}`).value.trim()]);
    const lacking = texts.slice(0, texts.length - item.errors).filter(([, text]) => !text).map(([column]) => column.short_name);
    if (lacking.length === texts.length - item.errors) continue;
    const gaps = all.some(({ name, gaps }) => gaps && name === item.name);
    if (lacking.length && !gaps) throw new Error(`${item.name}: expected all of ${texts.map(([column]) => column.short_name).join(", ")}; ${lacking.join(", ")} is empty (write -9999 for what was not measured)`);
    for (const [column, text] of texts) columns[column.name] = [text];
  }
  const load = (some) => loadColumns(some.filter((item) => item.columns.length), columns, 1, about);
  if (!Object.keys(load(tables)).length) throw new Error(`type ${tables.map((item) => item.columns.map((column) => column.short_name).join(", ")).join("; or ")}`);
  add(results, "h2", "Your galaxy");
  await predictAll(load, ["0"], "row");
}

async function pasted() {
  const { load, ids, idName } = readTable(byId("table").value, tables, about);
  add(results, "h2", `${ids.length} galaxies`);
  await predictAll(load, ids, idName);
}

async function looked() {
  const files = [...byId("images").files];
  if (!files.length) throw new Error("choose an image first");
  add(results, "h2", files.length === 1 ? files[0].name : `${files.length} images`);
  const pictures = add(results, "div", "", "pictures thumbnails");
  for (const file of files.slice(0, 12)) {
    const figure = add(pictures, "figure"), image = add(figure, "img");
    Object.assign(image, { alt: file.name, onload: () => URL.revokeObjectURL(image.src), onerror: () => image.remove() });
    image.src = URL.createObjectURL(file);
    add(figure, "figcaption", file.name);
  }
  const img = await loadImages(files, about), load = (some) => (some.some(({ name }) => name === "img") ? { img } : {});
  await predictAll(load, files.map((file) => file.name.replace(/\.[^.]*$/, "")), "id");
}

function on(id, action) {
  byId(id).addEventListener("submit", async (happened) => {
    happened.preventDefault();
    results.setAttribute("aria-busy", "true");
    results.replaceChildren();
    byId("status").textContent = "Predicting …";
    try {
      await action();
    } catch (error) {
      byId("status").textContent = "";
      add(results, "p", error.message, "error").role = "alert";
    } finally {
      results.setAttribute("aria-busy", "false");
    }
    results.scrollIntoView({ block: "nearest" });
    results.focus({ preventScroll: true });
  });
}

function layFields() {
  for (const item of tables) {
    const group = add(byId("magnitudes"), "fieldset"), legend = add(group, "legend", item.name === "bands" ? "SDSS" : "WISE");
    const [first] = item.columns;
    add(legend, "span", ` ${first.unit}, ${first.low} to ${first.high}`, "range soft");
    add(group, "p", item.description, "soft").id = `about-${item.name}`;
    const fields = add(group, "div", "", "magnitudes");
    item.columns.forEach((column) => {
      const label = add(fields, "label", column.short_name.replace("w", "W"));
      Object.assign(add(label, "input"), { id: `value-${column.name}`, inputMode: "decimal", autocomplete: "off" });
      label.lastChild.setAttribute("aria-describedby", `about-${item.name}`);
    });
  }
  byId("table").placeholder = `objid,${tables.flatMap((item) => item.columns.map((column) => column.short_name)).join(",")}`;
  for (const id of ["type", "paste"]) byId(id).hidden = !tables.length;
  byId("look").hidden = tables.length === inputs.length;
  const { side, smallest, largest, scale } = about.image;
  byId("image-rule").textContent = `${side}×${side} pixels of ${scale}″. Sides of ${smallest} to ${largest} pixels enter: a larger image is cropped to its middle, the edge of a smaller one is repeated.`;
}

function layModels() {
  for (const { model } of engines) {
    const { card } = model, one = add(byId("models"), "details");
    add(one, "summary", `${model.name}: ${card.scores.join("; ") || model.outputs.map((output) => output.description).join(", ")}`);
    const { train, test } = card.objects;
    add(one, "p", `Learnt from ${train.toLocaleString("en")} galaxies of ${card.data}; scores on ${test.toLocaleString("en")} others, with 95 % intervals.`, "soft");
    for (const warning of card.warnings) add(one, "p", warning, "flag");
    const limits = add(one, "ul");
    for (const limit of card.limits) add(limits, "li", limit);
    add(one, "p", `Version ${model.version}, weights sha256:${model.weights_sha256.slice(0, 12)}, ${model.licence || "no"} licence.`, "soft");
  }
  byId("models").hidden = false;
}

// Of each magnitude the middle of what the training objects had.
function fillExample() {
  for (const item of tables) {
    const { low, high, knots } = item.training_range;
    const middle = knots ? knots.slice(0, (knots.length + 1) / 2).map((one) => one[one.length >> 1]) : low.map((value, k) => (value + high[k]) / 2);
    item.columns.slice(0, middle.length).forEach((column, k) => { byId(`value-${column.name}`).value = middle[k].toFixed(2); });
  }
}

function takeDrops() {
  const area = byId("drop");
  for (const name of ["dragover", "dragleave", "drop"]) {
    area.addEventListener(name, (event) => {
      event.preventDefault();
      area.classList.toggle("over", name === "dragover");
      if (name !== "drop") return;
      byId("images").files = event.dataTransfer.files;
      byId("look").requestSubmit();
    });
  }
}

byId("table-file").addEventListener("change", async ({ target }) => { byId("table").value = (await target.files[0]?.text()) ?? ""; });
byId("example").addEventListener("click", fillExample);
layFields();
layModels();
takeDrops();
on("type", typed);
on("paste", pasted);
on("look", looked);
byId("about").textContent = `${about.models.map((model) => model.name).join(", ")}, in this browser: what you type or choose does not leave it.`;
byId("foot").textContent = `Written by zoo ${about.zoo_version}; networks run by ${about.runtime} (MIT licence, Microsoft).`;
start().catch((error) => add(results, "p", error.message, "error"));
