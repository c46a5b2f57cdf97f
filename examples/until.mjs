/** Waits for a fact, 10 s at most, and says so. */
export async function until(fact, what) {
  const end = Date.now() + 10_000;
  for (;;) {
    try {
      fact();
      return console.log(`ok: ${what}`);
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
