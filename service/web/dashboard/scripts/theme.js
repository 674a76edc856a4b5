// Light or dark as chosen, before anything is painted; without a choice it is the system's.
document.documentElement.dataset.theme = new URLSearchParams(location.hash.slice(1)).get("theme") ?? "";
