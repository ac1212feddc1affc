/** start and delete by plans alone, without an engine of JavaScript; and that everything else still gets one. */
import { spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RECORD_AT } from '../../src/runtime/verb-plans/verb-record.ts'
import { missing } from '../support/requires.ts'
import { type CommandResult, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const BITS = uniqueId('bits')
const BROKEN = uniqueId('broken')
const DAMAGED = uniqueId('damaged')
const FORCED = uniqueId('forced')
const FOREIGN = uniqueId('foreign')
const HOOKED = uniqueId('hooked')
const LITTLE = uniqueId('little')
const LOCKED = uniqueId('locked')
const MOVED = uniqueId('moved')
const PLAIN = uniqueId('plain')
const RUNS = uniqueId('runs')
const UNTOLD = uniqueId('untold')

/** kB of address space: enough for the launcher, and too little for any engine. */
const NO_ENGINE = 150_000

describe.skipIf(missing('root', 'cgroup2'))('verbs by plans', () => {
  let bundle: Bundle
  let runtime: Runtime

  beforeAll(() => {
    bundle = makeBundle()
    runtime = makeRuntime()
  })
  afterAll(() => {
    runtime[Symbol.dispose]()
    bundle[Symbol.dispose]()
  })

  const folder = (id: string, name = ''): string => join(runtime.root, id, name)

  function create(id: string, ...args: readonly string[]): void {
    if (args.length > 0) bundle.command(...args)
    runtime.succeed(['create', '--bundle', bundle.directory, id], { stdio: 'ignore' })
  }

  /** Runs the command where no engine can start. */
  function withoutEngine(...args: readonly string[]): Pick<CommandResult, 'status'> {
    const script = `ulimit -v ${NO_ENGINE} && exec "$0" "$@"`
    return spawnSync('sh', ['-c', script, ...runtime.commandLine(args)], { timeout: 60_000 })
  }

  const cgroupOf = (id: string): string => readFileSync(folder(id, 'cgroup'), 'utf8')

  it('no engine starts in so little memory', () => {
    create(LITTLE, 'sleep', '1000')
    expect(withoutEngine('state', LITTLE).status).not.toBe(0)
    runtime.succeed(['delete', '--force', LITTLE])
  })

  it('start() and delete() of an ordinary container need no engine', async () => {
    create(PLAIN, 'sh', '-c', 'echo started >/proc/1/fd/1')
    const cgroup = cgroupOf(PLAIN)
    expect(existsSync(cgroup)).toBe(true)
    expect(withoutEngine('start', PLAIN).status).toBe(0)
    expect(existsSync(folder(PLAIN, 'start'))).toBe(false)
    await runtime.waitFor(PLAIN, 'stopped')
    expect(withoutEngine('delete', PLAIN).status).toBe(0)
    expect(existsSync(folder(PLAIN))).toBe(false)
    expect(existsSync(cgroup)).toBe(false)
    expect(withoutEngine('delete', '--force', PLAIN).status).toBe(0)
  })

  it.each([
    ['created', () => undefined],
    ['running', (id: string) => runtime.succeed(['start', id])],
  ])('delete --force ends a %s container without an engine', (status, prepare) => {
    create(FORCED, 'sleep', '1000')
    prepare(FORCED)
    const { pid } = runtime.state(FORCED)
    expect(runtime.state(FORCED).status).toBe(status)
    const cgroup = cgroupOf(FORCED)
    expect(withoutEngine('delete', '--force', FORCED).status).toBe(0)
    expect(isAlive(Number(pid))).toBe(false)
    expect(existsSync(cgroup)).toBe(false)
    expect(existsSync(folder(FORCED))).toBe(false)
  })

  it('delete() of one that runs is refused in the words of the engine', () => {
    create(RUNS, 'sleep', '1000')
    runtime.succeed(['start', RUNS])
    const { status, stderr } = runtime.run(['delete', RUNS])
    expect(status).toBe(1)
    expect(stderr).toContain(`cannot delete container ${RUNS} that is not stopped: running`)
    expect(runtime.state(RUNS).status).toBe('running')
    expect(runtime.run(['start', RUNS]).stderr).toContain('already running')
    runtime.succeed(['delete', '--force', RUNS])
  })

  it('hooks after start and after delete have an engine to run them', () => {
    const seen = join(bundle.directory, 'hooks')
    const hook = (name: string) => [
      { path: '/bin/sh', args: ['sh', '-c', `echo ${name} >> ${seen}`] },
    ]
    bundle.configure((config) => ({
      ...withProcess(config, { args: ['sleep', '1000'] }),
      hooks: { poststart: hook('poststart'), poststop: hook('poststop') },
    }))
    create(HOOKED)
    expect(existsSync(folder(HOOKED, 'verbs'))).toBe(false)
    runtime.succeed(['start', HOOKED])
    runtime.succeed(['delete', '--force', HOOKED])
    expect(readFileSync(seen, 'utf8')).toBe('poststart\npoststop\n')
  })

  it('start() explains a program that cannot be executed, once, and it can be deleted', () => {
    writeFileSync(join(bundle.rootfs, 'no-program'), 'neither ELF nor #!\0')
    chmodSync(join(bundle.rootfs, 'no-program'), 0o755)
    create(BROKEN, '/no-program')
    const first = runtime.run(['start', BROKEN])
    expect(first.status).not.toBe(0)
    expect(first.stderr).toMatch(
      new RegExp(`cannot start container \\\\?"${BROKEN}\\\\?".*exec.*no-program`),
    )
    expect(existsSync(folder(BROKEN, 'failure'))).toBe(false)
    expect(runtime.run(['start', BROKEN]).stderr).toContain('has stopped')
    expect(withoutEngine('delete', BROKEN).status).toBe(0)
  })

  it('a start that was killed before it could explain leaves that to the next', () => {
    create(UNTOLD, '/no-program')
    expect(withoutEngine('start', UNTOLD).status).not.toBe(0)
    expect(readdirSync(folder(UNTOLD))).toContain('failure')
    expect(runtime.run(['start', UNTOLD]).stderr).toContain('no-program')
    expect(runtime.run(['start', UNTOLD]).stderr).toContain('has stopped')
    expect(withoutEngine('start', UNTOLD).status).not.toBe(0)
    runtime.succeed(['delete', UNTOLD])
    create(UNTOLD, '/no-program')
    expect(withoutEngine('start', UNTOLD).status).not.toBe(0)
    expect(withoutEngine('delete', UNTOLD).status).toBe(0)
  })

  it('waits for a command that has the lock', async () => {
    create(LOCKED, 'sleep', '1000')
    const holder = spawn('flock', [folder(LOCKED), 'sh', '-c', 'echo held; read line'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await new Promise((resolve) => holder.stdout.once('data', resolve))
    const starter = runtime.start(['start', LOCKED])
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(starter.exitCode).toBe(null)
    expect(existsSync(folder(LOCKED, 'start'))).toBe(true)
    holder.stdin.end('\n')
    expect(await new Promise((resolve) => starter.once('exit', resolve))).toBe(0)
    expect(runtime.state(LOCKED).status).toBe('running')
    runtime.succeed(['delete', '--force', LOCKED])
  })

  describe('a folder that is not as create left it is the engine’s to judge', () => {
    const damages: Readonly<Record<string, (id: string) => void>> = {
      'others may write in it': (id) => chmodSync(folder(id), 0o777),
      'it is reached by a link': (id) => {
        renameSync(folder(id), folder(`${id}-moved`))
        symlinkSync(folder(`${id}-moved`), folder(id))
      },
      'its state was edited': (id) => appendFileSync(folder(id, 'state.json'), '\n'),
      'its state was replaced': (id) => {
        writeFileSync(folder(id, 'state.json.tmp'), readFileSync(folder(id, 'state.json')))
        renameSync(folder(id, 'state.json.tmp'), folder(id, 'state.json'))
      },
      'its record is a link': (id) => {
        renameSync(folder(id, 'verbs'), folder(id, 'rdt.json'))
        symlinkSync('rdt.json', folder(id, 'verbs'))
      },
      'its record is gone': (id) => renameSync(folder(id, 'verbs'), folder(id, 'rdt.json')),
    }

    it.each(Object.keys(damages))('%s', (name) => {
      create(DAMAGED, 'sleep', '1000')
      const cgroup = cgroupOf(DAMAGED)
      const pid = Number(runtime.state(DAMAGED).pid)
      damages[name]?.(DAMAGED)
      const before = readdirSync(folder(DAMAGED))
      for (const words of [
        ['start', DAMAGED],
        ['delete', DAMAGED],
        ['delete', '--force', DAMAGED],
      ]) {
        expect([words, withoutEngine(...words).status]).not.toEqual([words, 0])
        expect(readdirSync(folder(DAMAGED))).toEqual(before)
      }
      process.kill(pid, 'SIGKILL')
      spawnSync('rm', ['-rf', folder(`${DAMAGED}-moved`), folder(DAMAGED)])
      spawnSync('rmdir', [cgroup])
    })

    it('something else is in it: nothing of it is removed', () => {
      create(FOREIGN, 'true')
      const { pid } = runtime.state(FOREIGN)
      writeFileSync(folder(FOREIGN, 'x'), '')
      const before = readdirSync(folder(FOREIGN))
      const { status, stderr } = runtime.run(['delete', FOREIGN])
      expect(status).toBe(1)
      expect(stderr).toContain('has "x" in it')
      expect(readdirSync(folder(FOREIGN))).toEqual(before)
      spawnSync('rm', [folder(FOREIGN, 'x')])
      expect(isAlive(Number(pid))).toBe(false)
      runtime.succeed(['delete', '--force', FOREIGN])
    })

    it('its record is cut or has a bit turned', () => {
      create(BITS, 'sleep', '1000')
      const path = folder(BITS, 'verbs')
      const record = readFileSync(path)
      const tries = [record.subarray(0, 0), record.subarray(0, RECORD_AT.cgroup)]
      // Neither the pid, which is as much a word of ours as the one in state.json, nor the cgroup.
      for (let at = 0; at < RECORD_AT.cgroup; at++) {
        if (at >= RECORD_AT.pid && at < RECORD_AT.state) continue
        const turned = Buffer.from(record)
        turned[at] = (turned[at] ?? 0) ^ (1 << (at % 8))
        tries.push(turned)
      }
      for (const bytes of tries) {
        writeFileSync(path, bytes)
        expect(withoutEngine('delete', '--force', BITS).status).not.toBe(0)
      }
      expect(existsSync(folder(BITS, 'start'))).toBe(true)
      writeFileSync(path, record)
      truncateSync(path, record.length - 1)
      // Without its NUL the path ends all the same.
      expect(withoutEngine('delete', '--force', BITS).status).toBe(0)
    })

    it('its init lives in another cgroup: it is killed by pid and start time', () => {
      create(MOVED, 'sleep', '1000')
      const { pid } = runtime.state(MOVED)
      const other = `${cgroupOf(MOVED)}-other`
      mkdirSync(other)
      writeFileSync(join(other, 'cgroup.procs'), String(pid))
      expect(withoutEngine('delete', '--force', MOVED).status).not.toBe(0)
      expect(isAlive(Number(pid))).toBe(true)
      runtime.succeed(['delete', '--force', MOVED])
      expect(isAlive(Number(pid))).toBe(false)
      spawnSync('rmdir', [other])
    })
  })
})

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
