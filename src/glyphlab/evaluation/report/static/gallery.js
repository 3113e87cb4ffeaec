// The gallery of mistakes and its filters.
const gallery = document.getElementById("gallery");
if (gallery) {
  const form = document.getElementById("filters");
  const more = document.getElementById("gallery-more");
  const says = document.getElementById("gallery-count");
  const STEP = matchMedia("(max-width: 720px)").matches ? 48 : 120;
  const all = Array.from({ length: count }, (_, at) => at).filter(isWrong);
  let chosen = [];
  let visible = 0;

  function fill(select, values, label) {
    for (const value of values) select.append(element("option", { value }, label(value)));
  }
  const byName = (a, b) => a - b;
  fill(form.truth, [...new Set(all.map((at) => truths[at]))].sort(byName), nameOf);
  fill(form.prediction, [...new Set(all.map((at) => predictions[at]))].sort(byName), nameOf);
  fill(form.kind, page.kinds.map((_, i) => i), (i) => page.kinds[i]);

  const isTwin = (at) => page.groups[truths[at]] === page.groups[predictions[at]];
  const orders = {
    sure: (a, b) => sureness(b) - sureness(a),
    unsure: (a, b) => sureness(a) - sureness(b),
    class: (a, b) => a - b,
  };

  function fits(at) {
    const { truth, prediction, kind, twins, least } = form;
    return (
      (truth.value === "" || truths[at] === Number(truth.value)) &&
      (prediction.value === "" || predictions[at] === Number(prediction.value)) &&
      (kind.value === "" || page.kind[at] === Number(kind.value)) &&
      (!twins?.value || isTwin(at) === (twins.value === "only")) &&
      sureness(at) * 100 >= Number(least.value)
    );
  }

  function show() {
    gallery.append(...chosen.slice(visible, visible + STEP).map(tile));
    visible = Math.min(visible + STEP, chosen.length);
    more.hidden = visible >= chosen.length;
    const shown = visible < chosen.length ? `, ${number(visible)} shown` : "";
    says.textContent = `${plural(chosen.length, "mistake")} of ${number(all.length)}${shown}`;
  }

  function refresh() {
    form.least_text.value = `${form.least.value} %`;
    chosen = all.filter(fits).sort(orders[form.order.value]);
    visible = 0;
    gallery.replaceChildren();
    show();
  }

  form.addEventListener("input", refresh);
  form.addEventListener("reset", () => setTimeout(refresh)); // after the fields have their first values again
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", show);
  refresh();
}
