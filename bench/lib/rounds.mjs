/** Interleaved rounds: each server once per round, in an order that shifts, so that no server has the quiet minutes. */
export async function inRounds(servers, rounds, run) {
  const results = new Map(servers.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (let at = 0; at < servers.length; at += 1) {
      const name = servers[(at + round * 3) % servers.length];
      const result = await run(name, round);
      if (result !== undefined) results.get(name).push(result);
    }
  }
  return results;
}
