export { createGitSource, type GitSource, type GitSourceOptions } from "./git-source.ts";
