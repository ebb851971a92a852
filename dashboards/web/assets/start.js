// Runs in the head, before the first paint: the palette, and what is asked for early and run late.
(function () {
  "use strict";
  // Light or dark as the viewer chose, else as the system has it.
  let chosen = null;
  try { chosen = window.localStorage.getItem("mantine-color-scheme-value"); } catch (error) { /* storage may be forbidden */ }
  const dark = chosen === "dark" || (chosen !== "light" && window.matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");

  // What Dash's renderer asks for first is asked for while its scripts are still on their way.
  const fetched = window.fetch;
  const early = new Map(["/_dash-layout", "/_dash-dependencies"].map((address) => [address, fetched(address)]));
  window.fetch = function (address, options) {
    const answer = early.get(address);
    early.delete(address);
    return answer || fetched.call(window, address, options);
  };

  // Dash's scripts run once the page is painted: they take the browser longer than all that is read.
  function run() {
    const script = document.createElement("script");
    script.src = document.getElementById("page-scripts").href;
    script.addEventListener("load", () => new window.DashRenderer());
    document.head.append(script);
  }

  document.addEventListener("DOMContentLoaded", () => {
    // A page in the background is never painted.
    if (document.hidden) run();
    else requestAnimationFrame(() => setTimeout(run));
  });
})();
