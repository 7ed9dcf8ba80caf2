/**
 * The end of a command that did not go well: CONTRACT 2's exit code, and the one line for standard error (none when empty).
 */
export class Exit extends Error {
  readonly exitCode: 1 | 2;

  constructor(exitCode: 1 | 2, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
