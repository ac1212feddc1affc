/** runtime-spec 1.3, config.md "POSIX-platform Hooks": when and where the six kinds run, and what a failure ends; peers run the same cases. */
import { chmodSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { detectCgroups } from '../../src/cgroup/detect.ts'
import type { HookKind, RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { readTextIfThere } from '../../src/util/if-there.ts'
import { bind } from '../support/mount-probe.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'
import { until } from '../support/until.ts'

const ENDED = uniqueId('ended')
const FAILED = uniqueId('failed')
const HOOKED = uniqueId('hooked')

let bundle: Bundle
let runtime: Runtime

const setUp = (name: Runtime['name']): void => {
  bundle = makeBundle()
  runtime = makeRuntime(name)
}
const tearDown = (): void => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
}

/** As callers do: the container keeps standard output, so it must not be a pipe of the test. */
const create = (id: string): void => {
  runtime.succeed(['create', '--bundle', bundle.directory, id], { stdio: 'ignore' })
}
const isKnown = (id: string): boolean => runtime.run(['state', id]).status === 0
const remove = (id: string): void => {
  runtime.run(['delete', '--force', id])
}
const inNamespace = (pid: unknown, kind: string): string =>
  readlinkSync(`/proc/${String(pid)}/ns/${kind}`)

describe.each(installedRuntimes())('hooks of %s', (name) => {
  beforeAll(() => setUp(name))
  afterAll(tearDown)

  const KINDS = [
    'prestart',
    'createRuntime',
    'createContainer',
    'startContainer',
    'poststart',
    'poststop',
  ] as const
  const shared = (): string => join(bundle.directory, 'shared')

  /**
   * Notes in the shared folder who ran, in which namespaces, whether the host's root was there for it and
   * for init, what init was doing, and whether the runtime still had the container's folder.
   */
  const NOTE = (folder: string, container: string): string => `#!/bin/sh
state=$(cat)
pid=$(echo "$state" | tr -d ' \\n' | sed 's/.*"pid":\\([0-9]*\\).*/\\1/')
notes="kind=$1"
note() { notes="$notes $1=$2"; }
for kind in net uts ipc pid mnt; do note $kind "$(readlink /proc/self/ns/$kind)"; done
note host "$(test -e ${bundle.directory}/config.json && echo yes || echo no)"
note mounted "$(grep -c ' ${bundle.rootfs}/proc ' /proc/self/mountinfo)"
note initHost "$(test -e /proc/$pid/root${bundle.directory}/config.json && echo yes || echo no)"
note initMounted "$(grep -c ' ${bundle.rootfs}/proc ' /proc/$pid/mountinfo)"
note initNet "$(readlink /proc/$pid/ns/net)"
note comm "$(cat /proc/$pid/comm)"
note known "$(test -e ${container} && echo yes || echo no)"
# In one write: two hooks may run at a time.
echo "$notes" >> ${folder}/log
`

  type Note = Readonly<Record<string, string>>
  const notes = (): readonly Note[] =>
    (readTextIfThere(join(shared(), 'log')) ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) =>
        Object.fromEntries(
          line
            .trim()
            .split(' ')
            .map((pair) => pair.split(/=(.*)/).slice(0, 2)),
        ),
      )

  beforeEach(() => remove(HOOKED))
  beforeAll(() => {
    mkdirSync(shared())
    // Each is where its kind is to be found, and there alone.
    const outside = join(bundle.directory, 'only-outside')
    writeFileSync(outside, NOTE(shared(), join(runtime.root, HOOKED)))
    writeFileSync(join(bundle.rootfs, 'only-inside'), NOTE('/shared', '/none'))
    chmodSync(outside, 0o755)
    chmodSync(join(bundle.rootfs, 'only-inside'), 0o755)
  })

  const hook = (kind: HookKind, label: string = kind) => ({
    path: kind === 'startContainer' ? '/only-inside' : join(bundle.directory, 'only-outside'),
    args: ['hook', label],
    env: ['PATH=/bin:/usr/bin'],
  })
  const configure = (hooks: RuntimeConfig['hooks'], script = 'exec sleep 1000'): void =>
    bundle.configure((config) => ({
      ...withProcess(config, { args: ['sh', '-c', script] }),
      mounts: [...(config.mounts ?? []), bind(shared(), '/shared')],
      ...(hooks === undefined ? {} : { hooks }),
    }))
  const live = (): Record<string, Note> => {
    rmSync(join(shared(), 'log'), { force: true })
    create(HOOKED)
    const { pid } = runtime.state(HOOKED)
    const container = Object.fromEntries(
      ['net', 'uts', 'ipc', 'pid', 'mnt'].map((kind) => [kind, inNamespace(pid, kind)]),
    )
    runtime.succeed(['start', HOOKED])
    remove(HOOKED)
    return { container, ...Object.fromEntries(notes().map((note) => [note.kind, note])) }
  }

  it('are found and run in their namespaces [config.md#posix-platform-hooks/3] [config.md#posix-platform-hooks/4] [config.md#posix-platform-hooks/5] [config.md#posix-platform-hooks/6] [config.md#posix-platform-hooks/7] [config.md#posix-platform-hooks/8] [config.md#posix-platform-hooks/9]', () => {
    configure(Object.fromEntries(KINDS.map((kind) => [kind, [hook(kind)]])))
    const { container = {}, ...ran } = live()
    expect(Object.keys(ran).sort()).toEqual([...KINDS].sort())
    for (const kind of KINDS) {
      const isInside = kind === 'createContainer' || kind === 'startContainer'
      for (const space of ['net', 'uts', 'ipc', 'pid'])
        expect([kind, ran[kind]?.[space]]).toEqual([
          kind,
          isInside ? container[space] : readlinkSync(`/proc/self/ns/${space}`),
        ])
      if (isInside) expect([kind, ran[kind]?.mnt]).toEqual([kind, container.mnt])
      else expect([kind, ran[kind]?.mnt === container.mnt]).toEqual([kind, false])
      // For the peers the runtime's own is one that the test made.
      if (!isInside && name === 'tsrun')
        expect(ran[kind]?.mnt).toBe(readlinkSync('/proc/self/ns/mnt'))
    }
  })

  it('of create run when the environment is made and the root is not changed yet [config.md#prestart/1] [config.md#createruntime-hooks/1] [config.md#createcontainer-hooks/1]', () => {
    const kinds = ['prestart', 'createRuntime', 'createContainer'] as const
    configure(Object.fromEntries(kinds.map((kind) => [kind, [hook(kind)]])))
    rmSync(join(shared(), 'log'), { force: true })
    create(HOOKED)
    expect(notes().map(({ kind }) => kind)).toEqual(kinds)
    const network = inNamespace(runtime.state(HOOKED).pid, 'net')
    const [prestart, createRuntime, createContainer] = notes()
    for (const note of [prestart, createRuntime])
      expect(note).toMatchObject({ initHost: 'yes', initMounted: '1', initNet: network })
    expect(createContainer).toMatchObject({ host: 'yes', mounted: '1', net: network })
    runtime.succeed(['start', HOOKED])
    remove(HOOKED)
    expect(notes()).toHaveLength(3)
  })

  it('of start run before the program and after it began [config.md#startcontainer-hooks/1] [config.md#poststart/1]', async () => {
    configure(
      { startContainer: [hook('startContainer')], poststart: [hook('poststart')] },
      'echo kind=program >> /shared/log; exec sleep 1000',
    )
    rmSync(join(shared(), 'log'), { force: true })
    create(HOOKED)
    // runc 1.1 runs poststart in create, before the program (fixed later).
    const early = name === 'runc' ? ['poststart'] : []
    expect(notes().map(({ kind }) => kind)).toEqual(early)
    runtime.succeed(['start', HOOKED])
    const kinds = (): readonly string[] => notes().map(({ kind = '' }) => kind)
    if (name !== 'runc') expect(kinds()).toContain('poststart')
    await until('the program runs', () => kinds().includes('program'))
    expect(kinds().indexOf('startContainer')).toBeLessThan(kinds().indexOf('program'))
    const poststart = notes().find(({ kind }) => kind === 'poststart')
    // The shell, or what it became: no more the init that waits. crun does not wait for that.
    if (name === 'tsrun') expect(poststart?.comm).toMatch(/^(sh|sleep)$/)
    expect(poststart?.initHost).toBe('no')
    remove(HOOKED)
  })

  it('of delete run when the container is gone, before delete returns [config.md#poststop/1]', async () => {
    configure({ poststart: [hook('poststart')], poststop: [hook('poststop')] }, 'true')
    rmSync(join(shared(), 'log'), { force: true })
    create(HOOKED)
    runtime.succeed(['start', HOOKED])
    await runtime.waitFor(HOOKED, 'stopped')
    expect(notes()).toMatchObject([{ kind: 'poststart', known: 'yes' }])
    runtime.succeed(['delete', HOOKED])
    // crun 1.8 still has its folder then.
    const known = name === 'crun' ? 'yes' : 'no'
    expect(notes()).toMatchObject([{}, { kind: 'poststop', known }])
  })

  it('run in the listed order [config.md#posix-platform-hooks/10]', () => {
    const labels = ['1', '2', '3']
    configure(
      Object.fromEntries(
        KINDS.map((kind) => [kind, labels.map((label) => hook(kind, `${kind}-${label}`))]),
      ),
    )
    live()
    const ran = notes().map(({ kind }) => kind)
    for (const kind of KINDS)
      expect(ran.filter((label) => label?.startsWith(`${kind}-`))).toEqual(
        labels.map((label) => `${kind}-${label}`),
      )
  })

  it('that fail in start end the container [runtime.md#lifecycle/12] [runtime.md#lifecycle/15]', async () => {
    for (const kind of ['startContainer', 'poststart'] as const) {
      const failing = { path: '/bin/sh', args: ['sh', '-c', 'exit 3'] }
      const program = kind === 'startContainer' ? 'echo kind=program >> /shared/log' : 'sleep 1000'
      configure({ [kind]: [failing], poststop: [hook('poststop')] }, program)
      rmSync(join(shared(), 'log'), { force: true })
      const created = runtime.run(['create', '--bundle', bundle.directory, HOOKED], {
        stdio: 'ignore',
      })
      // runc 1.1 runs poststart in create.
      const isEarly = name === 'runc' && kind === 'poststart'
      expect([kind, created.status === 0]).toEqual([kind, !isEarly])
      const pid = isEarly ? undefined : runtime.state(HOOKED).pid
      const started = runtime.run(['start', HOOKED])
      // The peers' start has ended before init runs its hook.
      if (name === 'tsrun') expect(started.status).not.toBe(0)
      // crun 1.8 lets it run on after a failed poststart hook.
      if (pid !== undefined && (name !== 'crun' || kind === 'startContainer'))
        await until('init ends', () => !isAlive(Number(pid)))
      // The peers of Debian 12 leave the rest to delete.
      expect([kind, isKnown(HOOKED)]).toEqual([kind, name !== 'tsrun' && !isEarly])
      remove(HOOKED)
      expect(notes().map((note) => note.kind)).toEqual(['poststop'])
      if (name !== 'crun') expect(notes()[0]).toMatchObject({ known: 'no' })
    }
  })
})

describe('hooks of tsrun', () => {
  beforeAll(() => setUp('tsrun'))
  afterAll(tearDown)

  it('runs poststop hooks after a failed create when everything is gone [config.md#poststop/1]', () => {
    const cgroupsPath = `/tsrun-test-spec-${process.pid}`
    const places = [join(runtime.root, FAILED), join(cgroup2(), cgroupsPath)]
    const log = join(bundle.directory, 'seen')
    const look = `for place in ${places.join(' ')}; do test -e $place && echo $place; done >> ${log}`
    const shell = (script: string) => ({ path: '/bin/sh', args: ['sh', '-c', script] })
    bundle.configure((config) => ({
      ...config,
      hooks: {
        createRuntime: [shell(`${look}; echo -- >> ${log}`), shell('exit 1')],
        poststop: [shell(`${look}; echo after >> ${log}`)],
      },
      linux: { ...config.linux, cgroupsPath },
    }))
    const args = ['create', '--bundle', bundle.directory, FAILED]
    expect(runtime.run(args, { stdio: 'ignore' }).status).toBe(1)
    expect(readFileSync(log, 'utf8')).toBe(`${places.join('\n')}\n--\nafter\n`)
  })

  it('says which hook ended the container, and warns of what fails after it', () => {
    const shell = (script: string) => ({ path: '/bin/sh', args: ['sh', '-c', script] })
    bundle.configure((config) => ({
      ...withProcess(config, { args: ['sleep', '1000'] }),
      hooks: { poststart: [shell('exit 3')], poststop: [shell('exit 4')] },
    }))
    create(ENDED)
    const { status, log } = runtime.run(['start', ENDED])
    expect(status).toBe(1)
    expect(log.map((line) => JSON.parse(line))).toMatchObject([
      {
        level: 'warning',
        msg: expect.stringContaining('poststop hook #0: /bin/sh: exit status 4'),
      },
      { level: 'error', msg: expect.stringContaining('poststart hook #0: /bin/sh: exit status 3') },
    ])
    expect(isKnown(ENDED)).toBe(false)
    // The id is free at once.
    bundle.command('true')
    create(ENDED)
    remove(ENDED)
  })
})

function cgroup2(): string {
  return detectCgroups()?.mountPoint ?? ''
}

/** A process whose parent does not wait for it is dead too. */
function isAlive(pid: number): boolean {
  const stat = readTextIfThere(`/proc/${pid}/stat`)
  return stat !== undefined && !/\) [ZX] /.test(stat)
}
