// Drawings: a spectrum with line marks, a prediction with its intervals, class probabilities.

const SPACE = "http://www.w3.org/2000/svg";
// Rest-frame vacuum wavelengths, Å (SDSS's table of galaxy lines).
const LINES = { "[OII]": 3728.5, K: 3934.8, H: 3969.6, "Hδ": 4102.9, "Hγ": 4341.7, "Hβ": 4862.7, "[OIII]": 5008.2, Mg: 5176.6, Na: 5895.6, "Hα": 6564.6, "[SII]": 6725.5 };
const FIRST = 4000, LAST = 9000, HEIGHT = 270, BASE = 240, TOP = 40;
const NARROWEST = 280, WIDEST = 900, LETTER = 7;
const NARROW_PLOT = 200, WIDE_PLOT = 320;
const AXES = { redshift: "redshift z", smass: "log10 of the stellar mass in Msun" };

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

// As wide as its place on the page, so that its letters are as large as any others.
export function plotSpectrum(parent, spectrum, redshift, origin) {
  const width = Math.min(Math.max(parent.clientWidth - 32, NARROWEST), WIDEST), known = typeof redshift === "number";
  const marks = known ? `; lines at z = ${redshift.toPrecision(3)} (${origin})` : "";
  const svg = canvas(parent, width, HEIGHT, `spectrum from ${FIRST} to ${LAST} ångström${marks}`);
  const sorted = [...(spectrum.BestFit ?? spectrum.Flux)].sort((a, b) => a - b);
  const low = Math.min(0, sorted[0]), high = sorted[sorted.length - 1] * 1.05 || 1;
  const x = (wavelength) => ((wavelength - FIRST) / (LAST - FIRST)) * width;
  const y = (flux) => BASE - ((Math.min(Math.max(flux, low), high) - low) / (high - low)) * (BASE - TOP);
  for (const [name, className] of [["Flux", "observed"], ["BestFit", "fit"]]) {
    if (!spectrum[name]) continue;
    const points = spectrum.wavelength.map((w, n) => `${x(w).toFixed(1)},${y(spectrum[name][n]).toFixed(1)}`);
    draw(svg, "polyline", { points: points.join(" "), class: className });
  }
  for (let wavelength = FIRST; wavelength <= LAST; wavelength += width < WIDEST / 2 ? 2500 : 1000) {
    const anchor = wavelength === FIRST ? "start" : wavelength === LAST ? "end" : "middle";
    draw(svg, "text", { x: x(wavelength), y: HEIGHT - 8, "text-anchor": anchor }, `${wavelength} Å`);
  }
  const free = [0, 0];
  for (const [name, rest] of Object.entries(known ? LINES : {})) {
    const place = x(rest * (1 + redshift)), half = (LETTER * name.length) / 2;
    if (place < 0 || place > width) continue;
    draw(svg, "line", { x1: place, x2: place, y1: TOP, y2: BASE, class: "mark" });
    const level = free.findIndex((end) => end < place - half);
    if (level < 0) continue;
    free[level] = place + half + 2;
    draw(svg, "text", { x: Math.min(Math.max(place, half), width - half), y: 14 + 14 * level, "text-anchor": "middle" }, name);
  }
  const drawn = ["Flux", "BestFit"].filter((name) => spectrum[name]).map((name) => ({ Flux: "observed flux (grey)", BestFit: "best fit (blue)" })[name]).join(" and ");
  add(parent, "figcaption", `${drawn.charAt(0).toUpperCase()}${drawn.slice(1)}, ${spectrum.unit}${marks}`);
}

// The density of a distribution, constant within each bin, from the left to the right end of what is shown; of it the
// part between two values, and a line at its median.
function drawDensity(svg, { borders, density }, x, side, base, [from, to], median) {
  const most = Math.max(...density), y = (value) => base * (1 - (0.95 * value) / most);
  const inside = (border) => Math.min(Math.max(x(border), 0), side);
  const outline = (low, high) => {
    const bins = density.flatMap((value, n) => (borders[n + 1] > low && borders[n] < high ? [[Math.max(borders[n], low), value], [Math.min(borders[n + 1], high), value]] : []));
    const steps = bins.map(([border, value]) => [inside(border), y(value)]);
    return steps.length ? [[steps[0][0], base], ...steps, [steps.at(-1)[0], base]].map((point) => point.map((one) => one.toFixed(1)).join()).join(" ") : "";
  };
  draw(svg, "polygon", { points: outline(borders[0], borders.at(-1)), class: "density" });
  draw(svg, "polygon", { points: outline(from, to), class: "middle" });
  draw(svg, "line", { x1: x(median), x2: x(median), y1: 0.05 * base, y2: base, class: "median" });
}

// Where a distribution is not next to nothing: the borders of such bins.
function notable({ borders, density }) {
  const least = 0.02 * Math.max(...density);
  return borders.filter((_, n) => density[n] > least || density[n - 1] > least);
}

const scaled = (value, logarithmic) => (logarithmic ? Math.log10(Math.max(value, 1)) : value);
const endsOf = (name, prediction, level, logarithmic) => ["low", "high"].map((end) => scaled(prediction[`${name}_${end}_${level}`], logarithmic));

// From where to where an axis has to go to show an answer.
export function rangeOf(name, prediction, truth, logarithmic, distribution = null) {
  const shown = [...endsOf(name, prediction, 95, logarithmic), ...(truth === null ? [] : [scaled(truth, logarithmic)]), ...(distribution ? notable(distribution) : [])];
  const margin = (Math.max(...shown) - Math.min(...shown)) * 0.08 || 0.01;
  return [Math.min(...shown) - margin, Math.max(...shown) + margin];
}

// Round numbers within a range, three to five of them, all with as many digits as the step between them needs.
function ticksOf(low, high) {
  const rough = (high - low) / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((one) => one * power >= rough * 0.999);
  const digits = Math.max(0, -Math.floor(Math.log10(step))) + (Math.abs(step / power - 2.5) < 1e-6 ? 1 : 0);
  const first = Math.ceil(low / step), count = Math.floor(high / step) - first + 1;
  return Array.from({ length: count }, (_, n) => ((first + n) * step).toFixed(digits));
}

function drawAxis(svg, name, x, side, [low, high], y) {
  draw(svg, "line", { x1: 0, x2: side, y1: y, y2: y, class: "axis" });
  for (const tick of ticksOf(low, high)) {
    const place = x(Number(tick)), half = (LETTER * tick.length) / 2;
    draw(svg, "line", { x1: place, x2: place, y1: y, y2: y + 4, class: "axis" });
    draw(svg, "text", { x: Math.min(Math.max(place, half), side - half), y: y + 17, "text-anchor": "middle" }, tick);
  }
  draw(svg, "text", { x: side / 2, y: y + 34, "text-anchor": "middle" }, AXES[name] ?? name);
}

export function plotIntervals(parent, name, prediction, truth, logarithmic, distribution = null, range = null) {
  const ends = (level) => endsOf(name, prediction, level, logarithmic), best = scaled(prediction[name], logarithmic);
  const [low, high] = range ?? rangeOf(name, prediction, truth, logarithmic, distribution);
  const side = Math.min(Math.max(parent.clientWidth - 32, NARROW_PLOT), WIDE_PLOT), x = (value) => ((value - low) / (high - low)) * side;
  const top = distribution ? 100 : 0, axis = AXES[name] ?? name;
  const words = `${distribution ? "probability density of the " : ""}${axis}: ${distribution ? "median " : ""}${best.toPrecision(4)}, 68 % from ${ends(68).map((end) => end.toPrecision(4)).join(" to ")}`;
  const svg = canvas(parent, side, top + 70, words);
  if (distribution) drawDensity(svg, distribution, x, side, top, ends(68), best);
  for (const level of [95, 90, 68]) {
    const [from, to] = ends(level);
    draw(svg, "rect", { x: x(from), width: Math.max(1, x(to) - x(from)), y: top + 10, height: 14, rx: 3, class: `level${level}` });
  }
  draw(svg, "circle", { cx: x(best), cy: top + 17, r: 5, class: "best" });
  // Not as high as the curve, which may be as narrow.
  if (truth !== null) draw(svg, "line", { x1: x(scaled(truth, logarithmic)), x2: x(scaled(truth, logarithmic)), y1: Math.max(2, 0.55 * top), y2: top + 30, class: "truth" });
  drawAxis(svg, name, x, side, [low, high], top + 32);
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
