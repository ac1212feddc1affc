/** Where the time of a command goes, phase after phase, for --timings. */

export class PhaseClock {
  readonly #now: () => number
  readonly #phases: { readonly name: string; readonly begin: number }[] = []

  /** `now` counts milliseconds from the start of the process, as performance.now() does. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** A phase begins, and with it the one before ends. */
  begin(name: string): void {
    this.#phases.push({ name, begin: this.#now() })
  }

  /** One line for a person: what went by before the first phase is `load`, a phase that came again is added up. */
  report(): string {
    const total = this.#now()
    const spent = new Map([['load', this.#phases[0]?.begin ?? total]])
    for (const [i, { name, begin }] of this.#phases.entries()) {
      const end = this.#phases[i + 1]?.begin ?? total
      spent.set(name, (spent.get(name) ?? 0) + end - begin)
    }
    const parts = [...spent, ['total', total] as const]
    return `timings: ${parts.map(([name, time]) => `${name} ${time.toFixed(1)} ms`).join(', ')}\n`
  }
}
