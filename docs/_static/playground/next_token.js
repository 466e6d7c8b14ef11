// What could come next, and how the sampling settings change it.

import { nextTokens, promptFor } from "./engine.js";
import { element, refuse, refused, settingsOf, slider, statusLine } from "./page.js";
import { sampled } from "./sampling.js";

const SHOWN = 12;

/** settings: { model, question } */
export function mount(root) {
  const settings = settingsOf(root);
  const status = statusLine();
  const chosen = { temperature: 1, top_k: 40, top_p: 1, min_p: 0 };
  let written = "";
  let likeliest = [];

  const question = element("input", { type: "text", value: settings.question, maxLength: 200, autocomplete: "off" });
  const again = element("button", { type: "submit" }, "Start");
  const draw = element("button", { type: "button" }, "Draw a token");
  const form = element(
    "form",
    { className: "play-form" },
    element("label", { className: "play-question" }, element("span", {}, "The question"), question),
    again,
    draw
  );
  const set = (name) => (value) => {
    chosen[name] = value;
    show();
  };
  const sliders = element(
    "div",
    { className: "play-sliders" },
    slider("Temperature", { min: 0, max: 2, step: 0.1, value: 1, digits: 1 }, set("temperature")),
    slider("Top-k", { min: 1, max: 40, step: 1, value: 40, digits: 0 }, set("top_k")),
    slider("Top-p", { min: 0.05, max: 1, step: 0.05, value: 1 }, set("top_p")),
    slider("Min-p", { min: 0, max: 0.5, step: 0.01, value: 0 }, set("min_p"))
  );
  const text = element("p", { className: "play-thought", role: "log", ariaLabel: "written so far" });
  const bars = element("div", { className: "play-bars" });
  root.replaceChildren(form, status.line, text, sliders, bars);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (refused(again)) return;
    written = "";
    look();
  });
  draw.addEventListener("click", () => {
    if (refused(draw)) return;
    const left = sampled(likeliest, chosen);
    let chance = Math.random();
    const next = left.find(({ probability }) => (chance -= probability) < 0) ?? left[0];
    if (next) append(next.token);
  });
  status.say("Press Start: the model comes to your browser once, about 16 MB.");

  function append(token) {
    if (refused(again)) return;
    written += token;
    look();
  }

  async function look() {
    for (const button of [again, draw]) refuse(button, true);
    try {
      const prompt = promptFor(question.value.trim() || settings.question) + written;
      likeliest = await nextTokens(settings.model, prompt, { onProgress: status.loading });
      status.say("Press a bar to choose that token, or let chance draw one.");
      root.dataset.ready = "true";
      show();
    } catch (error) {
      status.say(error.message, "problem");
    } finally {
      for (const button of [again, draw]) refuse(button, false);
    }
  }

  function show() {
    text.textContent = `<think>\n${written}▍`;
    const left = new Map(sampled(likeliest, chosen).map((each) => [each.token, each.probability]));
    const rows = likeliest.slice(0, SHOWN).map(({ token, probability }) => {
      const now = left.get(token) ?? 0;
      const name = JSON.stringify(token).slice(1, -1) || "(nothing)";
      const told = now ? `${(100 * now).toFixed(1)} %` : "cut";
      const row = element(
        "button",
        { type: "button", className: "play-bar", ariaLabel: `choose ${name}: ${told}` },
        element("code", {}, name),
        element("span", { className: "play-bar-room" }, element("span", { className: "play-bar-fill", style: `width: ${100 * now}%` })),
        element("span", { className: "play-bar-told" }, told)
      );
      row.title = `the model alone: ${(100 * probability).toFixed(2)} %`;
      row.addEventListener("click", () => append(token));
      return row;
    });
    // Whoever chose a token by the keyboard goes on from the new bars.
    const chose = bars.contains(document.activeElement);
    bars.replaceChildren(...rows);
    if (chose) rows[0]?.focus();
  }
}
