/** cpuset pins a container to the processors that it names; runc and crun are the oracles. */
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { installedRuntimes, makeRuntime, type Runtime } from '../../support/runtime.ts'
import { type LimitedContainer, startLimited } from './limited-container.ts'

const SPIN = 'while :; do :; done'

describe.each(installedRuntimes())('%s', (name) => {
  let runtime: Runtime
  beforeEach(() => {
    runtime = makeRuntime(name)
  })
  afterEach(() => runtime[Symbol.dispose]())

  it('runs where it may, whatever else runs there', async () => {
    expect(cpus()).toHaveLength(2)
    using first = startLimited(runtime, SPIN, { cpu: { cpus: '1' } })
    using second = startLimited(runtime, SPIN, { cpu: { cpus: '1' } })
    for (const container of [first, second]) {
      expect(container.read('cpuset.cpus.effective')).toBe('1')
      expect(allowedProcessors(container)).toBe('1')
    }
    expect(await processorsSeen(first)).toEqual([1])
    expect(await processorsSeen(second)).toEqual([1])
  })

  it('moves when its processors change', async () => {
    using container = startLimited(runtime, SPIN, { cpu: { cpus: '1' } })
    runtime.succeed(['update', '--cpuset-cpus', '0', container.id])
    expect(allowedProcessors(container)).toBe('0')
    // The scheduler moves it at the next chance that it has.
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(await processorsSeen(container)).toEqual([0])
  })
})

function allowedProcessors({ pid }: LimitedContainer): string | undefined {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1]
}

/** The processors that its init was last on at each of many looks: field 39 of proc_pid_stat(5). */
async function processorsSeen({ pid }: LimitedContainer): Promise<readonly number[]> {
  const seen = new Set<number>()
  for (let look = 0; look < 40; look++) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    seen.add(Number(fields[36]))
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return [...seen]
}
