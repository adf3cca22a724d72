// The models, beside the page: it stays quick while they compute.

import * as ort from "./runtime/ort.wasm.bundle.min.mjs";
import { Tagger } from "./tagger.js";
import { WordPiece } from "./wordpiece.js";

ort.env.wasm.numThreads = 1; // more need headers that plain servers of files do not send
ort.env.wasm.wasmPaths = { wasm: new URL("runtime/ort-wasm-simd-threaded.wasm", import.meta.url).href };
ort.env.logLevel = "error";

class Stopped extends Error {}
let asked = 0; // the last request: one that is older has been given up
let opened = null;

async function file(name, as) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name} cannot be loaded (${answer.status})`);
  return answer[as]();
}

async function open() {
  const [settings, tokenizer, graph] = await Promise.all([
    file("export.json", "json"), file("tokenizer.json", "json"), file("base.onnx", "arrayBuffer"),
  ]);
  const adapters = await Promise.all(settings.models.map((model) => file(model.file, "arrayBuffer")));
  const session = await ort.InferenceSession.create(new Uint8Array(graph), { executionProviders: ["wasm"] });
  const rows = adapters.map((bytes) => new ort.Tensor("float16", new Uint16Array(bytes), [bytes.byteLength / 2]));
  const run = async (ids, model) => {
    const input = new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);
    const { logits } = await session.run({ input_ids: input, adapter: rows[settings.models.indexOf(model)] });
    return logits.data;
  };
  return { models: settings.models, tagger: new Tagger(new WordPiece(tokenizer), settings, run) };
}

async function answer({ id, text, models }) {
  asked = id;
  const { models: known, tagger } = await opened;
  for (const number of models) {
    const step = async (done, windows) => {
      postMessage({ kind: "step", id, number, done, windows });
      await new Promise((next) => setTimeout(next)); // lets the next request in
      if (asked !== id) throw new Stopped();
    };
    const entities = await tagger.tag(text, known[number], step);
    postMessage({ kind: "found", id, number, entities });
  }
  postMessage({ kind: "done", id });
}

const failed = (error) => {
  if (!(error instanceof Stopped)) postMessage({ kind: "failed", message: error.message });
};
onmessage = ({ data }) => answer(data).catch(failed);
opened = open();
opened.then(() => postMessage({ kind: "ready" }), failed);
