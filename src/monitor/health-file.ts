/** Reads the `health` file that a monitor keeps: what the last health checks have found. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoCodeOf } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import { HEALTH_STATES, type HealthState, MAX_CHECK_RESULTS } from './monitor-protocol.ts'

export interface CheckResult {
  /** RFC 3339 with nanoseconds. */
  readonly start: string
  readonly end: string
  /** -1 when the check could not run or was killed. */
  readonly exitCode: number
  /** Why, by the name of its errno: ETIMEDOUT for one that was killed; undefined for one that ran. */
  readonly failure: string | undefined
  readonly output: string
}

export interface HealthRecord {
  readonly health: Exclude<HealthState, 'none'>
  /** Failures in a row. */
  readonly failingStreak: number
  /** The oldest first. */
  readonly results: readonly CheckResult[]
}

/** The health of the container in `directory`; undefined when it has none or the file is damaged. */
export function readHealth(directory: string): HealthRecord | undefined {
  try {
    return parseHealth(readFileSync(join(directory, 'health')))
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const RESULT = /^(\d{4}-\S{24}Z) (\d{4}-\S{24}Z) (\d{1,3}) (\d{1,4}) (\d{1,4})$/
const NO_CODE = 256

/** Parses what native-bindings/monitor-health-file.c writes. */
export function parseHealth(bytes: Buffer): HealthRecord | undefined {
  const head = lineAt(bytes, 0)
  const match = /^([0-2]) (\d{1,10})$/.exec(head ?? '')
  if (head === undefined || match === null) return undefined
  const health = HEALTH_STATES[Number(match[1])]
  if (health === undefined || health === 'none') return undefined
  const results: CheckResult[] = []
  for (let at = head.length + 1; at < bytes.length; ) {
    const line = lineAt(bytes, at)
    const fields = RESULT.exec(line ?? '')
    if (line === undefined || fields === null || results.length === MAX_CHECK_RESULTS)
      return undefined
    const begin = at + line.length + 1
    const end = begin + Number(fields[5])
    if (bytes[end] !== 10) return undefined
    results.push(resultOf(fields, bytes.toString('utf8', begin, end)))
    at = end + 1
  }
  return { health, failingStreak: Number(match[2]), results }
}

function resultOf(
  [, start = '', end = '', code, errno]: RegExpExecArray,
  output: string,
): CheckResult {
  return {
    start,
    end,
    exitCode: Number(code) === NO_CODE ? -1 : Number(code),
    failure: errno === '0' ? undefined : errnoName(Number(errno)),
    output,
  }
}

function lineAt(bytes: Buffer, at: number): string | undefined {
  const end = bytes.indexOf(10, at)
  return end === -1 ? undefined : bytes.toString('latin1', at, end)
}
