// The models of the playground: llama.cpp in WebAssembly, at most two models in memory at a time.
//
// Everything comes from this site itself and is kept in the browser's cache, so a second visit
// starts without the network.  Nothing that is typed leaves the page.

import { Wllama } from "../wllama/index.min.js";
import { widened } from "./gguf.js";

const STATIC = new URL("../", import.meta.url);
const CACHE = "qwq-course-playground";

/** An error with something to do about it, in the words that the page shows. */
export class PlaygroundError extends Error {
  constructor(problem, remedy) {
    super(`${problem} ${remedy}`);
  }
}

let manifest; // what the site holds: names, bytes and checksums
const opened = new Map(); // name -> Wllama, the one used last at the end
const MOST_OPENED = 2;
let queue = Promise.resolve(); // one caller at a time

async function readManifest() {
  manifest ??= await (await fetch(new URL("models/manifest.json", STATIC))).json();
  return manifest;
}

function checkBrowser() {
  if (typeof WebAssembly !== "object" || typeof Worker !== "function") {
    throw new PlaygroundError(
      "This browser cannot run WebAssembly, which the model needs.",
      "Open the page in a current Firefox, Chrome, Edge or Safari; every result is also in the notebooks."
    );
  }
}

/** A file of the site as a Blob, from the browser's cache if its checksum is still the same. */
async function file(name, facts, onProgress) {
  const url = new URL(`models/${name}`, STATIC);
  const key = `${url}?sha256=${facts.sha256}`;
  const cache = await globalThis.caches?.open(CACHE).catch(() => undefined);
  const kept = await cache?.match(key).catch(() => undefined);
  if (kept) return kept.blob();
  let answer;
  try {
    answer = await fetch(url);
  } catch {
    answer = { ok: false, status: "no connection" };
  }
  if (!answer.ok) {
    throw new PlaygroundError(
      `The file ${name} did not arrive (${answer.status}).`,
      "Check the connection and load the page again."
    );
  }
  const parts = [];
  let loaded = 0;
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    onProgress(loaded);
  }
  const blob = new Blob(parts);
  if (blob.size !== facts.bytes) {
    throw new PlaygroundError(
      `The file ${name} arrived with ${blob.size} of ${facts.bytes} bytes.`,
      "Load the page again."
    );
  }
  // A full or forbidden cache is no reason not to answer.
  await cache?.put(key, new Response(blob)).catch(() => undefined);
  return blob;
}

async function open(name, onProgress) {
  const known = opened.get(name);
  if (known) {
    opened.delete(name);
    opened.set(name, known);
    return known;
  }
  checkBrowser();
  const { files } = await readManifest();
  if (opened.size === MOST_OPENED) {
    const [oldest, wllama] = opened.entries().next().value;
    opened.delete(oldest);
    await wllama.exit();
  }
  const needed = ["wllama.wasm", `${name}.gguf`];
  const total = needed.reduce((sum, each) => sum + files[each].bytes, 0);
  let before = 0;
  const blobs = [];
  for (const each of needed) {
    blobs.push(await file(each, files[each], (loaded) => onProgress((before + loaded) / total)));
    before += files[each].bytes;
  }
  const wasm = URL.createObjectURL(new Blob([blobs[0]], { type: "application/wasm" }));
  try {
    const quiet = { debug() {}, log() {}, warn() {}, error() {} };
    const wllama = new Wllama({ default: wasm }, { logger: quiet });
    await wllama.loadModel([new Blob(widened(await blobs[1].arrayBuffer()))], {
      n_ctx: 1024,
      log_level: 2, // the fewest lines: `suppressNativeLog` writes ten for each token, and drops them
      n_threads: 1, // several would need headers that plain web hosts do not send
      n_gpu_layers: 0,
      cache_type_k: "f32",
      cache_type_v: "f32",
      flash_attn: false,
      warmup: false,
      reasoning: true,
      jinja: true,
    });
    opened.set(name, wllama);
    return wllama;
  } catch (error) {
    throw new PlaygroundError(
      `The model could not be started in this browser (${error.message ?? error}).`,
      "Close other tabs to free memory, and load the page again."
    );
  } finally {
    URL.revokeObjectURL(wasm);
  }
}

/** Run `work(model)` when the models are free; the model `name` is loaded first if need be. */
function withModel(name, onProgress, work) {
  const turn = queue.then(async () => work(await open(name, onProgress)));
  queue = turn.catch(() => undefined);
  return turn;
}

/** Load a model before anybody asks it something. */
export function prepare(name, onProgress = () => {}) {
  return withModel(name, onProgress, () => undefined);
}

/**
 * Ask a model one question.
 *
 * sampling: { temperature, top_k, top_p, min_p, seed, max_tokens }.  onPiece(kind, text) is called
 * with "thinking" or "answer" for each piece.  Gives { thinking, answer, finish, tokens,
 * tokensPerSecond }; an aborted `signal` ends the reply with what has come.
 */
export function ask(name, question, sampling, { onProgress = () => {}, onPiece = () => {}, signal } = {}) {
  return withModel(name, onProgress, async (model) => {
    const reply = { thinking: "", answer: "", finish: "", tokens: 0, tokensPerSecond: 0 };
    const started = performance.now();
    try {
      const chunks = await model.createChatCompletion({
        messages: [{ role: "user", content: question }],
        ...sampling,
        cache_prompt: false,
        timings_per_token: true,
        stream: true,
        abortSignal: signal,
      });
      for await (const chunk of chunks) {
        const choice = chunk.choices?.[0];
        if (choice?.delta?.reasoning_content) add("thinking", choice.delta.reasoning_content);
        if (choice?.delta?.content) add("answer", choice.delta.content);
        if (choice?.finish_reason) reply.finish = choice.finish_reason;
        if (chunk.timings) {
          reply.tokens = chunk.timings.predicted_n;
          reply.tokensPerSecond = (1000 * chunk.timings.predicted_n) / chunk.timings.predicted_ms;
        }
      }
    } catch (error) {
      if (!signal?.aborted) throw error;
      reply.finish = "stopped";
    }
    reply.seconds = (performance.now() - started) / 1000;
    return reply;

    function add(kind, text) {
      reply[kind] += text;
      onPiece(kind, text);
    }
  });
}

/**
 * The likeliest next tokens after `text` (a raw prompt), at most twenty, with their probabilities
 * under the model, before any sampling setting: [{ token, probability }, …].
 */
export function nextTokens(name, text, { onProgress = () => {} } = {}) {
  return withModel(name, onProgress, async (model) => {
    // A token that is only a part of a character cannot be written into the answer, which fails
    // then: ask for fewer until none of them is among those asked for.
    for (const count of [20, 12, 8, 5, 3, 1]) {
      try {
        const result = await model.createCompletion({
          prompt: text,
          max_tokens: 1,
          temperature: 0,
          n_probs: count,
        });
        return result.choices[0].logprobs.content[0].top_logprobs.map(({ token, logprob }) => ({
          token,
          probability: Math.exp(logprob),
        }));
      } catch (error) {
        if (count === 1) throw error;
      }
    }
    return [];
  });
}

/** The prompt that the course's chat template makes of one question. */
export function promptFor(question) {
  return `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n<think>\n`;
}
