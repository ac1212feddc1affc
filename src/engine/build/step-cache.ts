/** Finds what a step has made before, by everything that went into it. */
import { createHash } from 'node:crypto'
import type { CachedStep } from '../../images/build-cache.ts'
import type { BuildSession } from './build-session.ts'

/** Changes when steps are done in another way. */
const VERSION = 2

/** The key of a step on the layers below; `parts` is all that its result depends on beside them. */
export function stepKey(
  session: BuildSession,
  below: readonly string[],
  parts: Readonly<Record<string, unknown>>,
): string {
  const { platform, request } = session
  const whole = [VERSION, below.at(-1) ?? 'scratch', platform, request.epoch ?? null, parts]
  return createHash('sha256').update(JSON.stringify(whole)).digest('hex')
}

/** The step with that key, when its layers are still there and the cache may be used. */
export function findStep(session: BuildSession, key: string): CachedStep | undefined {
  if (session.request.noCache) return undefined
  const { builds, snapshots } = session.store
  const step = builds.find(key)
  const isThere = step?.layer?.chainIds.every((chainId) => snapshots.hasLayer(chainId)) ?? true
  return isThere ? step : undefined
}
