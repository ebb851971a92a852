// Draws the charts of a page once React has put it there. Bundle and numbers are asked for as soon as the page is painted.
(function () {
  "use strict";
  const PICTURE = { width: 1200, height: 675 };
  const bundles = new Map();
  const asked = new Map();

  // Which of plotly's bundles the page takes: only a few charts need the larger one, which draws cells.
  function bundle() {
    const addresses = document.documentElement.dataset;
    return document.querySelector("[data-chart][data-cells]") ? addresses.plotlyCells : addresses.plotly;
  }

  function plotly() {
    const address = bundle();
    if (!bundles.has(address)) {
      bundles.set(address, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = address;
        script.onload = () => resolve(window.Plotly);
        script.onerror = () => reject(new Error("the chart script can't be loaded"));
        document.head.append(script);
      }));
    }
    return bundles.get(address);
  }

  // "@line" in a figure is the colour --chart-line of the palette in force.
  function coloured(value, styles) {
    if (typeof value === "string" && value.startsWith("@")) return styles.getPropertyValue("--chart-" + value.slice(1)).trim();
    if (Array.isArray(value)) return value.map((item) => coloured(item, styles));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, coloured(item, styles)]));
    }
    return value;
  }

  function onScreen(figure, slot) {
    const narrow = slot.clientWidth < 600;
    const layout = Object.assign({}, figure.layout, { dragmode: false, showlegend: false });
    // A figure that has few ticks and narrow margins by itself keeps them.
    if (narrow && !(figure.layout.meta && figure.layout.meta.narrow)) {
      layout.xaxis = Object.assign({}, layout.xaxis, { nticks: 4, tickangle: 0, tickfont: { size: 11 } });
      layout.margin = Object.assign({}, layout.margin, { l: 60, r: 78 });
    }
    return coloured({ data: figure.data, layout: layout }, getComputedStyle(document.documentElement));
  }

  // Puts a figure that is there into its place, in the size and the colours of now.
  async function show(slot) {
    slot.dataset.state = "drawing";
    const place = slot.querySelector(":scope > .drawing");
    const library = await plotly();
    const shown = onScreen(slot.figure, slot);
    await library.react(place, shown.data, Object.assign(shown.layout, { width: slot.clientWidth, height: slot.clientHeight }), {
      displayModeBar: false, scrollZoom: false,
    });
    slot.classList.add("alive");
    slot.dataset.state = "drawn";
  }

  function ask(address) {
    return fetch(address, { headers: { Accept: "application/json" } });
  }

  // A draft's numbers stand in the page itself: no address may hold what a draft says.
  async function numbers(slot, address) {
    if (slot.dataset.figure) return JSON.parse(slot.dataset.figure);
    const response = await (asked.get(address) || ask(address));
    // Only once: numbers of a later moment are asked for anew.
    asked.delete(address);
    if (!response.ok) throw new Error("status " + response.status);
    return response.json();
  }

  async function draw(slot) {
    const address = slot.dataset.chart;
    if (slot.dataset.drawn === address || !slot.offsetParent) return;
    slot.dataset.drawn = address;
    slot.dataset.state = "drawing";
    let place = slot.querySelector(":scope > .drawing");
    if (!place) {
      place = document.createElement("div");
      place.className = "drawing";
      slot.append(place);
    }
    try {
      const [, figure] = await Promise.all([plotly(), numbers(slot, address)]);
      if (slot.dataset.chart !== address) return;
      slot.figure = figure;
      await show(slot);
      offer(slot);
    } catch (error) {
      place.textContent = "The chart can't be drawn (" + error.message + "). The numbers are in the downloads below.";
      slot.classList.add("alive");
      slot.dataset.state = "failed";
    }
  }

  // PNG and SVG are made in the browser: always light, on white, with the words that belong to the numbers.
  function offer(slot) {
    const place = slot.parentElement.querySelector(".pictures");
    if (!place || place.childElementCount) return;
    for (const format of ["png", "svg"]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = format.toUpperCase();
      button.setAttribute("aria-label", format.toUpperCase() + " of " + slot.figure.title);
      button.addEventListener("click", () => save(slot, format));
      place.append(button, " ");
    }
  }

  async function save(slot, format) {
    const library = await plotly();
    const light = document.createElement("div");
    light.className = "light-palette";
    document.body.append(light);
    const figure = slot.figure;
    const words = (figure.words || []).join("<br>");
    const lines = (figure.words || []).length;
    const layout = Object.assign({}, figure.layout, {
      title: { text: figure.title, x: 0.02, xanchor: "left", y: 0.96 },
      showlegend: true,
      legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom" },
      paper_bgcolor: "@paper",
      plot_bgcolor: "@paper",
      margin: { l: Math.max(70, (figure.layout.margin || {}).l || 0), r: 110, t: 110, b: 70 + 18 * lines },
      annotations: (figure.layout.annotations || []).concat([
        { text: words, xref: "paper", yref: "paper", x: 0, y: 0, yshift: -45, xanchor: "left", yanchor: "top", align: "left",
          showarrow: false, font: { size: 12, color: "@soft" } },
      ]),
    });
    const shown = coloured({ data: figure.data, layout: layout }, getComputedStyle(light));
    light.remove();
    const address = await library.toImage(shown, Object.assign({ format: format }, PICTURE));
    const link = document.createElement("a");
    link.href = address;
    link.download = slot.dataset.name + "." + format;
    link.click();
  }

  // While React is on its way: what is painted first names the charts.
  function prepare() {
    const slots = [...document.querySelectorAll(".first-paint [data-chart]")].filter((slot) => slot.offsetParent);
    if (!slots.length) return;
    const link = document.createElement("link");
    Object.assign(link, { rel: "preload", as: "script", href: bundle() });
    document.head.append(link);
    for (const slot of slots) {
      if (!slot.dataset.figure) asked.set(slot.dataset.chart, ask(slot.dataset.chart));
    }
  }

  function drawAll() {
    // What is painted before React is there is replaced: nothing is drawn into it.
    for (const slot of document.querySelectorAll("[data-chart]")) {
      if (!slot.closest(".first-paint")) draw(slot);
    }
  }

  function showAgain() {
    for (const slot of document.querySelectorAll("[data-state='drawn']")) show(slot);
    drawAll();
  }

  prepare();
  let waiting = null;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    for (const slot of document.querySelectorAll("[data-state='drawn']")) {
      if (slot.offsetParent) slot.dataset.state = "resized";
    }
    waiting = setTimeout(() => {
      for (const slot of document.querySelectorAll("[data-state='resized']")) slot.dataset.state = "drawn";
      showAgain();
    }, 120);
  });

  new MutationObserver(drawAll).observe(document.documentElement, {
    childList: true, subtree: true, attributes: true, attributeFilter: ["data-chart"],
  });
  // Mantine sets the attribute once more at its start: only another value is another palette.
  let scheme = document.documentElement.getAttribute("data-mantine-color-scheme");
  new MutationObserver(() => {
    const now = document.documentElement.getAttribute("data-mantine-color-scheme");
    if (now !== scheme) {
      scheme = now;
      showAgain();
    }
  }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-mantine-color-scheme"] });
})();
