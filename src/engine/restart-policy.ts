/** Restart policies: what docker's `--restart` says, and when an ended container is started anew by its monitor. */
import { TsrunError } from '../errors.ts'
import {
  RESTART_DELAY_MS,
  RESTART_MAX_DELAY_MS,
  RESTART_STATUS,
  RESTART_STATUS_LAST,
} from '../monitor/monitor-protocol.ts'

export const RESTART_POLICIES = ['no', 'on-failure', 'always', 'unless-stopped'] as const

export interface RestartPolicy {
  readonly name: (typeof RESTART_POLICIES)[number]
  /** Of `on-failure`; 0 for no maximum. */
  readonly maximumRetryCount: number
}

/** Parses `no`, `on-failure[:number]`, `always` or `unless-stopped`. */
export function parseRestartPolicy(text: string): RestartPolicy {
  const [, name, count] = /^([a-z-]+)(?::(\d{1,9}))?$/.exec(text) ?? []
  const policy = RESTART_POLICIES.find((known) => known === name)
  if (policy === undefined) {
    throw new TsrunError(
      'invalid-argument',
      `cannot use --restart "${text}": it is one of no, on-failure[:number], always, unless-stopped`,
    )
  }
  if (count !== undefined && policy !== 'on-failure') {
    throw new TsrunError(
      'invalid-argument',
      `cannot use --restart "${text}": only on-failure takes a number of attempts`,
      { hint: `use --restart ${policy} or --restart on-failure:${count}` },
    )
  }
  return { name: policy, maximumRetryCount: Number(count ?? 0) }
}

/** How a run of a container ended, for the policy to decide by. */
export interface EndedRun {
  readonly exitCode: number
  readonly ranMs: number
  /** The user has stopped it, or killed it. */
  readonly stopped: boolean
  /** How often it was started anew since the user started it. */
  readonly restartCount: number
  /** Of the last start; undefined before the first one. */
  readonly delayStep?: number | undefined
  /** What its unhealthiness asks for; `stop` forbids, `restart` demands another start. */
  readonly unhealthy?: 'stop' | 'restart' | undefined
}

/** A run that lasted so long begins the delays anew. */
const LONG_RUN_MS = 10_000
const LAST_STEP = Math.min(
  Math.ceil(Math.log2(RESTART_MAX_DELAY_MS / RESTART_DELAY_MS)),
  RESTART_STATUS_LAST - RESTART_STATUS,
)

/**
 * The step of docker's back-off to wait before the next start, `RESTART_DELAY_MS << step` milliseconds;
 * undefined when the container stays as it is.
 */
export function restartStep(policy: RestartPolicy, run: EndedRun): number | undefined {
  if (!wantsRestart(policy, run)) return undefined
  if (run.delayStep === undefined || run.ranMs >= LONG_RUN_MS) return 0
  return Math.min(run.delayStep + 1, LAST_STEP)
}

function wantsRestart(policy: RestartPolicy, run: EndedRun): boolean {
  if (run.stopped || run.unhealthy === 'stop') return false
  if (run.unhealthy === 'restart') return true
  switch (policy.name) {
    case 'no':
      return false
    case 'always':
    case 'unless-stopped':
      return true
    case 'on-failure': {
      const { maximumRetryCount } = policy
      return run.exitCode !== 0 && (maximumRetryCount === 0 || run.restartCount < maximumRetryCount)
    }
  }
}
