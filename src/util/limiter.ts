/** Runs at most so many asynchronous jobs at once, in the order in which they came. */
import { createDeferred, type Deferred } from './deferred.ts'

export type Limiter = <T>(job: () => Promise<T>) => Promise<T>

/** A limiter for `maximum` jobs at once. */
export function createLimiter(maximum: number): Limiter {
  let running = 0
  const waiting: Deferred<void>[] = []
  return async (job) => {
    if (running >= maximum) {
      const turn = createDeferred<void>()
      waiting.push(turn)
      await turn.promise
    } else {
      running++
    }
    try {
      return await job()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next.resolve()
    }
  }
}
