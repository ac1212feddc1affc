/** The six kinds of hooks: order, namespaces, the state on standard input, failures and timeouts. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Hooks } from '../../src/oci/runtime-config.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('h')

let bundle: Bundle
let runtime: Runtime

beforeEach(() => {
  bundle = makeBundle()
  runtime = makeRuntime()
})
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

const configure = (hooks: Hooks, args: readonly string[] = ['true']): void =>
  bundle.configure((config) =>
    withProcess(
      {
        ...config,
        hooks,
        annotations: { key: 'value' },
        mounts: [
          ...(config.mounts ?? []),
          {
            destination: '/shared',
            type: 'bind',
            source: join(bundle.directory, 'shared'),
            options: ['bind'],
          },
        ],
      },
      { args },
    ),
  )

/** Appends its name and the state to a file; the shared directory is seen inside and outside. */
function recorder(kind: string, inside = false): { path: string; args: string[]; env: string[] } {
  const folder = inside ? '/shared' : join(bundle.directory, 'shared')
  const script = `{ printf '%s ' "$KIND"; tr -d '\\n'; echo; } >> ${folder}/log`
  return {
    path: '/bin/sh',
    args: ['sh', '-c', script],
    env: [`KIND=${kind}`, 'PATH=/bin:/usr/bin'],
  }
}

function logged(): readonly (readonly [string, Record<string, unknown>])[] {
  return readFileSync(join(bundle.directory, 'shared/log'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const space = line.indexOf(' ')
      return [line.slice(0, space), JSON.parse(line.slice(space + 1))] as const
    })
}

describe('hooks', () => {
  beforeEach(() => mkdirSync(join(bundle.directory, 'shared')))

  it('run in the order of the specification, each with the state [runtime.md#lifecycle/5] [runtime.md#lifecycle/7] [runtime.md#lifecycle/9] [runtime.md#lifecycle/11] [runtime.md#lifecycle/14] [runtime.md#lifecycle/17] [config.md#prestart/2] [config.md#createcontainer-hooks/2] [config.md#posix-platform-hooks/11] [features.md#hooks/1]', () => {
    configure({
      prestart: [recorder('prestart')],
      createRuntime: [recorder('createRuntime')],
      createContainer: [recorder('createContainer')],
      startContainer: [recorder('startContainer', true)],
      poststart: [recorder('poststart')],
      poststop: [recorder('poststop')],
    })
    runtime.succeed(['create', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    expect(logged().map(([kind]) => kind)).toEqual(['prestart', 'createRuntime', 'createContainer'])
    runtime.succeed(['start', ID])
    runtime.succeed(['delete', '--force', ID])
    const kinds = logged().map(([kind]) => kind)
    expect(kinds.slice(3)).toEqual(['startContainer', 'poststart', 'poststop'])
    for (const [, state] of logged()) {
      expect(state).toMatchObject({
        id: ID,
        bundle: bundle.directory,
        annotations: { key: 'value' },
      })
    }
    expect(logged()[1]?.[1]).toMatchObject({ status: 'creating', pid: expect.any(Number) })
    expect(logged()[5]?.[1]).toMatchObject({ status: 'stopped' })
  })

  it('get the environment of their config alone', () => {
    const script = `env > ${join(bundle.directory, 'shared/env')}`
    configure({ createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', script], env: ['A=1'] }] })
    runtime.succeed(['run', '--bundle', bundle.directory, ID], {
      env: { ...process.env, SECRET: 'x' },
    })
    const text = readFileSync(join(bundle.directory, 'shared/env'), 'utf8')
    expect(text).toContain('A=1\n')
    expect(text).not.toContain('SECRET')
  })

  it.each(['prestart', 'createRuntime', 'createContainer'] as const)(
    'a failing %s hook fails create, and poststop runs [runtime.md#lifecycle/6] [runtime.md#lifecycle/8] [runtime.md#lifecycle/10]',
    (kind) => {
      configure({
        [kind]: [
          { path: '/bin/sh', args: ['sh', '-c', 'echo fine >&2'] },
          { path: '/bin/sh', args: ['sh', '-c', 'echo broken >&2; exit 3'] },
        ],
        poststop: [recorder('poststop')],
      })
      const result = runtime.run(['create', '--bundle', bundle.directory, ID])
      expect(result.status).toBe(1)
      // Callers of runc look for these words.
      expect(result.stderr).toContain(`error running ${kind} hook #1: /bin/sh: exit status 3`)
      expect(result.stderr).toContain('broken')
      expect(result.stderr).not.toContain('fine')
      expect(runtime.run(['state', ID]).stderr).toContain('does not exist')
      expect(logged().map(([name]) => name)).toEqual(['poststop'])
    },
  )

  it('a failing poststop hook is a warning [runtime.md#lifecycle/18] [runtime.md#warnings/1]', () => {
    configure({ poststop: [{ path: '/bin/false' }, recorder('poststop')] })
    runtime.succeed(['create', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    const result = runtime.run(['delete', ID])
    expect(result.status).toBe(0)
    expect(result.log.join()).toContain('/bin/false')
    expect(logged()).toHaveLength(1)
  })

  it('are killed at their timeout', () => {
    const marker = join(bundle.directory, 'shared/late')
    for (const kind of ['createRuntime', 'createContainer'] as const) {
      configure({
        [kind]: [{ path: '/bin/sh', args: ['sh', '-c', `sleep 60; touch ${marker}`], timeout: 1 }],
      })
      const result = runtime.run(['create', '--bundle', bundle.directory, ID])
      expect(result.status).toBe(1)
      expect(result.stderr).toContain('timeout of 1 s')
    }
    expect(existsSync(marker)).toBe(false)
  })

  it('startContainer has the environment of the process, unless it names its own', () => {
    const script = 'echo $A $B > /shared/env'
    const hook = { path: '/bin/sh', args: ['sh', '-c', script] }
    for (const [hooks, expected] of [
      [[hook], 'of-process\n'],
      [[{ ...hook, env: ['B=of-hook'] }], 'of-hook\n'],
    ] as const) {
      configure({ startContainer: hooks })
      const path = join(bundle.directory, 'config.json')
      const config = JSON.parse(readFileSync(path, 'utf8'))
      const change = { env: ['PATH=/bin', 'A=of-process'] }
      writeFileSync(path, JSON.stringify(withProcess(config, change)))
      runtime.succeed(['run', '--bundle', bundle.directory, ID])
      expect(readFileSync(join(bundle.directory, 'shared/env'), 'utf8')).toBe(expected)
    }
  })

  it('startContainer is under the filter of the process', () => {
    const hook = { path: '/bin/sh', args: ['sh', '-c', 'exec mkdir /shared/made'] }
    configure({ startContainer: [{ ...hook, env: ['PATH=/bin'] }] })
    const path = join(bundle.directory, 'config.json')
    const config = JSON.parse(readFileSync(path, 'utf8'))
    const syscalls = [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_KILL' }]
    config.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls }
    writeFileSync(path, JSON.stringify(config))
    const result = runtime.run(['run', '--bundle', bundle.directory, ID])
    expect(result.status).toBe(1)
    expect(result.stderr).toContain('error running startContainer hook #0: /bin/sh: it was killed')
    expect(result.stderr).toContain('SIGSYS (bad system call)')
    expect(existsSync(join(bundle.directory, 'shared/made'))).toBe(false)
  })

  it('createContainer begins in the root filesystem of the container', () => {
    const script = `pwd > ${join(bundle.directory, 'shared/pwd')}`
    configure({ createContainer: [{ path: '/bin/sh', args: ['sh', '-c', script] }] })
    runtime.succeed(['run', '--bundle', bundle.directory, ID])
    const text = readFileSync(join(bundle.directory, 'shared/pwd'), 'utf8')
    expect(text).toBe(`${bundle.rootfs}\n`)
  })

  it('startContainer sees the root filesystem of the container', () => {
    writeFileSync(join(bundle.rootfs, 'inside'), 'yes')
    const script = 'cat /inside > /shared/seen'
    configure({
      startContainer: [{ path: '/bin/sh', args: ['sh', '-c', script], env: ['PATH=/bin'] }],
    })
    runtime.succeed(['run', '--bundle', bundle.directory, ID])
    expect(readFileSync(join(bundle.directory, 'shared/seen'), 'utf8')).toBe('yes')
  })
})
