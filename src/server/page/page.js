// page.js - the page that the worker brings along: one form, one job at a time, drawn through the native API.
"use strict";

const $ = (id) => document.getElementById(id);
let job = null; // id of the job that runs
let stream = null; // its EventSource
let lastSeed = null; // digits of the last picture's seed

// ---- talking to the worker ----

function headers() {
  const h = { "Content-Type": "application/json" };
  if ($("key").value) h.Authorization = "Bearer " + $("key").value;
  return h;
}

async function ask(method, path, body) {
  const answer = await fetch(path, { method, headers: headers(), body });
  const text = await answer.text();
  if (answer.status === 401) $("key-row").hidden = false;
  if (answer.ok) return text;
  let message = `The worker answered ${answer.status}`;
  try { message = JSON.parse(text).error.message; } catch { /* an answer without a body */ }
  throw new Error(message);
}

const digits = (text, key) => (new RegExp(`"${key}":\\s*(\\d+)`).exec(text) || [])[1]; // seeds do not fit a double

// ---- what it can do ----

async function describe() {
  try {
    const can = JSON.parse(await ask("GET", "v1/capabilities"));
    const info = JSON.parse(await ask("GET", "info"));
    $("model").textContent = `${info.model_id || "no model"} on ${info.device}, ${info.status}`;
    const rows = { width: "width", height: "height", steps: "steps", guidance: "guidance_scale" };
    for (const [id, name] of Object.entries(rows)) {
      const f = can.fields.find((x) => x.name === name);
      Object.assign($(id), { min: f.min, max: f.max, placeholder: f.default ?? "" });
    }
    $("sampler").replaceChildren($("sampler").options[0], ...can.samplers.map((s) => new Option(s, s)));
    if (info.status === "starting") setTimeout(describe, 1000);
  } catch (e) {
    $("model").textContent = e.message;
    setTimeout(describe, 3000);
  }
}

// ---- one job ----

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error(`${file.name} cannot be read`));
    reader.readAsDataURL(file);
  });
}

async function request() {
  const r = { prompt: $("prompt").value };
  const number = (id, name) => { if ($(id).value !== "") r[name] = Number($(id).value); };
  if ($("negative").value) r.negative_prompt = $("negative").value;
  number("width", "width");
  number("height", "height");
  number("steps", "steps");
  number("guidance", "guidance_scale");
  if ($("sampler").value) r.sampler = $("sampler").value;
  if ($("init").files[0]) {
    r.image = await base64($("init").files[0]);
    number("strength", "strength");
    if ($("mask").files[0]) r.mask = await base64($("mask").files[0]);
  }
  const text = JSON.stringify(r);
  return $("seed").value ? text.replace(/}$/, `,"seed":${$("seed").value}}`) : text;
}

function show(base64Text, format, alt) {
  $("picture").src = `data:image/${format};base64,${base64Text}`;
  $("picture").alt = alt;
  $("picture").hidden = false;
}

function over(text, error) {
  if (stream) stream.close();
  stream = job = null;
  $("go").disabled = false;
  $("cancel").disabled = true;
  $("status").textContent = text;
  $("error").textContent = error || "";
}

function onProgress(e) {
  const p = JSON.parse(e.data);
  $("bar").value = p.step / p.total;
  $("status").textContent = `Step ${p.step} of ${p.total}`;
}

function onComplete(e) {
  const c = JSON.parse(e.data);
  lastSeed = digits(e.data, "seed");
  show(c.image, c.format, $("prompt").value);
  $("save").href = $("picture").src;
  $("save").download = `sdw-${lastSeed}.${c.format}`;
  $("after").hidden = false;
  over(`Done in ${(c.elapsed_ms / 1000).toFixed(1)} s, ${c.width} × ${c.height}, seed ${lastSeed}.`);
}

function follow(id) {
  const token = $("key").value ? "?token=" + encodeURIComponent($("key").value) : "";
  stream = new EventSource(`v1/jobs/${id}/stream${token}`);
  stream.addEventListener("progress", onProgress);
  stream.addEventListener("preview", (e) => { const p = JSON.parse(e.data); show(p.image, p.format, "Preview"); });
  stream.addEventListener("narration", (e) => {
    const n = JSON.parse(e.data);
    if (window.parent !== window)
      window.parent.postMessage({ type: "NARRATION_EVENT", payload: n, source: "sd-worker", timestamp: Date.now(), version: "1.0.0" }, "*");
    if (n.action === "warning") $("error").textContent = n.human;
  });
  stream.addEventListener("complete", onComplete);
  stream.addEventListener("error", (e) => { // a lost connection comes here too, without data; it reconnects by itself
    if (e.data !== undefined) over("Failed.", JSON.parse(e.data).message);
    else if (stream && stream.readyState === EventSource.CLOSED) over("Stopped.", "The stream was closed.");
  });
  stream.onmessage = (e) => {
    if (e.data === "[CANCELLED]") over("Cancelled.");
    else if (e.data.startsWith("[ERROR]")) $("error").textContent = e.data.slice(8);
  };
}

async function draw(event) {
  event.preventDefault();
  $("go").disabled = true;
  $("error").textContent = "";
  $("after").hidden = true;
  $("bar").value = 0;
  $("status").textContent = "Waiting its turn …";
  try {
    job = JSON.parse(await ask("POST", "v1/jobs", await request())).job_id;
    $("cancel").disabled = false;
    follow(job);
  } catch (e) {
    over("Not drawn.", e.message);
  }
}

$("form").addEventListener("submit", draw);
$("cancel").addEventListener("click", () => { if (job) ask("DELETE", "v1/jobs/" + job).catch((e) => over("Stopped.", e.message)); });
$("again").addEventListener("click", () => { $("seed").value = lastSeed; });
$("key").addEventListener("change", describe);
describe();
