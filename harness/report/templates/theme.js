(() => {  // before the first paint, so that a dark page does not flash white
  let kept = null;
  try { kept = localStorage.getItem("theme"); } catch (error) { kept = null; }  // storage is off: follow the system
  document.documentElement.dataset.theme = kept || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
})();
