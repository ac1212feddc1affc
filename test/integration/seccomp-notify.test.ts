/** SCMP_ACT_NOTIFY: an agent outside answers system calls of the container (config-linux.md "Seccomp"). */
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Process, Seccomp } from '../../src/oci/runtime-config.ts'
import { listenUnix } from '../../src/runtime/unix-socket.ts'
import {
  type CommandResult,
  installedRuntimes,
  makeRuntime,
  type Runtime,
} from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { type Answer, type SeccompAgent, startSeccompAgent } from '../support/seccomp-agent.ts'
import { uniqueId } from '../support/unique-id.ts'
import { until } from '../support/until.ts'

const ID = uniqueId('notify')

const ENOMEDIUM = { errno: 123 }

let bundle: Bundle
let runtime: Runtime
let agent: SeccompAgent | undefined

beforeEach(() => {
  bundle = makeBundle()
})
afterEach(async () => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
  await agent?.[Symbol.asyncDispose]()
  agent = undefined
})

function startAgent(answer: Answer): SeccompAgent {
  agent = startSeccompAgent(answer)
  return agent
}

/** A bundle whose rule reports `names` to the agent. */
function configure(
  names: readonly string[],
  process: Partial<Process>,
  seccomp: Partial<Seccomp> = {},
): void {
  bundle.configure((config) =>
    withProcess(
      {
        ...config,
        linux: {
          ...config.linux,
          seccomp: {
            defaultAction: 'SCMP_ACT_ALLOW',
            listenerPath: agent?.path ?? '/nobody/listens.sock',
            listenerMetadata: 'opaque data',
            syscalls: [{ names, action: 'SCMP_ACT_NOTIFY' }],
            ...seccomp,
          },
        },
      },
      process,
    ),
  )
}

/** As Runtime.run(), without keeping the agent in this process from answering. */
function run(
  args: readonly string[],
): Promise<Pick<CommandResult, 'status' | 'stdout' | 'stderr'>> {
  return new Promise((resolve) => {
    const child = runtime.start(args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let [stdout, stderr] = ['', '']
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
}

/** For a command that leaves a process behind, which would keep pipes open. */
function detach(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    runtime.start(args).on('exit', (status) => {
      if (status === 0) resolve()
      else reject(new Error(`${args.join(' ')}: ${status}`))
    })
  })
}

const MKDIR = ['mkdir', 'mkdirat']

describe.each(installedRuntimes())('%s', (name) => {
  beforeEach(() => {
    runtime = makeRuntime(name)
  })

  it.each([true, false])(
    'lets the agent answer, with noNewPrivileges %s [config-linux.md#the-container-process-state/1] [config-linux.md#the-container-process-state/2] [config-linux.md#the-container-process-state/3] [config-linux.md#seccomp/12]',
    async (no) => {
      startAgent(ENOMEDIUM)
      configure(MKDIR, { args: ['mkdir', '/tmp/x'], noNewPrivileges: no })
      const { status, stderr } = await run(['run', '--bundle', bundle.directory, ID])
      expect(stderr).toContain('No medium found')
      expect(status).toBe(1)
      const [document] = agent?.documents ?? []
      expect(document).toMatchObject({
        ociVersion: expect.any(String),
        fds: ['seccompFd'],
        metadata: 'opaque data',
        pid: expect.any(Number),
        state: { id: ID, bundle: bundle.directory, pid: document?.pid },
      })
      expect(agent?.connections.map(({ descriptors }) => descriptors)).toEqual([[1, 0]])
    },
  )

  it('answers for an exec with a listener of its own [config-linux.md#seccomp/4]', async () => {
    startAgent(ENOMEDIUM)
    configure(MKDIR, { args: ['sleep', '1000'] })
    await detach(['run', '--detach', '--bundle', bundle.directory, ID])
    const { stderr } = await run(['exec', ID, 'mkdir', '/tmp/x'])
    expect(stderr).toContain('No medium found')
    const [init, exec] = agent?.documents ?? []
    // crun 1.8 sends the state without these two for an exec.
    if (name !== 'crun')
      expect(exec).toMatchObject({ state: { id: ID, status: 'running', pid: init?.pid } })
    expect(exec?.pid).not.toBe(init?.pid)
    expect(agent?.documents).toHaveLength(2)
  })

  it('works when the calls of every start are reported', async () => {
    startAgent('continue')
    configure(['execve', 'openat', 'open', 'read', 'close', 'fcntl'], { args: ['echo', 'hi'] })
    const { stdout, stderr } = await run(['run', '--bundle', bundle.directory, ID])
    expect({ stdout, stderr }).toEqual({ stdout: 'hi\n', stderr: '' })
    expect(agent?.answered).toBeGreaterThan(1)
  })

  // crun 1.8 connects to any path that is there.
  it.skipIf(name === 'crun')('ignores the path when no rule reports', () => {
    configure(MKDIR, { args: ['echo', 'hi'] }, { syscalls: [] })
    expect(runtime.succeed(['run', '--bundle', bundle.directory, ID])).toBe('hi\n')
  })

  it('fails when nobody listens [config-linux.md#seccomp/6]', () => {
    configure(MKDIR, { args: ['sleep', '1000'] })
    expect(runtime.run(['run', '--bundle', bundle.directory, ID]).status).not.toBe(0)
  })

  it('wants a stream socket [config-linux.md#seccomp/3]', () => {
    const listenerPath = join(bundle.directory, 'other.sock')
    using _other = listenUnix(listenerPath, 'seqpacket')
    configure(MKDIR, { args: ['sleep', '1000'] }, { listenerPath })
    expect(runtime.run(['run', '--bundle', bundle.directory, ID]).status).not.toBe(0)
  })
})

describe('tsrun', () => {
  beforeEach(() => {
    runtime = makeRuntime()
  })

  it('hands the listener over at start, where create has ended before', async () => {
    startAgent(ENOMEDIUM)
    configure(MKDIR, { args: ['mkdir', '/tmp/x'] })
    await detach(['create', '--bundle', bundle.directory, ID])
    expect(agent?.documents).toEqual([])
    expect(await run(['start', ID])).toMatchObject({ status: 0, stderr: '' })
    expect(agent?.documents).toMatchObject([{ state: { status: 'created' } }])
  })

  // runc 1.1 and crun 1.8 keep it open as long as they run.
  it('closes the connection while the container runs, and the next has its own [config-linux.md#seccomp/5]', async () => {
    startAgent(ENOMEDIUM)
    configure(MKDIR, { args: ['sleep', '1000'] })
    const foreground = runtime.start(['run', '--bundle', bundle.directory, ID])
    await until('the connection is closed', () => agent?.connections[0]?.isClosed === true)
    expect(runtime.state(ID).status).toBe('running')
    expect((await run(['exec', ID, 'mkdir', '/tmp/x'])).stderr).toContain('No medium found')
    expect(agent?.connections).toHaveLength(2)
    const ended = once(foreground, 'exit')
    runtime.succeed(['kill', ID, 'KILL'])
    await ended
  })

  it('names the socket that nobody listens at, and leaves no process behind', async () => {
    configure(MKDIR, { args: ['sleep', '1000'] })
    await detach(['create', '--bundle', bundle.directory, ID])
    const { status, stderr } = await run(['start', ID])
    expect(status).toBe(1)
    expect(stderr).toContain(
      'failed to connect with seccomp agent at "/nobody/listens.sock": ENOENT',
    )
    await runtime.waitFor(ID, 'stopped')
  })

  it('refuses rules that could never work', () => {
    configure(['write'], { args: ['true'] })
    expect(runtime.run(['run', '--bundle', bundle.directory, ID]).stderr).toContain(
      'SCMP_ACT_NOTIFY cannot be used for the write syscall',
    )
    configure(MKDIR, { args: ['true'] }, { listenerPath: '' })
    expect(runtime.run(['run', '--bundle', bundle.directory, ID]).stderr).toContain(
      '/linux/seccomp/listenerPath is required by a rule with SCMP_ACT_NOTIFY',
    )
  })

  it('waits killably for an agent that has received the call, where the flag says so', async () => {
    startAgent('continue')
    configure(
      MKDIR,
      { args: ['sh', '-c', 'mkdir /dev/shm/x && ls -d /dev/shm/x'] },
      { flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV', 'SECCOMP_FILTER_FLAG_LOG'] },
    )
    const { stdout, stderr } = await run(['run', '--bundle', bundle.directory, ID])
    expect({ stdout, stderr }).toEqual({ stdout: '/dev/shm/x\n', stderr: '' })
  })
})
