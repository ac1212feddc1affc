/** The health check of a container: what the image says, what the user says, and docker's defaults. */
import type { CheckSchedule } from '../monitor/monitor-protocol.ts'
import type { HealthCheck, ImageProcess } from '../oci/image.ts'

export const HEALTH_ACTIONS = ['none', 'kill', 'restart', 'stop'] as const
export type HealthAction = (typeof HEALTH_ACTIONS)[number]

/** What a user asks for; what is left out is the image's. */
export interface HealthOptions {
  /** In docker's form: `['NONE']`, `['CMD', program, …]` or `['CMD-SHELL', command]`. */
  readonly test?: readonly string[] | undefined
  readonly intervalMs?: number | undefined
  readonly timeoutMs?: number | undefined
  readonly startPeriodMs?: number | undefined
  readonly startIntervalMs?: number | undefined
  readonly retries?: number | undefined
  /** What is done when the container becomes unhealthy. */
  readonly onFailure?: HealthAction | undefined
}

/** A check that is made. */
export interface HealthConfig {
  /** As in {@link HealthOptions}, never NONE. */
  readonly test: readonly string[]
  /** 0: only when it is asked for. */
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly startPeriodMs: number
  readonly startIntervalMs: number
  readonly retries: number
  readonly onFailure: HealthAction
}

// docker's (moby daemon/health.go).
const DEFAULT_INTERVAL_MS = 30_000
const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_START_INTERVAL_MS = 5_000
const DEFAULT_RETRIES = 3
/** What the monitor's 32 bits of milliseconds hold. */
const LONGEST_MS = 0xfffffffe

/** The check of a container; undefined when it has none. */
export function healthConfigOf(
  image: ImageProcess | undefined,
  user: HealthOptions | undefined,
): HealthConfig | undefined {
  const ofImage = image?.Healthcheck ?? {}
  const test = user?.test ?? ofImage.Test ?? []
  if (test.length < 2 || test[0] === 'NONE') return undefined
  return {
    test,
    intervalMs: user?.intervalMs ?? ofTheImage(ofImage, 'Interval') ?? DEFAULT_INTERVAL_MS,
    timeoutMs: user?.timeoutMs ?? ofTheImage(ofImage, 'Timeout') ?? DEFAULT_TIMEOUT_MS,
    startPeriodMs: user?.startPeriodMs ?? ofTheImage(ofImage, 'StartPeriod') ?? 0,
    startIntervalMs:
      user?.startIntervalMs ?? ofTheImage(ofImage, 'StartInterval') ?? DEFAULT_START_INTERVAL_MS,
    retries: user?.retries ?? (positive(ofImage.Retries) || DEFAULT_RETRIES),
    onFailure: user?.onFailure ?? 'none',
  }
}

// Nanoseconds; 0 and what is left out stand for the default.
function ofTheImage(
  check: HealthCheck,
  field: 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval',
): number | undefined {
  const milliseconds = Math.ceil(positive(check[field]) / 1e6)
  return milliseconds === 0 ? undefined : Math.min(milliseconds, LONGEST_MS)
}

function positive(value: number | undefined): number {
  return value !== undefined && value > 0 ? value : 0
}

/** The program of the check and its arguments. */
export function checkCommand(
  { test }: HealthConfig,
  image: ImageProcess | undefined,
): readonly string[] {
  const [form, ...words] = test
  if (form !== 'CMD-SHELL') return words
  return [...(image?.Shell ?? ['/bin/sh', '-c']), words.join(' ')]
}

/** What the monitor needs to know of it. A stop and a restart begin alike: the clean-up tells them apart. */
export function checkSchedule(config: HealthConfig): CheckSchedule {
  const { onFailure } = config
  return { ...config, action: onFailure === 'restart' ? 'stop' : onFailure }
}
