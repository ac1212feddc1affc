/** The health of a container in the shape of docker's `inspect`. */
import { type CheckResult, readHealth } from '../monitor/health-file.ts'
import type { HealthConfig } from './health-config.ts'

const NS_PER_MS = 1_000_000

/** `Config.Healthcheck`. */
export function healthcheckOf(config: HealthConfig): Record<string, unknown> {
  return {
    Test: config.test,
    Interval: config.intervalMs * NS_PER_MS,
    Timeout: config.timeoutMs * NS_PER_MS,
    StartPeriod: config.startPeriodMs * NS_PER_MS,
    StartInterval: config.startIntervalMs * NS_PER_MS,
    Retries: config.retries,
    OnFailure: config.onFailure,
  }
}

/** `State.Health` of a container with a check. */
export function healthOf(directory: string): Record<string, unknown> {
  const record = readHealth(directory)
  return {
    Status: record?.health ?? 'starting',
    FailingStreak: record?.failingStreak ?? 0,
    Log: (record?.results ?? []).map(entryOf),
  }
}

function entryOf({ start, end, exitCode, failure, output }: CheckResult): Record<string, unknown> {
  return {
    Start: start,
    End: end,
    ExitCode: exitCode,
    Output: failure === undefined ? output : `${why(failure)}${output === '' ? '' : `: ${output}`}`,
  }
}

function why(failure: string): string {
  return failure === 'ETIMEDOUT'
    ? 'the check was killed: it took longer than its timeout'
    : `the check could not run: ${failure}`
}
