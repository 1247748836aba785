// A model of the page: its networks run by onnxruntime-web, its answers as the rows that zoo predict writes.

import { columnsOf } from "./columns.js";
import { outside } from "./measure.js";
import * as ort from "./ort.js";

const ROWS_PER_STEP = 4096, IMAGES_PER_STEP = 16;
const TENSORS = { float32: Float32Array, uint8: Uint8Array };
let started = null;

// The version keeps a browser from taking an older page's file from its cache.
async function bytesOf(file, version) {
  const answer = await fetch(new URL(`${encodeURIComponent(file)}?${version}`, import.meta.url));
  if (!answer.ok) throw new Error(`${file}: the server answered ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

// A server may have unpacked it already, for its ending.
async function unpacked(bytes) {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export function start() {
  started ??= (async () => {
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmBinary = await unpacked(await bytesOf("ort.wasm.gz", ort.env.versions.web));
  })();
  return started;
}

export class Engine {
  constructor(model, flags) {
    this.model = model;
    this.flags = Object.fromEntries(Object.entries(flags).map(([name, { bit }]) => [name, bit]));
    this.sessions = {};
  }

  async run(part, feeds) {
    await start();
    this.sessions[part] ??= bytesOf(this.model.files[part], this.model.weights_sha256.slice(0, 12)).then((bytes) => ort.InferenceSession.create(bytes));
    return (await this.sessions[part]).run(feeds);
  }

  // Loaded: by input, { values, flags, problems } of `count` objects; what is not there is missing. Beside the rows, by
  // object what the network gives for each output, where it was asked.
  async predict(loaded, count) {
    const { model, flags } = this, none = flags.MISSING | flags.BAD_INPUT;
    const seen = model.inputs.map((item) => this.#usable(item, loaded[item.name], count));
    const rows = [], fused = "fusion" in model.files;
    const step = model.inputs.some((item) => !item.columns.length) ? IMAGES_PER_STEP : ROWS_PER_STEP;
    const objects = Array.from({ length: count }, (_, n) => n).filter((n) => seen.some((one) => one.present[n]));
    const raws = new Map();
    for (let first = 0; first < objects.length; first += step) {
      const chosen = objects.slice(first, first + step);
      const answers = await (fused ? this.#fused(loaded, seen, chosen) : this.#flat(loaded, chosen));
      chosen.forEach((n, place) => raws.set(n, model.outputs.map(({ name, size }) => answers[name].data.subarray(place * size, (place + 1) * size))));
    }
    for (let n = 0; n < count; n++) {
      const used = model.inputs.filter((_, k) => seen[k].present[n]).map((item) => item.name);
      let shared = seen.reduce((all, one) => all | one.flags[n], 0);
      if (used.length) shared &= ~none;
      else if (!shared) shared = flags.MISSING;
      const row = fused ? { inputs: used.join("|") } : {};
      let together = shared;
      model.outputs.forEach((output, k) => {
        const own = this.#fill(row, output, used, raws.get(n)?.[k]) | shared;
        if (fused) row[`${output.name}_flag`] = own;
        together |= own;
      });
      const problems = model.inputs.map((item) => loaded[item.name]?.problems[n]).filter(Boolean);
      rows.push({ ...row, flag: together, problem: problems.join("; ") });
    }
    return { rows, raws };
  }

  #usable(item, loaded, count) {
    const flags = new Int32Array(count), present = new Array(count).fill(false);
    const none = this.flags.MISSING | this.flags.BAD_INPUT, size = item.shape.reduce((a, b) => a * b);
    for (let n = 0; loaded && n < count; n++) {
      flags[n] = loaded.flags[n];
      present[n] = !(flags[n] & none);
      if (present[n] && outside(item, loaded.values.subarray(n * size, (n + 1) * size))) flags[n] |= this.flags.OUTSIDE_TRAINING;
    }
    return { flags, present };
  }

  #fill(row, output, used, raw) {
    if (!raw || !raw.every(Number.isFinite)) {
      for (const { name } of output.columns) row[name] = null;
      return raw ? this.flags.BAD_INPUT : 0;
    }
    const found = columnsOf(this.model, output, used, raw);
    Object.assign(row, found.row);
    return (found.unsure ? this.flags.UNSURE : 0) | (found.impossible ? this.flags.IMPOSSIBLE : 0);
  }

  #tensor(item, loaded, chosen, pick) {
    const size = item.shape.reduce((a, b) => a * b), make = TENSORS[item.dtype];
    const values = new make(chosen.length * (pick === undefined ? size : 1));
    chosen.forEach((n, place) => {
      if (pick === undefined) values.set(loaded.values.subarray(n * size, (n + 1) * size), place * size);
      else values[place] = loaded.values[n * size + pick];
    });
    return new ort.Tensor(item.dtype, values, [chosen.length, ...(pick === undefined ? item.shape : [])]);
  }

  #flat(loaded, chosen) {
    const [item] = this.model.inputs, byColumn = item.tensors.length > 1;
    const feeds = item.tensors.map((name, k) => [name, this.#tensor(item, loaded[item.name], chosen, byColumn ? k : undefined)]);
    return this.run("network", Object.fromEntries(feeds));
  }

  async #fused(loaded, seen, chosen) {
    const { inputs, present } = this.model, feeds = {}, there = new Float32Array(chosen.length * inputs.length);
    for (const [k, item] of inputs.entries()) {
      const having = chosen.filter((n) => seen[k].present[n]);
      // Of an input that nobody has the encoder is asked how many features it gives.
      const asked = having.length ? loaded[item.name] : { values: new TENSORS[item.dtype](item.shape.reduce((a, b) => a * b)) };
      const { features } = await this.run(item.name, { [item.name]: this.#tensor(item, asked, having.length ? having : [0]) });
      const width = features.dims[1], values = new Float32Array(chosen.length * width);
      chosen.forEach((n, place) => {
        const from = having.indexOf(n);
        if (from < 0) return;
        there[place * inputs.length + k] = 1;
        values.set(features.data.subarray(from * width, (from + 1) * width), place * width);
      });
      feeds[item.name] = new ort.Tensor("float32", values, [chosen.length, width]);
    }
    feeds[present] = new ort.Tensor("float32", there, [chosen.length, inputs.length]);
    return this.run("fusion", feeds);
  }
}
