/** system check: each kind of damage is found, told in one line with its remedy, and repaired where that loses nothing. */
import { randomInt } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EngineResult, TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

/** Moments at which a run is killed; the whole file stays below some seconds. */
const KILLS = 6

describe.skipIf(missing('root', 'cgroup2'))('system check', () => {
  const engine = new TestEngine()
  const check = (...options: string[]): EngineResult => engine.run(['system', 'check', ...options])
  const blobs = join(engine.dataRoot, 'images/blobs/sha256')
  const whole = 'Nothing found: the store is whole.\n'

  beforeAll(async () => {
    await engine.loadBusybox()
    engine.succeed(['run', '--name', 'kept', 'busybox', 'true'])
  })
  afterAll(() => engine[Symbol.dispose]())

  const idOf = (name: string) => engine.succeed(['inspect', '-f', '{{.Id}}', name])

  /** Finds it, says what to do, repairs it, and then there is nothing more to find. */
  const expectRepaired = (problem: RegExp, done: RegExp, ...force: string[]) => {
    const found = check()
    expect(found.stdout).toMatch(problem)
    expect(found.stdout).toContain('; remedy: ')
    expect(found.status).toBe(1)
    const repaired = check('--repair', ...force)
    expect(repaired.stdout).toMatch(done)
    expect(repaired.status).toBe(0)
    expect(check().stdout).toBe(whole)
  }

  it('finds nothing in a whole store, nor in none', () => {
    expect(check()).toEqual({ status: 0, stdout: whole, stderr: '' })
    using other = new TestEngine()
    expect(other.run(['system', 'check'])).toEqual({ status: 0, stdout: whole, stderr: '' })
    expect(existsSync(other.dataRoot)).toBe(false)
  })

  it('frees names that lead nowhere and gives a container its name back', () => {
    symlinkSync('0'.repeat(64), join(engine.dataRoot, 'names/nowhere'))
    rmSync(join(engine.dataRoot, 'names/kept'))
    expectRepaired(/name nowhere: it leads nowhere/, /named it "kept"/)
    expect(engine.succeed(['ps', '-a', '--format', '{{.Names}}'])).toBe('kept')
  })

  it('removes snapshots, mounts and cgroups without a running container', () => {
    const id = idOf('kept')
    const orphan = 'a'.repeat(64)
    mkdirSync(join(engine.dataRoot, 'snapshots/active', orphan, 'fs'), { recursive: true })
    const hierarchy = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .find((line) => / - cgroup2 /.test(line))
      ?.split(' ')[4]
    const cgroup = join(hierarchy ?? '/sys/fs/cgroup', 'tsrun', id)
    mkdirSync(cgroup, { recursive: true })
    expectRepaired(
      /cgroup \S+: it is left of container [0-9a-f]{12}/,
      /snapshot a{12}: .*removed it/,
    )
    expect(existsSync(cgroup)).toBe(false)
    expect(existsSync(join(engine.dataRoot, 'snapshots/active', orphan))).toBe(false)
  })

  it('keeps a container without a record until it is forced', () => {
    engine.succeed(['run', '--name', 'torn', 'busybox', 'true'])
    const record = join(engine.dataRoot, 'containers', idOf('torn'), 'container.json')
    writeFileSync(record, readFileSync(record, 'utf8').slice(0, 100))
    const kept = check('--repair')
    expect(kept.stdout).toMatch(
      /missing or torn; remedy: .*--force, which loses this: what was written/,
    )
    expect(kept.status).toBe(1)
    expectRepaired(/container\.json is missing or torn/, /repaired: removed it/, '--force')
  })

  it('says of a container whose monitor was killed how to end it', async () => {
    engine.succeed(['run', '-d', '--name', 'alone', 'busybox', 'sleep', '1000'])
    const folder = join(engine.dataRoot, 'containers', idOf('alone'))
    const { state } = JSON.parse(readFileSync(join(folder, 'container.json'), 'utf8'))
    process.kill(state.monitorPid, 'SIGKILL')
    await until('the monitor is gone', () => !existsSync(`/proc/${state.monitorPid}/cwd`))
    const { stdout, status } = check('--quick')
    expect(stdout).toContain('monitor alone: its monitor was killed')
    expect(stdout).toContain('remedy: tsrun stop alone')
    expect(status).toBe(1)
    engine.succeed(['stop', '-t', '0', 'alone'])
    engine.succeed(['rm', 'alone'])
    expect(check('--quick').stdout).toBe(whole)
  })

  it('finds damaged blobs, and images that lack one, and the next load mends them', async () => {
    const manifest = engine.succeed(['image', 'inspect', '-f', '{{json .Manifest}}', 'busybox'])
    const layer: string = JSON.parse(manifest).layers[0].digest
    writeFileSync(join(blobs, layer.replace('sha256:', '')), 'garbage')
    expect(check('--quick').stdout).toBe(whole)
    expect(check().stdout).toContain(`blob ${layer}: its content is damaged`)
    expect(check('--repair').stdout).toContain('repaired: removed it')
    expect(check().stdout).toMatch(
      /image busybox:latest: its blob \S+ is missing.*remedy: tsrun pull/,
    )
    await engine.loadBusybox()
    expect(check().stdout).toBe(whole)
  })

  it('makes a damaged index anew', () => {
    writeFileSync(join(engine.dataRoot, 'images/index.json'), '{"manifests": [')
    expectRepaired(/index index\.json: cannot read/, /made it anew from 1 images/)
    const id = engine.succeed(['images', '-q', '--no-trunc'])
    engine.succeed(['tag', id, 'busybox'])
    expect(engine.succeed(['run', '--rm', 'busybox', 'echo', 'again'])).toBe('again')
  })

  it('prints findings as JSON', () => {
    symlinkSync('0'.repeat(64), join(engine.dataRoot, 'names/nowhere'))
    const rows = check('--repair', '--quick', '--format', 'json').stdout.trimEnd().split('\n')
    expect(rows.map((row) => JSON.parse(row))).toEqual([
      expect.objectContaining({ Kind: 'name', Object: 'nowhere', Repaired: true }),
    ])
  })

  it(`finds nothing lost after kill -9 of run at ${KILLS} random moments`, async () => {
    for (let round = 0; round < KILLS; round++) {
      const child = engine.start(['run', '-d', 'busybox', 'sleep', '1000'], { stdio: 'ignore' })
      const closed = new Promise((resolve) => child.once('close', resolve))
      const delay = randomInt(250)
      await sleep(delay)
      child.kill('SIGKILL')
      await closed
      check('--repair', '--quick')
      // The monitor of a killed run gives up at the same time; whoever comes second finds nothing.
      await until(
        `round ${round}, killed after ${delay} ms, leaves nothing`,
        () => check('--quick').stdout === whole,
      )
      const running = engine.succeed(['ps', '-q']).split('\n').filter(Boolean)
      if (running.length > 0) engine.succeed(['rm', '-f', ...running])
    }
    expect(readdirSync(join(engine.dataRoot, 'unfinished'))).toEqual([])
    expect(check().stdout).toBe(whole)
  })
})
