/** The options of the load client, and its clock. */
export const options = {
  host: "127.0.0.1",
  path: "/",
  procedure: "snapshots.onProject",
  ids: "counting",
  connections: 1,
  scopes: 1,
  keys: 128,
  concurrency: 256,
  "ack-step": 1,
  stalled: 0,
};
for (let at = 2; at + 1 < process.argv.length; at += 2) {
  const value = process.argv[at + 1];
  options[process.argv[at].slice(2)] = value !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
}
export const { protocol } = options;
export const nowUs = () => Number(process.hrtime.bigint() / 1000n);
