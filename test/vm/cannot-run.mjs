/** The test machine cannot be had here, for a reason that lies with this machine and fits on a line. */
export class CannotRun extends Error {}
