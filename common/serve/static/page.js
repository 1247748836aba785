const BANDS = ["u", "g", "r", "i", "z"];
const LINES = { "[OII]": 3728.5, CaK: 3934.8, CaH: 3969.6, "Hβ": 4862.7, "[OIII]": 5008.2, Mg: 5176.6, Na: 5895.6, "Hα": 6564.6 };
const ENDINGS = { jpg: ["img"], jpeg: ["img"], png: ["img"], npy: ["fits"], csv: ["spectra", "ssel"], fits: ["fits", "spectra", "ssel"], fit: ["fits", "spectra", "ssel"] };
const results = document.getElementById("results");
const byId = (id) => document.getElementById(id);
let models = [];

function add(parent, tag, text = "", className = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  node.className = className;
  parent.append(node);
  return node;
}

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

function show(model, answer, truth) {
  const section = add(results, "section");
  add(section, "h3", `${model.name} · ${model.output.description}`);
  const name = model.output.name;
  const value = answer.prediction[name];
  if (value === null) add(section, "p", "no prediction");
  else if (model.classes.length) {
    add(section, "p", `${value} (90 % set: ${answer.prediction[`${name}_set_90`]})`);
  } else {
    const [low, high] = ["low", "high"].map((end) => answer.prediction[`${name}_${end}_68`].toPrecision(4));
    add(section, "p", `${value.toPrecision(4)} ${model.unit} (68 %: ${low} to ${high})`);
  }
  if (truth !== undefined && truth !== null) add(section, "p", `true: ${truth}`, "soft");
  for (const flag of answer.flags) add(section, "p", flag, "soft");
  if (answer.problem) add(section, "p", answer.problem, "error");
  if (model.report) add(section, "a", "report").href = model.report;
}

async function predictAll(chosen, request, truths = {}) {
  if (!chosen.length) add(results, "p", "No trained model takes this.", "error");
  for (const model of chosen) {
    try {
      const answer = await request(model);
      show(model, answer.results?.[0] ?? answer, truths[model.output.name]);
    } catch (error) {
      add(results, "p", `${model.name}: ${error.message}`, "error");
    }
  }
}

function plot(spectrum, redshift) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 800 240");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "spectrum, 4000 to 9000 Å");
  const x = (wavelength) => ((wavelength - 4000) / 5000) * 800;
  const top = Math.max(...spectrum.BestFit), bottom = Math.min(0, ...spectrum.BestFit);
  const line = document.createElementNS(space, "polyline");
  line.setAttribute("points", spectrum.wavelength.map((w, n) => `${x(w).toFixed(1)},${(225 - (200 * (spectrum.BestFit[n] - bottom)) / (top - bottom || 1)).toFixed(1)}`).join(" "));
  svg.append(line);
  for (const [label, rest] of Object.entries(redshift === null ? {} : LINES)) {
    const text = document.createElementNS(space, "text");
    text.setAttribute("x", x(rest * (1 + redshift)));
    text.setAttribute("y", 14);
    text.setAttribute("font-size", 12);
    text.setAttribute("fill", "currentColor");
    text.textContent = label;
    svg.append(text);
  }
  results.append(svg);
}

async function galaxy(objid) {
  results.replaceChildren();
  const about = await ask(`/objects/${encodeURIComponent(objid)}`);
  add(results, "h2", `Galaxy ${objid}`);
  add(results, "p", `${about.data}, ${about.part} objects`, "soft");
  for (const [file, text, there] of [["image.jpg", "colour image", about.inputs.img || about.inputs.fits], ["cutouts.png", "bands u g r i z", about.inputs.fits]]) {
    if (there) Object.assign(add(results, "img"), { src: `/objects/${objid}/${file}`, alt: text });
  }
  if (about.inputs.spectra) plot(await ask(`/objects/${objid}/spectrum.json`), about.truths.redshift);
  await predictAll(models, (model) => ask(`/infer/${model.name}/${objid}`), about.truths);
}

function on(id, event, action) {
  byId(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    try {
      await action();
    } catch (error) {
      results.replaceChildren();
      add(results, "p", error.message, "error");
    }
  });
}

for (const band of BANDS) {
  const label = add(byId("bands"), "label", `${band} `);
  Object.assign(add(label, "input"), { id: `mag-${band}`, size: 5, inputMode: "decimal" });
}
on("choose", "submit", () => galaxy(byId("objid").value.trim()));
on("random", "click", async () => {
  byId("objid").value = (await ask("/random/id")).objid;
  await galaxy(byId("objid").value);
});
on("upload", "submit", async () => {
  results.replaceChildren();
  const [file] = byId("file").files;
  if (!file) throw new Error("choose a file first");
  const inputs = ENDINGS[file.name.split(".").pop().toLowerCase()];
  if (!inputs) throw new Error(`${file.name}: expected ${Object.keys(ENDINGS).join(", ")}`);
  await predictAll(models.filter((model) => inputs.includes(model.input.name)), (model) => {
    const form = new FormData();
    form.append("file", file);
    form.append("scale", byId("scale").value);
    return ask(`/predict/${model.name}`, { method: "POST", body: form });
  });
});
on("type", "submit", async () => {
  results.replaceChildren();
  const row = Object.fromEntries(BANDS.map((band) => [band, byId(`mag-${band}`).value === "" ? null : Number(byId(`mag-${band}`).value)]));
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ rows: [row] }) };
  await predictAll(models.filter((model) => model.input.name === "bands"), (model) => ask(`/predict/${model.name}`, options));
});

const health = await ask("/healthz");
models = (await ask("/models")).models;
byId("about").textContent = `${models.length ? models.map((m) => m.name).join(", ") : "No trained model yet: mlflow run b2r --no-conda"} · ${health.data ? `${health.data}, ${health.objects} galaxies` : "no data set: zoo serve --ds FOLDER"}`;
