// What unfold leaves open for those who cannot see the page: fields that search as one types have no name of their own, and icons are words.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const content = document.getElementById("content");
    if (content) {
        content.setAttribute("role", "main");
        content.tabIndex = -1;
    }
    const name = () => {
        // The name of an icon is no part of the name of what it stands beside; where it stands alone, it is all that there is.
        for (const icon of document.querySelectorAll(".material-symbols-outlined:not([aria-hidden])")) {
            const around = icon.closest("a, button, label, summary, h1, h2");
            const beside = around && around.textContent.trim() !== icon.textContent.trim();
            if (beside || icon.classList.contains("pointer-events-none")) icon.setAttribute("aria-hidden", "true");
        }
        for (const box of document.querySelectorAll(".select2-selection[role=combobox]:not([aria-label])")) {
            const select = box.closest(".select2-container")?.previousElementSibling;
            const label = select && document.querySelector(`label[for="${CSS.escape(select.id)}"]`);
            if (label) {
                box.setAttribute("aria-label", label.textContent.trim());
                box.removeAttribute("aria-labelledby");
                box.querySelector("[role=textbox]")?.setAttribute("aria-label", label.textContent.trim());
            }
        }
    };
    name();
    new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
});

// Whoever opens the filters by the keyboard is in them, and back at the button once they are closed.
let opener = null;
const open = () => opener?.getAttribute("aria-expanded") === "true";
const enter = () => {
    if (open()) document.querySelector("#changelist-filter a")?.focus();
};
document.addEventListener("click", event => {
    const button = event.target.closest(".filter-open-button");
    opener = button ?? opener;
    if (button) requestAnimationFrame(() => requestAnimationFrame(enter));
});
// While they are open they hold the focus: it can be given back only once they have closed and let go of it.
document.addEventListener("keydown", event => {
    if (event.key !== "Escape" || !open()) return;
    const leave = () => open() || opener.focus();
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(leave, 0)));
});
