/** Processes of ours: none outlives the run, however it ends. */
const all = new Set();
process.on("exit", () => {
  for (const child of all) child.kill("SIGKILL");
});

/** @returns the same process, remembered until it is gone */
export function own(child) {
  all.add(child);
  child.once("exit", () => all.delete(child));
  return child;
}
