// Fetches the figures anew while somebody looks at them; what was opened stays open.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const figures = document.getElementById("figures");
    const box = document.getElementById("refreshing");
    const stale = document.getElementById("stale");
    if (!figures || !box || !stale) return;
    box.checked = localStorage.getItem("refreshing") !== "no";
    box.addEventListener("change", () => localStorage.setItem("refreshing", box.checked ? "yes" : "no"));
    let asking = false;

    const refresh = async () => {
        if (asking || document.hidden || !box.checked || figures.contains(document.activeElement)) return;
        asking = true;
        try {
            const answer = await fetch(figures.dataset.url, { credentials: "same-origin", redirect: "error" });
            stale.hidden = answer.ok;
            if (!answer.ok) return;
            const open = [...figures.querySelectorAll("details[open]")].map((each) => each.dataset.keep);
            figures.innerHTML = await answer.text();
            for (const each of figures.querySelectorAll("details")) each.open = open.includes(each.dataset.keep);
        } catch {
            // The server is away, or the session has ended. Nobody may take what is old for how things are.
            stale.hidden = false;
        } finally {
            asking = false;
        }
    };
    setInterval(refresh, Number(figures.dataset.seconds) * 1000);
    document.addEventListener("visibilitychange", refresh);
});
