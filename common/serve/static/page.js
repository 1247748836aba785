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

function written(model, value) {
  if (model.output.name === "smass") return `${value.toExponential(2)} Msun (log ${Math.log10(value).toFixed(2)})`;
  return `${value.toPrecision(4)} ${model.unit ?? ""}`.trim();
}

function show(cards, model, answer, truth = null) {
  const card = add(cards, "section"), name = model.output.name, value = answer.prediction[name];
  add(card, "h3", `${LABELS[name] ?? name} from ${model.input.name}`);
  if (value === null) add(card, "p", "No prediction.", "value");
  else if (model.classes.length) {
    add(card, "p", value, "value");
    plotClasses(card, name, answer.prediction, model.classes, truth);
    add(card, "p", "Bold: the set that holds the true class in 90 of 100 cases.", "soft");
  } else if (model.questions.length) {
    add(card, "p", value, "value");
    plotQuestions(card, answer.prediction, model.questions);
    add(card, "p", "Shares of all volunteers: each question's answers add up to the answer that leads to it. Left out: questions that fewer than 1 in 10 come to.", "soft");
  } else {
    add(card, "p", written(model, value), "value");
    plotIntervals(card, name, answer.prediction, truth, name === "smass");
    add(card, "p", `Bars hold the true value in 68, 90 and 95 of 100 cases${truth === null ? "" : `; orange: catalogue, ${written(model, truth)}`}.`, "soft");
  }
  for (const flag of answer.flags) add(card, "p", flag, "flag");
  if (answer.problem) add(card, "p", answer.problem, "flag");
  const foot = add(card, "p", `${model.name}, version ${answer.version} `, "soft");
  for (const [text, address] of [["report", model.report], ["card", model.card]]) {
    if (!address) continue;
    Object.assign(add(foot, "a", text), { href: address, target: "_blank", rel: "noopener" });
    foot.append(" ");
  }
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
      show(cards, model, row, truths[model.output.name] ?? null);
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

async function galaxy(objid) {
  results.replaceChildren();
  const about = await ask(`/objects/${encodeURIComponent(objid)}`);
  const head = add(results, "h2", `Galaxy ${objid}`);
  add(results, "p", about.part === "train" ? "Models trained on this data set learnt from this galaxy: their answers flatter them." : `One of the ${about.part} galaxies: no weights were fitted to it.`, "soft");
  const pictures = add(results, "div", "", "pictures");
  if (about.inputs.img || about.inputs.fits) picture(pictures, `/objects/${objid}/image.jpg`, "colour image of the galaxy", '30″ across');
  if (about.inputs.fits) {
    const figure = picture(pictures, `/objects/${objid}/cutouts.png`, "the galaxy in u, g, r, i and z", "", "wide");
    const names = add(figure, "figcaption", "", "bands");
    for (const band of MAGNITUDES.bands) add(names, "span", band);
  }
  const spectrum = about.inputs.spectra ? add(pictures, "figure", "", "spectrum") : null;
  const found = await predictAll(models, (model) => ask(`/infer/${model.name}/${objid}`), about.truths);
  if (spectrum) {
    const guess = ["s2r", "ss2r", "b2r", "i2r", "f2r"].find((name) => found[name]?.prediction.redshift != null);
    const redshift = guess ? found[guess].prediction.redshift : about.truths.redshift;
    plotSpectrum(spectrum, await ask(`/objects/${objid}/spectrum.json`), redshift, guess ?? "catalogue");
  }
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
  await predictAll(models.filter((model) => inputs.includes(model.input.name)), (model) => {
    const form = new FormData();
    form.append("file", file);
    form.append("scale", byId("scale").value);
    return ask(`/predict/${model.name}`, { method: "POST", body: form });
  });
}

async function magnitudes() {
  results.replaceChildren();
  const value = (name) => byId(`mag-${name}`).value.trim();
  const given = Object.keys(MAGNITUDES).filter((input) => MAGNITUDES[input].every((name) => value(name) !== ""));
  if (!given.length) throw new Error("type u, g, r, i and z, or W1 to W4");
  add(results, "h2", "Your magnitudes");
  await predictAll(models.filter((model) => given.includes(model.input.name)), (model) => {
    const row = Object.fromEntries(MAGNITUDES[model.input.name].map((name) => [name, Number(value(name))]));
    const body = JSON.stringify({ rows: [row] });
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
const order = Object.keys(LABELS), place = ({ output }) => (output.name in LABELS ? order.indexOf(output.name) : order.length);
models = (await ask("/models")).models.sort((a, b) => place(a) - place(b));
const trained = models.length ? `${models.length} trained models: ${models.map((model) => model.name).join(", ")}` : "No trained model yet: mlflow run b2r --no-conda trains one";
byId("about").textContent = `${trained}. ${health.data ? `Data set ${health.data} with ${health.objects.toLocaleString("en")} galaxies.` : "No data set: start with zoo serve --ds FOLDER."}`;
for (const id of health.data ? [] : ["objid", "random"]) byId(id).disabled = true;
