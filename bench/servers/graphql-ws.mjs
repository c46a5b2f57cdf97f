/** graphql-ws: one subscription field, its value a JSON scalar (a field for each key costs more). */
import { EventEmitter, on } from "node:events";
import { GraphQLObjectType, GraphQLScalarType, GraphQLSchema, GraphQLString } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { frameOf } from "./change.mjs";

export async function serve({ entry }) {
  const emitter = new EventEmitter().setMaxListeners(0);
  const Json = new GraphQLScalarType({ name: "JSON" });
  const schema = new GraphQLSchema({
    query: new GraphQLObjectType({ name: "Query", fields: { version: { type: GraphQLString } } }),
    subscription: new GraphQLObjectType({
      name: "Subscription",
      fields: {
        change: {
          type: Json,
          async *subscribe() {
            for await (const [frame] of on(emitter, "change")) yield { change: frame };
          },
        },
      },
    }),
  });
  const wss = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  useServer({ schema }, wss);
  await new Promise((resolve) => wss.once("listening", resolve));
  return {
    port: wss.address().port,
    subscribers: () => emitter.listenerCount("change"),
    publish(changes) {
      for (const change of changes) emitter.emit("change", frameOf(entry, change));
    },
  };
}
