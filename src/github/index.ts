export type { Delivery, DeliveryOutcome } from "./deliveries.ts";
export { Github, type GithubDelivery, type GithubOptions } from "./github.ts";
export { GITHUB_EVENTS } from "./payloads.ts";
export { GithubPoll, type GithubPollOptions } from "./poll.ts";
export { repositoryName } from "./repository-name.ts";
