// Before the first paint, so that a dark board does not flash white when it is loaded again.
try {
  const theme = localStorage.getItem("snapwire-theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // storage may be forbidden: the system's theme it is
}
