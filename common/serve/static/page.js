// The page: four ways to name a galaxy, and what the models say of it.

import { add, plotClasses, plotIntervals, plotQuestions, plotSpectrum } from "./plots.js";

const MAGNITUDES = { bands: ["u", "g", "r", "i", "z"], wise: ["w1", "w2", "w3", "w4"] };
const ENDINGS = { jpg: ["img"], jpeg: ["img"], png: ["img"], npy: ["fits"], csv: ["spectra", "ssel"], fits: ["fits", "spectra", "ssel"], fit: ["fits", "spectra", "ssel"] };
const LABELS = { redshift: "redshift", smass: "stellar mass", subclass: "sub-class", gz2c: "Galaxy Zoo 2 class", votes: "Galaxy Zoo 2 votes", class3: "star, galaxy or quasar", morph10: "morphology" };
const byId = (id) => document.getElementById(id);
const results = byId("results");
let models = [];

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("the service does not answer");
  }
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

function written(output, value) {
  if (output.name === "smass") return `${value.toExponential(2)} Msun (log ${Math.log10(value).toFixed(2)})`;
  return `${value.toPrecision(4)} ${output.unit ?? ""}`.trim();
}

// What each input says without the others: of a number its 68 % interval, of classes the likeliest.
function tableOfInputs(card, output, answer) {
  const name = output.name, table = add(card, "table"), log = name === "smass";
  add(table, "caption", log ? "Together, and each input alone (log mass)" : "Together, and each input alone");
  const head = add(add(table, "thead"), "tr"), body = add(table, "tbody");
  for (const title of ["from", "answer", output.classes.length ? "probability" : output.questions.length ? "" : "68 % interval"]) {
    if (title) add(head, "th", title).scope = "col";
  }
  const short = (value) => (log ? Math.log10(value).toFixed(2) : value.toPrecision(4));
  for (const [from, { prediction }] of [["all", answer], ...Object.entries(answer.from_each_input)]) {
    const row = add(body, "tr"), value = prediction[name];
    add(row, "th", from).scope = "row";
    add(row, "td", value === null ? "none" : typeof value === "string" ? value : short(value));
    if (output.questions.length) continue;
    if (value === null) add(row, "td", "");
    else if (output.classes.length) add(row, "td", `${(100 * prediction[`${name}_${value}`]).toFixed(1)} %`);
    else add(row, "td", ["low", "high"].map((end) => short(prediction[`${name}_${end}_68`])).join(" to "));
  }
}

function show(cards, model, output, answer, truth = null) {
  const card = add(cards, "section"), name = output.name, value = answer.prediction[name];
  const used = answer.prediction.inputs ?? model.inputs.map((input) => input.name).join("|");
  add(card, "h3", `${LABELS[name] ?? name} from ${used.replaceAll("|", ", ") || "nothing"}`);
  if (value === null) add(card, "p", "No prediction.", "value");
  else if (output.classes.length) {
    add(card, "p", value, "value");
    plotClasses(card, name, answer.prediction, output.classes, truth);
    add(card, "p", "Bold: the set that holds the true class in 90 of 100 cases.", "soft");
  } else if (output.questions.length) {
    add(card, "p", value, "value");
    plotQuestions(card, answer.prediction, output.questions);
    add(card, "p", "Shares of all volunteers: each question's answers add up to the answer that leads to it. Left out: questions that fewer than 1 in 10 come to.", "soft");
  } else {
    add(card, "p", written(output, value), "value");
    const density = answer.prediction[`${name}_pdf`], borders = answer.grids?.[`${name}_pdf`];
    plotIntervals(card, name, answer.prediction, truth, name === "smass", density && { borders, density });
    add(card, "p", `${density ? `Curve: how probable each ${name === "smass" ? "log mass" : "value"} is; bars` : "Bars"} hold the true value in 68, 90 and 95 of 100 cases${truth === null ? "" : `; orange: catalogue, ${written(output, truth)}`}.`, "soft");
  }
  if (value !== null && answer.from_each_input) tableOfInputs(card, output, answer);
  for (const flag of answer.flags) add(card, "p", flag, "flag");
  if (answer.problem) add(card, "p", answer.problem, "flag");
  const foot = add(card, "p", `${model.name}, version ${answer.version} `, "soft");
  for (const [text, address] of [["report", model.report], ["card", model.card], ["learnt from", model.picture], ["MLflow run", model.run]]) {
    if (!address) continue;
    Object.assign(add(foot, "a", text), { href: address, target: "_blank", rel: "noopener" });
    foot.append(" ");
  }
}

// What to ask of a model: its distributions where it has some.
const formOf = (model) => (model.outputs.some((output) => output.distribution) ? "grid" : "");

function takes(model, inputs) {
  return model.inputs.some((input) => inputs.includes(input.name));
}

async function predictAll(chosen, request, truths = {}) {
  if (!chosen.length) throw new Error("no trained model takes this; mlflow run b2r --no-conda trains one for magnitudes");
  const cards = add(results, "div", "", "cards");
  const found = {};
  for (const model of chosen) {
    try {
      const answer = await request(model);
      const row = answer.results ? { ...answer, ...answer.results[0] } : answer;
      found[model.name] = row;
      for (const output of model.outputs) show(cards, model, output, row, truths[output.name] ?? null);
    } catch (error) {
      add(cards, "p", `${model.name}: ${error.message}`, "error");
    }
  }
  return found;
}

function picture(parent, source, text, caption, className = "") {
  const figure = add(parent, "figure", "", className);
  Object.assign(add(figure, "img"), { src: source, alt: text });
  if (caption) add(figure, "figcaption", caption);
  return figure;
}

function openGalaxy(objid) {
  byId("objid").value = objid;
  byId("choose").requestSubmit();
  // The button that was pressed goes away; the keyboard goes on where the galaxy is.
  results.focus();
}

function neighbours(objid, about) {
  const fitting = models.filter((model) => model.inputs.some((input) => about.inputs[input.name]));
  if (!fitting.length) return;
  const panel = add(results, "section", "", "similar");
  add(panel, "h3", "Similar galaxies");
  const line = add(panel, "p");
  add(line, "label", "As seen by ").htmlFor = "seen-by";
  const select = add(line, "select");
  select.id = "seen-by";
  for (const model of fitting) add(select, "option", model.name);
  const row = add(panel, "div", "", "neighbours");
  let asked = 0;
  const list = async (name) => {
    const mine = ++asked;
    panel.setAttribute("aria-busy", "true");
    row.replaceChildren();
    const wait = add(row, "p", "Looking for them; a model that is asked first looks at all galaxies …", "soft");
    try {
      const answer = await ask(`/similar/${objid}?n=12${name && `&model=${name}`}`);
      if (mine !== asked) return;
      select.value = answer.model;
      wait.remove();
      for (const one of answer.neighbours) {
        const button = add(row, "button", "", "neighbour");
        button.type = "button";
        Object.assign(add(button, "img"), { src: `/objects/${one.objid}/image.jpg`, alt: "", loading: "lazy", width: 150, height: 150, onerror: (event) => event.target.remove() });
        add(button, "span", one.objid);
        add(button, "span", `z ${one.truths.redshift?.toFixed(4) ?? "unknown"}`);
        add(button, "span", `distance ${one.distance.toFixed(3)}`);
        button.addEventListener("click", () => openGalaxy(one.objid));
      }
    } catch (error) {
      if (mine !== asked) return;
      row.replaceChildren();
      add(row, "p", error.message, "error");
    }
    panel.setAttribute("aria-busy", "false");
  };
  select.addEventListener("change", () => list(select.value));
  add(panel, "p", "Distance between the features in front of the model's head: 0, the same; 1, any two galaxies.", "soft");
  list("");
}

async function galaxy(objid) {
  results.replaceChildren();
  const about = await ask(`/objects/${encodeURIComponent(objid)}`);
  const head = add(results, "h2", `Galaxy ${objid}`);
  add(results, "p", about.part === "train" ? "Models trained on this data set learnt from this galaxy: their answers flatter them." : `One of the ${about.part} galaxies: no weights were fitted to it, but by models with a split of their own.`, "soft");
  const pictures = add(results, "div", "", "pictures");
  if (about.inputs.img || about.inputs.fits) picture(pictures, `/objects/${objid}/image.jpg`, "colour image of the galaxy", '30″ across');
  if (about.inputs.fits) {
    const figure = picture(pictures, `/objects/${objid}/cutouts.png`, "the galaxy in u, g, r, i and z", "", "wide");
    const names = add(figure, "figcaption", "", "bands");
    for (const band of MAGNITUDES.bands) add(names, "span", band);
  }
  const spectrum = about.inputs.spectra ? add(pictures, "figure", "", "spectrum") : null;
  const found = await predictAll(models, (model) => ask(`/infer/${model.name}/${objid}?pdf=${formOf(model)}`), about.truths);
  if (spectrum) {
    const guess = ["s2r", "ss2r", "b2r", "i2r", "f2r"].find((name) => found[name]?.prediction.redshift != null);
    const redshift = guess ? found[guess].prediction.redshift : about.truths.redshift;
    plotSpectrum(spectrum, await ask(`/objects/${objid}/spectrum.json`), redshift, guess ?? "catalogue");
  }
  neighbours(objid, about);
  head.scrollIntoView({ block: "nearest" });
}

function on(id, event, action) {
  byId(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    results.setAttribute("aria-busy", "true");
    try {
      await action();
    } catch (error) {
      results.replaceChildren();
      add(results, "p", error.message, "error");
    } finally {
      results.setAttribute("aria-busy", "false");
    }
  });
}

async function upload() {
  results.replaceChildren();
  const [file] = byId("file").files;
  if (!file) throw new Error("choose a file first");
  const inputs = ENDINGS[file.name.split(".").pop().toLowerCase()];
  if (!inputs) throw new Error(`${file.name}: expected a file that ends in ${Object.keys(ENDINGS).join(", ")}`);
  add(results, "h2", file.name);
  if (inputs.includes("img")) picture(add(results, "div", "", "pictures"), URL.createObjectURL(file), "the uploaded image", "as uploaded");
  await predictAll(models.filter((model) => takes(model, inputs)), (model) => {
    const form = new FormData();
    form.append("file", file);
    form.append("scale", byId("scale").value);
    form.append("pdf", formOf(model));
    return ask(`/predict/${model.name}`, { method: "POST", body: form });
  });
}

async function magnitudes() {
  results.replaceChildren();
  const value = (name) => byId(`mag-${name}`).value.trim();
  const given = Object.keys(MAGNITUDES).filter((input) => MAGNITUDES[input].some((name) => value(name) !== ""));
  if (!given.length) throw new Error("type u, g, r, i and z, or W1 to W4; some models answer where one is missing");
  add(results, "h2", "Your magnitudes");
  await predictAll(models.filter((model) => takes(model, given)), (model) => {
    const names = given.filter((input) => takes(model, [input])).flatMap((input) => MAGNITUDES[input]);
    // What is no number goes as it is, for the service to say so.
    const cell = (typed) => (typed === "" ? null : Number.isNaN(Number(typed)) ? typed : Number(typed));
    const row = Object.fromEntries(names.map((name) => [name, cell(value(name))]));
    const body = JSON.stringify({ rows: [row], pdf: formOf(model) });
    return ask(`/predict/${model.name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  });
}

for (const name of Object.values(MAGNITUDES).flat()) {
  const label = add(byId("magnitudes"), "label", name.replace("w", "W"));
  Object.assign(add(label, "input"), { id: `mag-${name}`, inputMode: "decimal" });
}
on("choose", "submit", () => galaxy(byId("objid").value.trim()));
on("random", "click", async () => {
  byId("objid").value = (await ask("/random/id")).objid;
  await galaxy(byId("objid").value);
});
on("upload", "submit", upload);
on("type", "submit", magnitudes);

const health = await ask("/healthz");
const order = Object.keys(LABELS), place = ({ outputs: [{ name }] }) => (name in LABELS ? order.indexOf(name) : order.length);
models = (await ask("/models")).models.sort((a, b) => a.outputs.length - b.outputs.length || place(a) - place(b));
const trained = models.length ? `${models.length} trained models: ${models.map((model) => model.name).join(", ")}` : "No trained model yet: mlflow run b2r --no-conda trains one";
byId("about").textContent = `${trained}. ${health.data ? `Data set ${health.data} with ${health.objects.toLocaleString("en")} galaxies.` : "No data set: start with zoo serve --ds FOLDER."}`;
for (const id of health.data ? [] : ["objid", "random"]) byId(id).disabled = true;
