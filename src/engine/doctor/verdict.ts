/** What the doctor finds out about one thing of the host. */

export interface Verdict {
  readonly check: string
  /** `warn`: something that tsrun offers does not work or will run short; `fail`: no container runs. */
  readonly status: 'ok' | 'warn' | 'fail'
  readonly detail: string
  /** A command or a sentence; absent when all is well. */
  readonly remedy?: string
}

export function ok(check: string, detail: string): Verdict {
  return { check, status: 'ok', detail }
}

export function warn(check: string, detail: string, remedy: string): Verdict {
  return { check, status: 'warn', detail, remedy }
}

export function fail(check: string, detail: string, remedy: string): Verdict {
  return { check, status: 'fail', detail, remedy }
}
