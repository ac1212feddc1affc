/** kill -9 of any command that changes containers, or of a monitor, at any instant: nothing is lost, nothing stays. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

/** Kills of each command: more of them is how to look for what few do not meet. */
const ROUNDS = Number(process.env.TSRUN_TEST_KILLS ?? 2)
/** Some hundred commands; more rounds take longer. */
const PATIENT_MS = 150_000 * ROUNDS

interface Victim {
  readonly command: string
  /** Words of the command that is killed; `name` is the container's. */
  readonly words: (name: string, engine: TestEngine) => readonly string[]
  /** What state the container is in before. */
  readonly before: 'none' | 'created' | 'running' | 'paused' | 'exited'
  /** Kills the monitor that the command has started, or the one that runs, instead of the command. */
  readonly kills?: 'monitor'
}

const SLEEP = ['busybox', 'sleep', '1000']
const VICTIMS: readonly Victim[] = [
  {
    command: 'run',
    before: 'none',
    words: (name) => ['run', '--name', name, '-v', '/v', ...SLEEP],
  },
  {
    command: 'run --rm',
    before: 'none',
    words: (name) => ['run', '--rm', '--name', name, 'busybox', 'true'],
  },
  {
    command: 'run -d',
    before: 'none',
    words: (name) => ['run', '-d', '--name', name, '-v', '/v', ...SLEEP],
  },
  {
    command: 'create',
    before: 'none',
    words: (name) => ['create', '--name', name, '-v', '/v', ...SLEEP],
  },
  { command: 'start', before: 'created', words: (name) => ['start', name] },
  { command: 'restart', before: 'running', words: (name) => ['restart', '-t', '0', name] },
  { command: 'stop', before: 'running', words: (name) => ['stop', '-t', '0', name] },
  { command: 'pause', before: 'running', words: (name) => ['pause', name] },
  { command: 'unpause', before: 'paused', words: (name) => ['unpause', name] },
  { command: 'exec', before: 'running', words: (name) => ['exec', name, 'true'] },
  {
    command: 'update',
    before: 'running',
    words: (name) => ['update', '--restart', 'on-failure', name],
  },
  { command: 'rename', before: 'running', words: (name) => ['rename', name, `${name}-new`] },
  {
    command: 'cp',
    before: 'running',
    words: (name, engine) => ['cp', join(engine.directory, 'tree'), `${name}:/`],
  },
  { command: 'commit', before: 'exited', words: (name) => ['commit', name, `image-of-${name}`] },
  { command: 'rm -v', before: 'exited', words: (name) => ['rm', '-v', name] },
  { command: 'rm -f', before: 'running', words: (name) => ['rm', '-f', '-v', name] },
  {
    command: 'run -d',
    before: 'none',
    kills: 'monitor',
    words: (name) => ['run', '-d', '--name', name, '--restart', 'always', ...SLEEP],
  },
  {
    command: 'restart',
    before: 'running',
    kills: 'monitor',
    words: (name) => ['restart', '-t', '0', name],
  },
  { command: 'kill', before: 'running', kills: 'monitor', words: (name) => ['kill', name] },
]

describe.skipIf(missing('root', 'cgroup2'))('kill -9', () => {
  const engine = new TestEngine()
  let clean: readonly string[] = []
  /** A command that nobody kills takes about as long; later moments find it ended. */
  let longest = 0
  beforeAll(async () => {
    await engine.loadBusybox()
    const begin = performance.now()
    engine.succeed(['run', '--rm', 'busybox', 'true'])
    // With a second one beside it.
    longest = 2 * (performance.now() - begin)
    writeFileSync(join(engine.directory, 'tree'), Buffer.alloc(8 << 20, 'x'))
    clean = filesOf(engine.dataRoot)
  })
  afterAll(() => engine[Symbol.dispose]())

  it(
    'of any of them at random moments loses and leaves nothing',
    async () => {
      const kills = VICTIMS.flatMap((victim, index) =>
        Array.from({ length: ROUNDS }, (_, round) => ({ victim, name: `c${index}-${round}` })),
      )
      const stories: string[] = []
      const lane = async () => {
        for (let next = kills.shift(); next !== undefined; next = kills.shift())
          stories.push(await killOnce(engine, next.victim, next.name, longest))
      }
      await Promise.all([lane(), lane()])
      const story = stories.join('\n')
      const seen = readdirSync(join(engine.dataRoot, 'containers'))
      expectNothingLost(engine, story)
      expectWhole(engine, story)
      await removeAll(engine)
      expect(await engine.settled(), story).toEqual([])
      expect(
        filesOf(engine.dataRoot).filter((path) => !clean.includes(path)),
        story,
      ).toEqual([])
      expect(cgroupsOf(seen), story).toEqual([])
    },
    PATIENT_MS,
  )

  it('of a monitor is reported, and the container is stopped, restarted and removed as ever', async () => {
    for (const name of ['stopped', 'restarted', 'removed'])
      engine.succeed(['run', '-d', '--name', name, '--restart', 'always', ...SLEEP])
    for (const pid of monitorsOf(engine)) process.kill(pid, 'SIGKILL')
    await until('they are gone', () => monitorsOf(engine).length === 0)
    const check = engine.run(['system', 'check', '--quick'])
    expect(check.status).toBe(1)
    for (const name of ['stopped', 'restarted', 'removed']) {
      expect(check.stdout).toContain(`monitor ${name}: its monitor was killed`)
      expect(engine.succeed(['inspect', '-f', '{{.State.Error}}', name])).toContain(
        'its monitor was killed',
      )
    }
    engine.succeed(['stop', '-t', '0', 'stopped'])
    expect(engine.succeed(['inspect', '-f', '{{.State.Status}}', 'stopped'])).toBe('exited')
    engine.succeed(['start', 'stopped'])
    engine.succeed(['restart', '-t', '0', 'restarted'])
    engine.succeed(['rm', '-f', 'removed'])
    expect(engine.succeed(['system', 'check', '--quick'])).toMatch(/^Nothing found/)
    expect(engine.succeed(['ps', '--format', '{{.Names}} {{.State}}'])).toBe(
      'restarted running\nstopped running',
    )
    await removeAll(engine)
    expect(await engine.settled()).toEqual([])
  })
})

function titleOf({ command, kills }: Victim): string {
  return kills === undefined ? command : `${command}: its monitor,`
}

/** Brings a container into the state before, starts the command, and kills; the result is after how long. */
async function killOnce(
  engine: TestEngine,
  victim: Victim,
  name: string,
  longest: number,
): Promise<string> {
  if (victim.before !== 'none') {
    const verb = victim.before === 'created' ? 'create' : 'run'
    const detached = victim.before === 'created' ? [] : ['-d']
    await ended(
      engine.start([verb, ...detached, '--name', name, '-v', '/v', ...SLEEP], { stdio: 'ignore' }),
    )
  }
  if (victim.before === 'paused') await ended(engine.start(['pause', name], { stdio: 'ignore' }))
  if (victim.before === 'exited') await ended(engine.start(['kill', name], { stdio: 'ignore' }))
  const delay = Math.round(Math.random() * longest)
  const child = engine.start(victim.words(name, engine), { stdio: 'ignore' })
  const done = ended(child)
  if (victim.kills === 'monitor') {
    await killMonitor(engine, name, child, delay)
  } else {
    await new Promise((resolve) => setTimeout(resolve, delay))
    child.kill('SIGKILL')
  }
  await done
  return `${name}: ${titleOf(victim)} killed after ${delay} ms`
}

// By the name in the record of the folder that it works in.
async function killMonitor(
  engine: TestEngine,
  name: string,
  child: ChildProcess,
  delay: number,
): Promise<void> {
  const find = () =>
    monitorsOf(engine).find((pid) => recordOf(pid).includes(JSON.stringify({ name }).slice(1, -1)))
  await until('there is a monitor', () => find() !== undefined || child.exitCode !== null)
  await new Promise((resolve) => setTimeout(resolve, delay / 4))
  const pid = find()
  if (pid !== undefined) process.kill(pid, 'SIGKILL')
}

function recordOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cwd/container.json`, 'utf8')
  } catch {
    // Ended while we looked, ignoring.
    return ''
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
}

// What can only be reported is that a monitor was killed.
function expectNothingLost(engine: TestEngine, story: string): void {
  engine.run(['system', 'check', '--quick', '--repair'])
  const left = engine.run(['system', 'check', '--quick', '--format', '{{.Kind}} {{.Problem}}'])
  const lines = left.stdout.split('\n').filter((line) => line !== '')
  const isExpected = (line: string) => line.startsWith('monitor its monitor was killed')
  expect(
    lines.filter((line) => !isExpected(line)),
    story,
  ).toEqual([])
}

// What is still there obeys the commands that a person would try next.
function expectWhole(engine: TestEngine, story: string): void {
  const ids = engine
    .succeed(['ps', '-aq'])
    .split('\n')
    .filter((id) => id !== '')
  const removed = VICTIMS.filter(
    ({ before, command }) => before === 'none' || command.startsWith('rm'),
  )
  expect(ids.length, story).toBeGreaterThanOrEqual((VICTIMS.length - removed.length) * ROUNDS)
  expect(engine.run(['restart', '-t', '0', ...ids]).stderr, story).toBe('')
  const states = engine.succeed(['ps', '-a', '--format', '{{.State}}']).split('\n')
  expect(states, story).toEqual(ids.map(() => 'running'))
}

async function removeAll(engine: TestEngine): Promise<void> {
  const ids = engine
    .succeed(['ps', '-aq'])
    .split('\n')
    .filter((id) => id !== '')
  if (ids.length > 0) engine.succeed(['rm', '-f', '-v', ...ids])
  const images = engine
    .succeed(['images', '--format', '{{.Repository}}'])
    .split('\n')
    .filter((name) => name.startsWith('image-of-'))
  if (images.length > 0) engine.succeed(['rmi', ...images])
  await engine.settled()
}

// Without the log of events, which is to grow.
function filesOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.startsWith('events'))
    .filter((path) => existsSync(join(folder, path)) && !statSync(join(folder, path)).isDirectory())
    .sort()
}

function monitorsOf(engine: TestEngine): readonly number[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return []
    try {
      const name = readFileSync(`/proc/${pid}/comm`, 'latin1')
      if (name !== 'tsrun-monitor\n') return []
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(engine.directory) ? [Number(pid)] : []
    } catch {
      // Ended while we looked, ignoring.
      return []
    }
  })
}

function cgroupsOf(ids: readonly string[]): readonly string[] {
  const mount = readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .find((line) => line.includes(' - cgroup2 '))
    ?.split(' ')[4]
  return ids.filter((id) => existsSync(`${mount}/tsrun/${id}`) || existsSync(`${mount}/${id}`))
}
