// Runs before the first paint, as a blocking script of its own: the content security policy allows no inline script, and a theme
// applied later would flash. src/theme.ts uses the same storage key and attribute.
(() => {
  let choice = null;
  try {
    choice = localStorage.getItem('suiftly.theme');
  } catch {
    // Storage can be forbidden; the system's theme is then the best guess.
  }
  const dark = choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
})();
