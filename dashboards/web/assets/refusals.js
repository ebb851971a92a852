// A callback that the server refuses leaves the page as it was; without this nobody would read why.
(function () {
  const fetched = window.fetch;
  window.fetch = async function (...request) {
    const answer = await fetched.apply(this, request);
    const address = typeof request[0] === "string" ? request[0] : request[0].url;
    const place = document.getElementById("failure");
    if (!address.includes("_dash-update-component") || !place) return answer;
    const isRefused = answer.status >= 400 && answer.status < 500;
    let notice = document.getElementById("refusal");
    if (!isRefused) {
      if (notice) notice.remove();
      return answer;
    }
    const isText = (answer.headers.get("content-type") || "").startsWith("text/plain");
    const words = isText ? await answer.clone().text() : "This was refused. What to do: load the page again.";
    if (!notice) {
      notice = document.createElement("div");
      notice.id = "refusal";
      notice.className = "notice problem";
      notice.setAttribute("role", "alert");
      // Beside React's own place, so that React never finds a node that isn't its own.
      place.after(notice);
    }
    notice.textContent = words;
    notice.scrollIntoView({ block: "nearest" });
    return answer;
  };
})();
