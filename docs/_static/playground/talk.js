// A question to one model, or the same question to several: thought and answer as they are written.

import { ask, prepare } from "./engine.js";
import { element, refuse, refused, settingsOf, slider, statusLine } from "./page.js";

// What QwQ-32B's model card recommends.
const QWQ = { top_k: 40, top_p: 0.95, min_p: 0 };
const LONGEST_QUESTION = 200;

/** settings: { models: [{ name, title }], questions, temperature, temperatures, max_tokens, marks } */
export function mount(root) {
  const settings = settingsOf(root);
  const status = statusLine();
  const question = element("input", {
    type: "text",
    value: settings.questions[0],
    maxLength: LONGEST_QUESTION,
    required: true,
    autocomplete: "off",
  });
  let temperature = settings.temperature ?? 0.6;
  const send = element("button", { type: "submit", className: "play-ask" }, "Ask");
  const stop = element("button", { type: "button" }, "Stop");
  refuse(stop, true);
  const choices = settings.questions.map((each) => {
    const button = element("button", { type: "button", className: "play-example" }, each);
    button.addEventListener("click", () => {
      question.value = each;
      form.requestSubmit();
    });
    return button;
  });
  const form = element(
    "form",
    { className: "play-form" },
    element("label", { className: "play-question" }, element("span", {}, "Your question"), question),
    send,
    stop,
    element("div", { className: "play-examples" }, "Or try: ", ...choices)
  );
  if (settings.temperatures) {
    form.append(temperatureChoice(settings.temperatures, temperature, (value) => (temperature = value)));
  } else {
    const range = { min: 0, max: 1.5, step: 0.1, value: temperature, digits: 1 };
    form.append(slider("Temperature", range, (value) => (temperature = value)));
  }
  const replies = settings.models.map((model) => replyCard(model, settings));
  const cards = element("div", { className: "play-cards" }, ...replies.map(({ card }) => card));
  root.replaceChildren(form, status.line, cards);

  let stopping;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (refused(send) || !question.value.trim()) return;
    stopping = new AbortController();
    refuse(send, true);
    refuse(stop, false);
    try {
      for (const reply of replies) reply.clear();
      const sampling = {
        ...QWQ,
        temperature,
        seed: Math.floor(Math.random() * 2 ** 31),
        max_tokens: settings.max_tokens ?? 400,
      };
      for (const reply of replies) {
        if (stopping.signal.aborted) break;
        status.say(`${reply.title} is writing …`);
        await reply.ask(question.value.trim(), sampling, stopping.signal, status);
      }
      status.say(stopping.signal.aborted ? "Stopped." : "Done.");
    } catch (error) {
      status.say(error.message, "problem");
    } finally {
      refuse(send, false);
      refuse(stop, true);
    }
  });
  stop.addEventListener("click", () => {
    if (!refused(stop)) stopping.abort();
  });

  status.say("The first answer brings the model here, once: about 16 MB.");
  if (settings.atOnce) {
    prepare(settings.models[0].name, status.loading)
      .then(() => {
        if (!refused(send)) status.say("Ready. Nothing you type leaves this page.");
        root.dataset.ready = "true";
      })
      .catch((error) => status.say(error.message, "problem"));
  }
}

function temperatureChoice(values, chosen, onChange) {
  const inputs = values.map((value) => {
    const input = element("input", { type: "radio", name: "temperature", value, checked: value === chosen });
    input.addEventListener("change", () => onChange(value));
    return element("label", {}, input, ` ${value}`);
  });
  return element("fieldset", {}, element("legend", {}, "Temperature"), ...inputs);
}

/** One model's place on the page, and how it asks. */
function replyCard({ name, title }, { marks }) {
  const thought = element("div", { className: "play-thought", lang: "" });
  const answer = element("p", { className: "play-answer" });
  const facts = element("p", { className: "play-facts" });
  const unfolded = element("details", { open: true }, element("summary", {}, "Thought"), thought);
  const card = element("section", { className: "play-card" }, element("h3", {}, title), unfolded, answer, facts);
  return {
    card,
    title,
    clear() {
      for (const each of [thought, answer, facts]) each.replaceChildren();
    },
    async ask(question, sampling, signal, status) {
      const shown = { thinking: "", answer: "" };
      const show = () => {
        draw(thought, shown.thinking.trimStart(), marks);
        answer.textContent = shown.answer.trim();
      };
      // A model writes several tokens while the screen is drawn once.
      let frame;
      const reply = await ask(name, question, sampling, {
        signal,
        onProgress: status.loading,
        onPiece(kind, text) {
          shown[kind] += text;
          frame ??= requestAnimationFrame(() => {
            frame = undefined;
            show();
          });
        },
      });
      cancelAnimationFrame(frame);
      show();
      const speed = Math.round(reply.tokensPerSecond);
      const ended = { length: ", cut at the limit", stopped: ", stopped by you" }[reply.finish] ?? "";
      facts.textContent = `${reply.tokens} tokens, ${speed} a second in this page${ended}`;
      card.dataset.tokensPerSecond = reply.tokensPerSecond;
      if (!shown.answer.trim()) answer.textContent = "(no answer: the thought did not end)";
    },
  };
}

/** The thought, line by line; `marks` says what is pointed out: "repeats" or "scripts". */
function draw(place, text, marks) {
  const seen = new Set();
  const lines = text.split("\n").map((line) => {
    const parts = marks === "scripts" ? line.split(/(\p{Script=Han}+)/u) : [line];
    const spans = parts.map((part) =>
      marks === "scripts" && /\p{Script=Han}/u.test(part) ? element("mark", { lang: "zh" }, part) : part
    );
    const made = element("div", {}, ...spans);
    if (marks === "repeats" && line && seen.has(line)) {
      made.replaceChildren(element("mark", {}, line), element("span", { className: "play-again" }, " again"));
    }
    seen.add(line);
    return made;
  });
  place.replaceChildren(...lines);
}
