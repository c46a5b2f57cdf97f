export type { Delivery, DeliveryOutcome } from "./deliveries.ts";
export { Github } from "./github.ts";
export { GITHUB_EVENTS } from "./payloads.ts";
export { GithubPoll } from "./poll.ts";
export { repositoryName } from "./repository-name.ts";
