// Sets the chosen theme before the first paint. Without a choice, the system's theme applies.
document.documentElement.dataset.theme = new URLSearchParams(location.hash.slice(1)).get("theme") ?? "";
