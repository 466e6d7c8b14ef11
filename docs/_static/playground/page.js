// Small helpers for the playground's pages: elements, progress and messages.

/** An element with properties, and children that are elements or texts. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** A line that says what happens, for eyes and screen readers, with a bar while something loads. */
export function statusLine() {
  const words = element("span");
  const bar = element("progress", { max: 1, hidden: true, ariaLabel: "loading the model" });
  const line = element("p", { className: "play-status", role: "status" }, bar, words);
  return {
    line,
    say(text, kind = "") {
      bar.hidden = true;
      words.textContent = text;
      line.dataset.kind = kind;
    },
    loading(share) {
      bar.hidden = share >= 1;
      bar.value = share;
      const percent = Math.round(100 * share);
      words.textContent = share < 1 ? `Bringing the model here: ${percent} %` : "Starting the model …";
      line.dataset.kind = "";
    },
  };
}

/**
 * Refuse a button for a while, or no longer.  `disabled` would take the keyboard's place on the page
 * away from whoever has just pressed it; whoever listens to the button looks with `refused`.
 */
export function refuse(button, yes) {
  button.setAttribute("aria-disabled", String(yes));
}

export function refused(button) {
  return button.getAttribute("aria-disabled") === "true";
}

/** A labelled slider that tells its value. */
export function slider(label, { min, max, step, value, digits = 2 }, onChange) {
  const shown = element("output", {}, Number(value).toFixed(digits));
  const input = element("input", { type: "range", min, max, step, value });
  input.addEventListener("input", () => {
    shown.textContent = Number(input.value).toFixed(digits);
    onChange(Number(input.value));
  });
  return element("label", { className: "play-slider" }, element("span", {}, label), input, shown);
}

/** Where a page's settings stand: JSON in its element's `data-settings`. */
export function settingsOf(root) {
  return JSON.parse(root.dataset.settings ?? "{}");
}
