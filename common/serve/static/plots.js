// Drawings: a spectrum with line marks, a prediction with its intervals, class probabilities.

const SPACE = "http://www.w3.org/2000/svg";
// Rest-frame vacuum wavelengths, Å (SDSS's table of galaxy lines).
const LINES = { "[OII]": 3728.5, K: 3934.8, H: 3969.6, "Hδ": 4102.9, "Hγ": 4341.7, "Hβ": 4862.7, "[OIII]": 5008.2, Mg: 5176.6, Na: 5895.6, "Hα": 6564.6, "[SII]": 6725.5 };
const FIRST = 4000, LAST = 9000, WIDTH = 900, HEIGHT = 270, BASE = 240, TOP = 40;

export function add(parent, tag, text = "", className = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  if (className) node.className = className;
  parent.append(node);
  return node;
}

function draw(parent, tag, attributes, text = "") {
  const node = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  parent.append(node);
  return node;
}

function canvas(parent, width, height, label) {
  return draw(parent, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
}

export function plotSpectrum(parent, spectrum, redshift, origin) {
  const svg = canvas(parent, WIDTH, HEIGHT, `spectrum from ${FIRST} to ${LAST} ångström`);
  const sorted = [...(spectrum.BestFit ?? spectrum.Flux)].sort((a, b) => a - b);
  const low = Math.min(0, sorted[0]), high = sorted[sorted.length - 1] * 1.05 || 1;
  const x = (wavelength) => ((wavelength - FIRST) / (LAST - FIRST)) * WIDTH;
  const y = (flux) => BASE - ((Math.min(Math.max(flux, low), high) - low) / (high - low)) * (BASE - TOP);
  for (const [name, className] of [["Flux", "observed"], ["BestFit", "fit"]]) {
    if (!spectrum[name]) continue;
    const points = spectrum.wavelength.map((w, n) => `${x(w).toFixed(1)},${y(spectrum[name][n]).toFixed(1)}`);
    draw(svg, "polyline", { points: points.join(" "), class: className });
  }
  for (let wavelength = FIRST; wavelength <= LAST; wavelength += 1000) {
    const anchor = wavelength === FIRST ? "start" : wavelength === LAST ? "end" : "middle";
    draw(svg, "text", { x: x(wavelength), y: HEIGHT - 8, "text-anchor": anchor }, `${wavelength} Å`);
  }
  let level = 0;
  for (const [name, rest] of Object.entries(redshift === null ? {} : LINES)) {
    const place = x(rest * (1 + redshift));
    if (place < 0 || place > WIDTH) continue;
    draw(svg, "line", { x1: place, x2: place, y1: TOP, y2: BASE, class: "mark" });
    draw(svg, "text", { x: place, y: 14 + 14 * (level++ % 2), "text-anchor": "middle" }, name);
  }
  const marks = redshift === null ? "" : `; lines at z = ${redshift.toPrecision(3)} (${origin})`;
  add(parent, "figcaption", `Observed flux (grey) and best fit (blue), ${spectrum.unit}${marks}`);
}

// The density of a distribution, constant within each bin, from the left to the right end of what is shown.
function drawDensity(svg, { borders, density }, x, base) {
  const most = Math.max(...density), y = (value) => base * (1 - (0.95 * value) / most);
  const steps = density.flatMap((value, n) => [borders[n], borders[n + 1]].map((border) => [Math.min(Math.max(x(border), 0), 400), y(value)]));
  const points = [[steps[0][0], base], ...steps, [steps.at(-1)[0], base]];
  draw(svg, "polyline", { points: points.map((point) => point.map((one) => one.toFixed(1)).join()).join(" "), class: "density" });
}

// Where a distribution is not next to nothing: the borders of such bins.
function notable({ borders, density }) {
  const least = 0.02 * Math.max(...density);
  return borders.filter((_, n) => density[n] > least || density[n - 1] > least);
}

export function plotIntervals(parent, name, prediction, truth, logarithmic, distribution = null) {
  const scale = (value) => (logarithmic ? Math.log10(Math.max(value, 1)) : value);
  const ends = (level) => ["low", "high"].map((end) => scale(prediction[`${name}_${end}_${level}`]));
  const shown = [...ends(95), ...(truth === null ? [] : [scale(truth)]), ...(distribution ? notable(distribution) : [])];
  const margin = (Math.max(...shown) - Math.min(...shown)) * 0.08 || 0.01;
  const low = Math.min(...shown) - margin, high = Math.max(...shown) + margin;
  const x = (value) => ((value - low) / (high - low)) * 400;
  const top = distribution ? 80 : 0;
  const svg = canvas(parent, 400, top + 52, `${distribution ? "probability density and " : ""}68, 90 and 95 % intervals`);
  if (distribution) drawDensity(svg, distribution, x, top);
  draw(svg, "line", { x1: 0, x2: 400, y1: top + 18, y2: top + 18, class: "axis" });
  for (const level of [95, 90, 68]) {
    const [from, to] = ends(level);
    draw(svg, "rect", { x: x(from), width: Math.max(1, x(to) - x(from)), y: top + 10, height: 16, rx: 3, class: `level${level}` });
  }
  draw(svg, "circle", { cx: x(scale(prediction[name])), cy: top + 18, r: 5, class: "best" });
  if (truth !== null) draw(svg, "line", { x1: x(scale(truth)), x2: x(scale(truth)), y1: 2, y2: top + 34, class: "truth" });
  for (const [value, anchor] of [[low, "start"], [high, "end"]]) {
    draw(svg, "text", { x: x(value), y: top + 49, "text-anchor": anchor }, value.toPrecision(4));
  }
}

export function plotQuestions(parent, prediction, questions) {
  for (const { text, answers } of questions) {
    const shares = Object.entries(answers).map(([label, column]) => [label, prediction[column]]);
    if (shares.reduce((sum, [, share]) => sum + share, 0) < 0.1) continue;
    add(parent, "p", text, "soft");
    const bars = add(parent, "div", "", "bars");
    const most = Math.max(...shares.map(([, share]) => share));
    for (const [label, share] of shares) {
      add(bars, "span", label, share === most ? "inside" : "");
      const meter = add(bars, "meter");
      Object.assign(meter, { min: 0, max: 1, value: share });
      meter.setAttribute("aria-label", `share of ${label}`);
      add(bars, "span", `${(100 * share).toFixed(1)} %`);
    }
  }
}

export function plotClasses(parent, name, prediction, classes, truth) {
  const inside = new Set(prediction[`${name}_set_90`].split("|"));
  const ranked = classes.map((label) => [label, prediction[`${name}_${label}`]]).sort((a, b) => b[1] - a[1]).slice(0, 6);
  const bars = add(parent, "div", "", "bars");
  for (const [label, chance] of ranked) {
    add(bars, "span", label + (label === truth ? " ✓ true" : ""), inside.has(label) ? "inside" : "");
    const meter = add(bars, "meter");
    Object.assign(meter, { min: 0, max: 1, value: chance });
    meter.setAttribute("aria-label", `probability of ${label}`);
    add(bars, "span", `${(100 * chance).toFixed(1)} %`);
  }
}
