// A reader's guesses in a notebook's page, shown again beside what came out.  They stay in the page.

for (const place of document.querySelectorAll("[data-revealed]")) {
  const asked = document.querySelector(`[data-prediction="${CSS.escape(place.dataset.revealed)}"]`);
  asked?.addEventListener("change", ({ target }) => {
    place.textContent = `Your guess: ${target.value}`;
    place.hidden = false;
  });
}
