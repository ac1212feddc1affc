/** Where the time of one command goes, for --debug-timings: nothing is counted before it is asked for. */

/**
 * `load`: scripts and the native library; `compile`: from config.json to plans and filters; `native`:
 * system calls made by libtsrun.so, with the waits for the container's init among them.
 */
export type Phase = 'load' | 'compile' | 'native'

/** hrtime at the first line of the program; set by loader.cjs and standalone-banner.js. */
const FIRST_LINE = Symbol.for('tsrun.firstLine')

let spent: Record<Phase, number> | undefined
/** When the first line ran, in milliseconds since the start of the engine, which performance.now() counts from. */
let engineStart = 0
/** Time of the phases inside the one that is being counted: each millisecond counts once. */
let inside = 0

/** Begins to count. What went by before counts as the engine's start and as load. */
export function startTimings(): void {
  const now = performance.now()
  const firstLine: unknown = Reflect.get(globalThis, FIRST_LINE)
  const load = typeof firstLine === 'bigint' ? milliseconds(firstLine) : 0
  engineStart = now - load
  spent = { load, compile: 0, native: 0 }
}

/** Runs `action` and counts its time. */
export function timed<Result>(phase: Phase, action: () => Result): Result {
  if (spent === undefined) return action()
  const begin = performance.now()
  const outside = inside
  inside = 0
  try {
    return action()
  } finally {
    const duration = performance.now() - begin
    spent[phase] += duration - inside
    inside = outside + duration
  }
}

/** As {@link timed}, until the promise settles; for work that runs alone. */
export async function timedAsync<Result>(
  phase: Phase,
  action: () => Promise<Result>,
): Promise<Result> {
  if (spent === undefined) return await action()
  const begin = performance.now()
  const before = spent.load + spent.compile + spent.native
  try {
    return await action()
  } finally {
    const others = spent.load + spent.compile + spent.native - before
    spent[phase] += performance.now() - begin - others
  }
}

/** One line for a person, undefined when nothing was counted. */
export function timingsLine(): string | undefined {
  if (spent === undefined) return undefined
  const total = performance.now()
  const rest = total - engineStart - spent.load - spent.compile - spent.native
  const parts = { 'engine start': engineStart, ...spent, rest, total }
  const texts = Object.entries(parts).map(([name, value]) => `${name} ${value.toFixed(1)} ms`)
  return `timings: ${texts.join(', ')}\n`
}

function milliseconds(since: bigint): number {
  return Number(process.hrtime.bigint() - since) / 1e6
}
