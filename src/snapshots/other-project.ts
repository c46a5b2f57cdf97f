/** A write expected its workspace in one project, and it is in another one, where it may be hidden. */
import { SnapwireError } from "../protocol/errors.ts";

export class OtherProject extends SnapwireError {
  /** Where it is: for who may write there. */
  readonly projectId: string;

  constructor(projectId: string, expected: string) {
    super(
      "other-project",
      `This workspace is in the project ${projectId}, not in ${expected}; nothing was set.`,
    );
    this.projectId = projectId;
  }
}
