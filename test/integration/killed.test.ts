/** kill -9 of tsrun, or of a monitor, at any instant: the next command leaves nothing of it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

const ROUNDS = 50

describe.skipIf(missing('root', 'cgroup2'))('kill -9', () => {
  const engine = new TestEngine()
  beforeAll(() => engine.loadBusybox())
  afterAll(() => engine[Symbol.dispose]())

  // Running containers are not leftovers: tsrun was killed after it had done its work.
  const removeAll = () => {
    const ids = engine
      .succeed(['ps', '-aq', '--no-trunc'])
      .split('\n')
      .filter((id) => id !== '')
    if (ids.length === 0) return ids
    // A monitor that lost its tsrun may have removed one since it was listed.
    const { status, stderr } = engine.run(['rm', '-f', ...ids])
    if (status !== 0)
      expect(stderr).toMatch(/^(tsrun: no such container: [0-9a-f]+(; hint: [^\n]+)?\n)+$/)
    return ids
  }

  it(`of run at ${ROUNDS} random moments leaves nothing after the next command`, async () => {
    const made = new Set<string>()
    for (let round = 0; round < ROUNDS; round++) {
      const child = engine.start(['run', '-d', 'busybox', 'sleep', '1000'], { stdio: 'ignore' })
      const delay = Math.random() * 300
      await new Promise((resolve) => setTimeout(resolve, delay))
      child.kill('SIGKILL')
      await new Promise((resolve) =>
        child.exitCode === null && child.signalCode === null
          ? child.once('close', resolve)
          : resolve(undefined),
      )
      const folder = join(engine.dataRoot, 'containers')
      for (const id of existsSync(folder) ? readdirSync(folder) : []) made.add(id)
      engine.succeed(['ps'])
      // What is left is either a whole container or nothing.
      for (const id of removeAll()) expect(id).toMatch(/^[0-9a-f]{64}$/)
      // A monitor that lost its tsrun cleans up too: whoever comes second finds nothing to do.
      await until(
        `round ${round}, killed after ${delay} ms, leaves nothing`,
        () => engine.leftovers().length === 0,
      )
    }
    expect(readdirSync(cgroupFolder()).filter((name) => made.has(name))).toEqual([])
  })

  it('of a foreground run lets the container go on, and its monitor cleans up', async () => {
    const child = engine.start(['run', '--rm', '--name', 'orphan', 'busybox', 'sleep', '1000'])
    await until('it runs', () => engine.succeed(['ps', '-q']) !== '')
    child.kill('SIGKILL')
    expect(engine.succeed(['ps', '--format', '{{.Names}}'])).toBe('orphan')
    engine.succeed(['kill', 'orphan'])
    await until('the monitor has removed it', () => engine.leftovers().length === 0)
  })

  it('of a monitor shows in ps, and rm removes the container', async () => {
    engine.succeed(['run', '-d', '--name', 'lost', 'busybox', 'sleep', '1000'])
    const monitor = engine
      .leftovers()
      .find((line) => line.startsWith('process'))
      ?.split(' ')[1]
    const pid = Number(engine.succeed(['inspect', '-f', '{{.State.Pid}}', 'lost']))
    process.kill(Number(monitor), 'SIGKILL')
    expect(engine.succeed(['inspect', '-f', '{{.State.Status}}', 'lost'])).toBe('running')
    process.kill(pid, 'SIGKILL')
    await until(
      'it has ended',
      () => engine.succeed(['inspect', '-f', '{{.State.Status}}', 'lost']) === 'exited',
    )
    expect(engine.succeed(['ps', '-a', '--format', '{{.Status}}'])).toMatch(/^Exited \(255\)/)
    expect(engine.succeed(['inspect', '-f', '{{.State.Error}}', 'lost'])).toContain(
      'monitor was killed',
    )
    engine.succeed(['rm', 'lost'])
    expect(await engine.settled()).toEqual([])
  })
})

function cgroupFolder(): string {
  const line = readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .find((entry) => entry.includes(' - cgroup2 '))
  const mount = line?.split(' ')[4] ?? '/sys/fs/cgroup'
  const folder = `${mount}/tsrun`
  return readdirSync(mount).includes('tsrun') ? folder : mount
}
