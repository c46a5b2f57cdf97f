/** Programs are random: a handful may say nothing of what they are run for. */

const MOST_ROUNDS = 8;

/** Runs again until enough was seen, or it is plain that it is never seen: then the expectation that follows says so. */
export async function untilEnough(round: () => Promise<void>, isEnough: () => boolean): Promise<void> {
  for (let rounds = 0; rounds < MOST_ROUNDS; rounds += 1) {
    await round();
    if (isEnough()) return;
  }
}
