/** Every command of the OCI command line, flag by flag, as callers of runc use it; peers run the same cases. */
import { closeSync, mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requireCgroups } from '../../src/cgroup/detect.ts'
import { listenForConsole } from '../support/console-socket.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID_C = uniqueId('c')
const GONE = uniqueId('gone')
const ID_P = uniqueId('p')

const COMMANDS = [
  ...['create', 'start', 'state', 'kill', 'delete', 'run', 'exec', 'list', 'ps', 'spec'],
  ...['features', 'pause', 'resume', 'update'],
]

// crun has its own texts and usage rules.
describe.each(installedRuntimes().filter((name) => name !== 'crun'))('%s: usage', (name) => {
  let runtime: Runtime

  beforeAll(() => {
    runtime = makeRuntime(name)
  })
  afterAll(() => runtime[Symbol.dispose]())

  it.each([
    [['kill'], '"kill" requires a minimum of 1 argument(s)'],
    [['kill', 'a', 'TERM', 'c'], '"kill" requires a maximum of 2 argument(s)'],
    [['state'], '"state" requires exactly 1 argument(s)'],
    [['delete', 'a', 'b'], '"delete" requires exactly 1 argument(s)'],
    [['create'], '"create" requires exactly 1 argument(s)'],
    [['exec'], '"exec" requires a minimum of 1 argument(s)'],
    [['ps'], '"ps" requires a minimum of 1 argument(s)'],
    [['spec', 'x'], '"spec" requires exactly 0 argument(s)'],
    [['list', 'x'], '"list" requires exactly 0 argument(s)'],
    [['update'], '"update" requires exactly 1 argument(s)'],
  ])('%j fails with 1, the reason and the help', (args, text) => {
    const result = runtime.run(args)
    expect(result.status).toBe(1)
    expect(JSON.parse(result.log.at(-1) ?? '').msg).toContain(text)
    expect(result.stdout).toMatch(/^Incorrect Usage\.\n\nNAME:\n/)
  })

  it.each(COMMANDS)('%s has help', (command) => {
    // spec of runc 1.1 has its help in another place of the line.
    for (const flag of ['-h', '--help']) {
      const { status, stdout, stderr } = runtime.run([command, flag])
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(stdout).toMatch(new RegExp(`^NAME:\\n {3}\\S+ ${command} - `))
    }
  })

  it('does not know other commands', () => {
    for (const args of [['foo'], ['foo', '-h']]) {
      const result = runtime.run(args)
      expect(result.status).toBe(3)
      expect(JSON.parse(result.log.at(-1) ?? '').msg).toContain("No help topic for 'foo'")
    }
  })

  it.each([...['start', 'state', 'kill', 'delete', 'pause', 'resume', 'ps']])(
    '%s of an unknown container says so',
    (command) => {
      const result = runtime.run([command, 'nope'])
      expect(result.status).toBe(1)
      expect(JSON.parse(result.log.at(-1) ?? '').msg).toContain('does not exist')
    },
  )

  it('exec in an unknown container fails with 255', () => {
    const result = runtime.run(['exec', 'nope', 'true'])
    expect(result.status).toBe(255)
    expect(JSON.parse(result.log.at(-1) ?? '').msg).toContain('does not exist')
  })

  it.each(['a/b', '.', '..', 'a b'])('create refuses the id %j [runtime.md#create/2]', (id) => {
    const result = runtime.run(['create', '--bundle', '/', id])
    expect(result.status).toBe(1)
  })

  it('list refuses a root that is not there, and other formats', () => {
    const gone = join(runtime.root, 'no-such')
    // runc before 1.2 makes the root, and takes /.
    for (const root of name === 'tsrun' ? [gone, '/'] : [])
      expect(runtime.run(['--root', root, 'list']).status, root).toBe(1)
    mkdirSync(runtime.root, { recursive: true })
    const result = runtime.run(['list', '--format', 'xml'])
    expect(result.status).toBe(1)
    expect(JSON.parse(result.log.at(-1) ?? '').msg).toContain('invalid format option')
  })
})

describe.each(installedRuntimes())('%s: a running container', (name) => {
  let bundle: Bundle
  let runtime: Runtime

  beforeAll(() => {
    bundle = makeBundle()
    bundle.command('sleep', '1000')
    runtime = makeRuntime(name)
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID_C], { stdio: 'ignore' })
  })
  afterAll(() => {
    runtime[Symbol.dispose]()
    bundle[Symbol.dispose]()
  })

  // crun 1.8 has no update without a cgroup manager.
  it.skipIf(name === 'crun')('update takes its flags behind the id, as CRI-O gives them', () => {
    runtime.succeed(['update', ID_C, '--resources', '-'], { input: '{}' })
  })

  it.skipIf(name !== 'tsrun').each([
    ['--l3-cache-schema', 'L3:0=f', 'Intel RDT/CAT: l3 cache schema is not enabled'],
    ['--mem-bw-schema', 'MB:0=20', 'Intel RDT/MBA: memory bandwidth schema is not enabled'],
    ['--cpu-rt-runtime', '1000', 'unsupported: linux.resources.cpu.realtimeRuntime'],
    ['--kernel-memory', '1m', 'unsupported: linux.resources.memory.kernel'],
    ['--memory', '1q', 'invalid value "1q" for flag -memory'],
    ['--cpu-share', 'x', 'invalid value "x" for flag -cpu-share'],
  ])('update %s %s is refused: %s', (flag, value, text) => {
    const result = runtime.run(['update', flag, value, ID_C])
    expect(result.status).toBe(1)
    expect(result.stderr).toContain(text)
  })

  it.skipIf(name === 'crun')('update takes an empty value for none', () => {
    runtime.succeed(['update', '--memory=', '--cpu-share=', '--cpuset-cpus=', ID_C])
  })

  it.skipIf(name === 'crun')('ps hands options behind the id to ps', () => {
    expect(runtime.succeed(['ps', ID_C, '-e', '-x'])).toMatch(/^\s*PID TTY\s+STAT\s+TIME COMMAND\n/)
    const plain = runtime.succeed(['ps', ID_C])
    expect(plain).toMatch(/^UID\s+PID\s+PPID\s+C\s+STIME\s+TTY\s+TIME\s+CMD\n/)
    expect(plain).toContain('sleep 1000')
  })

  it('ps still works when the container has stopped', async () => {
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, GONE], { stdio: 'ignore' })
    runtime.succeed(['kill', GONE, 'KILL'])
    await runtime.waitFor(GONE, 'stopped')
    if (name !== 'crun') expect(runtime.succeed(['ps', GONE])).toMatch(/^UID[^\n]*\n$/)
    expect(runtime.run(['kill', GONE, '0']).status).toBe(1)
    runtime.succeed(['delete', GONE])
  })

  it.skipIf(name === 'crun')('an id may begin with a dot', () => {
    runtime.succeed(['create', '--bundle', bundle.directory, '.dot'], { stdio: 'ignore' })
    expect(runtime.state('.dot').status).toBe('created')
    expect(runtime.succeed(['list', '-q']).split('\n')).toContain('.dot')
    runtime.succeed(['delete', '--force', '.dot'])
  })

  // Neither runc 1.1 nor crun has --pidfd-socket.
  it.skipIf(name !== 'tsrun').each(['create', 'run', 'exec'])(
    '%s --pidfd-socket hands over a pidfd',
    (verb) => {
      using socket = listenForConsole()
      const pidFile = join(bundle.directory, 'pid')
      const flags = ['--pidfd-socket', socket.path, '--pid-file', pidFile]
      const target =
        verb === 'exec' ? [ID_C, 'sleep', '1000'] : ['--bundle', bundle.directory, ID_P]
      const detach = verb === 'create' ? [] : ['--detach']
      runtime.succeed([verb, ...flags, ...detach, ...target], { stdio: 'ignore' })
      const { fd, text } = socket.acceptDescriptor()
      const pid = readFileSync(pidFile, 'utf8')
      expect(text).toBe(verb === 'exec' ? 'setns' : 'standard')
      expect(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')).toMatch(
        new RegExp(`^Pid:\\s+${pid}$`, 'm'),
      )
      closeSync(fd)
      if (verb === 'exec') process.kill(Number(pid), 'SIGKILL')
      else runtime.succeed(['delete', '--force', ID_P])
    },
  )

  it.skipIf(name !== 'tsrun')('a pidfd socket that nobody listens at stops it', () => {
    const flags = ['--pidfd-socket', join(bundle.directory, 'nobody')]
    const result = runtime.run(['create', ...flags, '--bundle', bundle.directory, ID_P])
    expect(result.status).toBe(1)
    expect(result.stderr).toContain('cannot connect to the pidfd socket')
    expect(runtime.run(['state', ID_P]).status).toBe(1)
  })

  it.skipIf(name === 'crun')('exec adds groups to those of the process', () => {
    const flags = ['--user', '1000:1000', '-g', '100', '-g', '65534']
    expect(runtime.succeed(['exec', ...flags, ID_C, 'id', '-G'])).toBe('1000 100 65534\n')
  })

  it.skipIf(name === 'crun')('exec --cap adds a capability, --no-new-privs sets the bit', () => {
    const status = (...flags: readonly string[]): string =>
      runtime.succeed([
        'exec',
        ...flags,
        ID_C,
        'grep',
        '-E',
        'CapEff|CapAmb|NoNewPrivs',
        '/proc/self/status',
      ])
    const [before = '', after = ''] = [
      status(),
      status('--cap', 'CAP_SYS_NICE', '--no-new-privs=false'),
    ]
    const effective = (text: string): bigint => BigInt(`0x${/CapEff:\s+(\w+)/.exec(text)?.[1]}`)
    expect(effective(after) & ~effective(before)).toBe(1n << 23n)
    expect(after).toMatch(/CapAmb:\s+0+\nNoNewPrivs:\s+0$/m)
    expect(status('--no-new-privs')).toMatch(/NoNewPrivs:\s+1/)
  })

  it.skipIf(name === 'crun')('exec refuses a console socket that nobody would use', () => {
    const result = runtime.run(['exec', '-t', '--console-socket', '/nowhere', ID_C, 'true'])
    expect(result.status).toBe(255)
    expect(result.stderr + result.log).toContain('cannot use console socket if')
    const detached = runtime.run(['exec', '-t', '-d', ID_C, 'true'])
    expect(detached.status).toBe(255)
    expect(detached.stderr + detached.log).toContain('cannot allocate tty if')
  })

  // runc 1.1 on a v1 host looks elsewhere.
  it.skipIf(name !== 'tsrun')('exec --cgroup runs in a cgroup below, and nowhere else', () => {
    const own = cgroupDirectory(runtime, ID_C)
    mkdirSync(join(own, 'below'))
    const where = ['cat', '/proc/self/cgroup']
    expect(runtime.succeed(['exec', '--cgroup', 'below', ID_C, ...where])).toContain('0::/below\n')
    expect(runtime.succeed(['exec', '--cgroup', 'cpu,pids:below', ID_C, ...where])).toContain(
      '0::/below\n',
    )
    expect(runtime.succeed(['exec', '--cgroup', '/', ID_C, ...where])).toContain('0::/\n')
    rmdirSync(join(own, 'below'))
    for (const [path, text] of [
      ['..', 'bad sub cgroup path'],
      ['x/../..', 'bad sub cgroup path'],
      ['below', 'no such file'],
    ] as const) {
      const result = runtime.run(['exec', '--cgroup', path, ID_C, 'true'])
      expect(result.status).toBe(255)
      expect(result.stderr).toContain(text)
    }
  })
})

/** The cgroup v2 directory of a container's init, on this host. */
function cgroupDirectory(runtime: Runtime, id: string): string {
  const own = /^0::(.*)$/m.exec(readFileSync(`/proc/${runtime.state(id).pid}/cgroup`, 'utf8'))?.[1]
  return join(requireCgroups().mountPoint, own ?? '')
}

describe.each(installedRuntimes().filter((name) => name !== 'crun'))(
  '%s: standard streams',
  (name) => {
    it('that are /dev/null are the one of the container', () => {
      using bundle = makeBundle()
      using runtime = makeRuntime(name)
      bundle.command('sleep', '1000')
      runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID_C], { stdio: 'ignore' })
      const pid = String(runtime.state(ID_C).pid)
      const own = statSync(`/proc/${pid}/root/dev/null`)
      for (const stream of ['0', '1', '2'])
        expect(statSync(`/proc/${pid}/fd/${stream}`)).toMatchObject({ dev: own.dev, ino: own.ino })
    })
  },
)

describe('tsrun', () => {
  it('takes --rootless as Go reads it, and refuses other words', () => {
    using runtime = makeRuntime()
    for (const word of ['auto', 'AUTO', '', 'false', 'f', '0', 'F', 'true', '1'])
      expect(runtime.run([`--rootless=${word}`, 'delete', '--force', 'x']).status, word).toBe(0)
    const result = runtime.run(['--rootless=maybe', 'delete', '--force', 'x'])
    expect(result.status).toBe(1)
    expect(result.stderr).toContain('invalid boolean value "maybe" for -rootless')
  })
})
