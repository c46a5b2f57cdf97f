/** Tickets of a tracker as workspaces: what exists, what each looks like, and that something changed. */
import { EventEmitter } from "node:events";

/** Stands for whatever keeps the tickets. */
export class Tickets extends EventEmitter {
  #all = new Map();
  ids = () => [...this.#all.keys()];
  get = (id) => this.#all.get(id);
  set(id, ticket) {
    this.#all.set(id, ticket);
    this.emit("change", id);
  }
  delete(id) {
    this.#all.delete(id);
    this.emit("change", id);
  }
}

export const ticketSource = (tickets) => ({
  name: "tickets",
  list: () => tickets.ids(),
  read: (ids) => ids.filter((id) => tickets.get(id)).map((id) => rowOf(id, tickets.get(id))),
  watch(context) {
    const heard = (id) => (tickets.get(id) ? context.invalidate(id) : context.invalidateList());
    tickets.on("change", heard);
    return { stop: () => tickets.off("change", heard) };
  },
});

const rowOf = (workspaceId, { title, branch, isOpen }) => ({
  ...{ workspaceId, projectId: "tracker", name: title, branchName: branch },
  status: isOpen ? "READY" : "ARCHIVED",
});
