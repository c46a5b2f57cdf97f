/** A process that answers questions over its channel: `{ id, command, input }` by `{ id, result }` or `{ id, error }`. */

/** @param pending  who waits for an answer */
export async function asked(child, pending, secondsToAnswer) {
  child.on("message", ({ id, result, error, ready }) => {
    if (ready) pending.answer("start-up", undefined);
    else if (error === undefined) pending.answer(id, result);
    else pending.refuse(id, error);
  });
  await pending.ask("start-up", 30, () => undefined);
  let last = 0;
  return {
    pid: child.pid,
    ask(command, input = {}, seconds = secondsToAnswer) {
      last += 1;
      const id = `${command} ${last}`;
      return pending.ask(id, seconds, () => child.send({ id, command, input }));
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    },
  };
}
