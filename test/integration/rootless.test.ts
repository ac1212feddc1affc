/** The OCI runtime as an ordinary user: own ids, subordinate ids, and what stands in the way. */
import { execFileSync } from 'node:child_process'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBusyboxRootfs } from '../../rootfs-cache/build-busybox-image.mjs'
import { defaultRuntimeConfig } from '../../src/oci/default-config.ts'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import {
  makeOrdinaryUser,
  type OrdinaryUser,
  SUBORDINATE,
  USER_ID,
  USER_NAME,
  type UserOptions,
} from '../support/ordinary-user.ts'
import { Terminal } from '../support/pty.ts'
import { missing } from '../support/requires.ts'
import { installedRuntimes } from '../support/runtime.ts'
import { withoutNamespace, withProcess } from '../support/runtime-bundle.ts'

const OWN = [{ containerID: 0, hostID: USER_ID, size: 1 }]
const RANGES = [...OWN, { containerID: 1, hostID: SUBORDINATE.start, size: SUBORDINATE.count }]

let user: OrdinaryUser
let bundle: string

function configure(change: (config: RuntimeConfig) => RuntimeConfig = (config) => config): void {
  const config = defaultRuntimeConfig({ rootless: true, hostUid: USER_ID, hostGid: USER_ID })
  const root = { path: 'rootfs' }
  const plain = withProcess({ ...config, ociVersion: '1.0.0', root }, { terminal: false })
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(change(plain)))
}

function command(...args: readonly string[]): (config: RuntimeConfig) => RuntimeConfig {
  return (config) => withProcess(config, { args })
}

function shell(script: string): (config: RuntimeConfig) => RuntimeConfig {
  return command('sh', '-c', script)
}

function withRanges(config: RuntimeConfig): RuntimeConfig {
  return { ...config, linux: { ...config.linux, uidMappings: RANGES, gidMappings: RANGES } }
}

const tsrun = (...args: readonly string[]): readonly string[] => [user.tsrun, 'oci', ...args]

/** Runs the configured container and returns what it printed. */
function output(args: readonly string[] = [], options?: UserOptions): string {
  return user.succeed(tsrun(...args, 'run', '-b', bundle, 'c'), options)
}

/** What a run that fails says. */
function refusal(args: readonly string[] = [], options?: UserOptions): string {
  const { status, stderr } = user.run(tsrun(...args, 'run', '-b', bundle, 'c'), options)
  expect(status).not.toBe(0)
  return stderr
}

describe.skipIf(missing('root', 'userns', 'command:newuidmap'))('tsrun without root', () => {
  beforeAll(() => {
    user = makeOrdinaryUser()
    bundle = join(user.directory, 'bundle')
    buildBusyboxRootfs(join(bundle, 'rootfs'))
    execFileSync('mkdir', ['-p', join(bundle, 'rootfs/tmp')])
    execFileSync('chown', ['-R', `${USER_ID}:${USER_ID}`, bundle])
  })

  afterAll(() => {
    user?.[Symbol.dispose]()
  })

  it.each(installedRuntimes().filter((name) => name !== 'crun'))(
    'leads a container with ids of its user through its life, as %s does',
    (name) => {
      configure(command('sleep', '1000'))
      const words = name === 'tsrun' ? tsrun() : [name]
      const run = (...args: readonly string[]): string => user.succeed([...words, ...args])
      user.succeed([
        'sh',
        '-c',
        '"$@" </dev/null >/dev/null 2>&1',
        'sh',
        ...words,
        'create',
        '-b',
        bundle,
        'c',
      ])
      expect(JSON.parse(run('state', 'c')).status).toBe('created')
      run('start', 'c')
      const state = JSON.parse(run('state', 'c'))
      expect(state.status).toBe('running')
      // runc 1.1 does not know it.
      if (name === 'tsrun') expect(state.owner).toBe(USER_NAME)
      expect(run('exec', 'c', 'id')).toBe('uid=0(root) gid=0(root)\n')
      expect(run('list', '-q')).toBe('c\n')
      expect(statSync(join(user.runtimeDirectory, name)).mode & 0o7777).toBe(0o1700)
      run('kill', 'c', 'KILL')
      run('delete', '--force', 'c')
      expect(run('list', '-q')).toBe('')
    },
  )

  it('shows the processes of a container that has no cgroup', () => {
    configure(command('sleep', '1000'))
    const create = tsrun('run', '-d', '-b', bundle, 'c')
    user.succeed(['sh', '-c', '"$@" </dev/null >/dev/null 2>&1', 'sh', ...create])
    try {
      expect(user.succeed(tsrun('ps', 'c'))).toContain('sleep 1000')
      const refused = user.run(tsrun('pause', 'c'))
      expect(refused.stderr).toContain('it has no cgroup of its own')
    } finally {
      user.succeed(tsrun('delete', '--force', 'c'))
    }
  })

  it('maps the user to root and gives away setgroups(2), as the kernel wants of one id', () => {
    configure(shell('id -u; cat /proc/self/uid_map /proc/self/setgroups; echo > /tmp/file'))
    expect(output().split(/\s+/)).toEqual(['0', '0', String(USER_ID), '1', 'deny', ''])
    expect(statSync(join(bundle, 'rootfs/tmp/file')).uid).toBe(USER_ID)
  })

  it('maps ranges of /etc/subuid through newuidmap, and allows groups then', () => {
    configure((config) =>
      withProcess(withRanges(config), {
        args: ['sh', '-c', 'id; cat /proc/self/gid_map; touch /tmp/mine'],
        user: { uid: 5, gid: 6, additionalGids: [10] },
      }),
    )
    execFileSync('chmod', ['1777', join(bundle, 'rootfs/tmp')])
    expect(output()).toMatch(/^uid=5 gid=6 groups=10\(wheel\)/)
    expect(statSync(join(bundle, 'rootfs/tmp/mine'))).toMatchObject({
      uid: SUBORDINATE.start + 4,
      gid: SUBORDINATE.start + 5,
    })
    execFileSync('rm', [join(bundle, 'rootfs/tmp/mine')])
  })

  it.each([
    ['no entry', 'other:300000:65536\n', `user ${USER_NAME} has no entry in /etc/subuid`],
    [
      'a smaller range',
      `${USER_NAME}:300000:1000\n`,
      `300000 to 365535 is not in the ranges of user ${USER_NAME} in /etc/subuid: 300000 to 300999`,
    ],
  ])('names %s', (_, subordinate, message) => {
    configure(withRanges)
    expect(refusal([], { subordinate })).toContain(message)
  })

  it.each([
    [
      'a helper that has lost its right',
      'cp /usr/bin/newuidmap "$dir/etc/"; mount --bind "$dir/etc/newuidmap" /usr/bin/newuidmap',
      '/usr/bin/newuidmap has no rights to do it',
    ],
    [
      'a helper that does nothing',
      'mount --bind /bin/true /usr/bin/newuidmap',
      'cannot apply linux.uidMappings: the namespace has',
    ],
    [
      'a helper that is not there',
      'mount --bind /dev/null /usr/bin/newuidmap',
      'there is no newuidmap in',
    ],
  ])('does not go on with %s', (_, before, message) => {
    configure(withRanges)
    expect(refusal([], { before })).toContain(message)
  })

  it('refuses ids of the container that are not mapped, and groups where the kernel allows none', () => {
    configure((config) => ({
      ...config,
      mounts: [...(config.mounts ?? []), { destination: '/t', type: 'tmpfs', options: ['gid=5'] }],
    }))
    expect(refusal()).toContain('cannot specify gid=5 mount options for unmapped gid')
    configure((config) => withProcess(config, { user: { uid: 0, gid: 0, additionalGids: [10] } }))
    expect(refusal()).toContain('cannot set any additional groups in a rootless container')
    configure((config) => withoutUser(config))
    expect(refusal()).toContain('rootless container requires user namespaces')
  })

  it('says what a user must set where there is no XDG_RUNTIME_DIR', () => {
    configure()
    expect(refusal([], { env: { XDG_RUNTIME_DIR: '' } })).toContain('XDG_RUNTIME_DIR is not set')
    const features = user.succeed(tsrun('features'), { env: { XDG_RUNTIME_DIR: '' } })
    expect(JSON.parse(features).ociVersionMin).toBe('1.0.0')
  })

  it('names the switch that forbids user namespaces', () => {
    configure()
    // Of a user namespace, so that the host keeps its own.
    const words = tsrun('--root', join(user.directory, 'home/root'), 'run', '-b', bundle, 'c')
    const script = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    const { stderr } = user.run(['unshare', '-Ur', 'sh', '-c', script, 'sh', ...words])
    expect(stderr).toContain('raise user.max_user_namespaces')
  })

  it('makes no cgroup where none is asked for, and says what delegates one', () => {
    configure(command('cat', '/proc/self/cgroup'))
    expect(output()).toBe(output(['--rootless', 'true']))
    configure((config) => ({
      ...config,
      linux: { ...config.linux, resources: { pids: { limit: 10 } } },
    }))
    expect(refusal()).toMatch(/cannot create the cgroup .*Delegate=yes/)
    configure()
    expect(refusal(['--rootless', 'false'])).toContain('cannot create the cgroup')
  })

  it('has the host’s devices, its own network, and seccomp', () => {
    configure((config) => {
      const changed = shell('echo x > /dev/null; head -c 4 /dev/zero | wc -c; ip a; mkdir /tmp/d')(
        config,
      )
      const namespaces = [...(config.linux?.namespaces ?? []), { type: 'network' as const }]
      const seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
      } as const
      return { ...changed, linux: { ...changed.linux, namespaces, seccomp } }
    })
    const { stdout, stderr } = user.run(tsrun('run', '--no-pivot', '-b', bundle, 'c'))
    expect(stdout).toContain('4\n1: lo: <LOOPBACK,UP')
    expect(stderr).toContain('Operation not permitted')
  })

  it('raises the OOM score, and cannot lower it', () => {
    configure((config) =>
      withProcess(shell('cat /proc/self/oom_score_adj')(config), { oomScoreAdj: 1000 }),
    )
    expect(output()).toBe('1000\n')
    configure((config) => withProcess(config, { oomScoreAdj: -1000 }))
    expect(refusal()).toContain('lowering oom_score_adj needs CAP_SYS_RESOURCE')
  })

  it('joins the namespaces of another container of the user', () => {
    configure(command('sleep', '1000'))
    const first = tsrun('run', '-d', '-b', bundle, 'first')
    user.succeed(['sh', '-c', '"$@" </dev/null >/dev/null 2>&1', 'sh', ...first])
    try {
      const { pid } = JSON.parse(user.succeed(tsrun('state', 'first')))
      configure((config) => joining(shell('id -u; ps')(config), pid))
      expect(output()).toMatch(/^0\n.*1 root .*sleep 1000/s)
    } finally {
      user.succeed(tsrun('delete', '--force', 'first'))
    }
  })

  it('gives it a terminal', async () => {
    configure((config) =>
      withProcess(shell('tty; read line; echo "got $line"')(config), { terminal: true }),
    )
    const terminal = new Terminal(terminalWords())
    await terminal.shows('/dev/pts/0')
    terminal.type('words\r')
    await terminal.shows('got words')
    expect(await terminal.end()).toBe(0)
  })
})

function terminalWords(): readonly string[] {
  const [unshare, ...words] = user.commandLine(tsrun('run', '-b', bundle, 'c'))
  return [execFileSync('which', [unshare], { encoding: 'utf8' }).trim(), ...words]
}

function withoutUser(config: RuntimeConfig): RuntimeConfig {
  const { linux: { uidMappings: _uids, gidMappings: _gids, ...linux } = {} } = config
  return withoutNamespace({ ...config, linux }, 'user')
}

function joining(config: RuntimeConfig, pid: number): RuntimeConfig {
  const {
    linux: { uidMappings: _uids, gidMappings: _gids, ...linux } = {},
    hostname: _,
    ...rest
  } = config
  const files: Readonly<Record<string, string>> = {
    user: 'user',
    pid: 'pid',
    ipc: 'ipc',
    uts: 'uts',
  }
  const namespaces = (linux.namespaces ?? []).map((namespace) => {
    const file = files[namespace.type]
    return file === undefined ? namespace : { ...namespace, path: `/proc/${pid}/ns/${file}` }
  })
  return { ...rest, linux: { ...linux, namespaces } }
}
