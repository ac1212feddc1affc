/** The features document: what it names, a config.json may ask for (runtime-spec 1.3, features.md and features-linux.md). */
import { chmodSync, readlinkSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Features, LinuxFeatures } from '../../src/oci/features.ts'
import type { Linux, Mount, RuntimeConfig, Seccomp } from '../../src/oci/runtime-config.ts'
import { bind, inUserNamespace, probe, tmpfs } from '../support/mount-probe.ts'
import { type CommandResult, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { startSeccompAgent } from '../support/seccomp-agent.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('features')

let bundle: Bundle
let runtime: Runtime

// What the specification calls null is absent: the document is asked for all of it.
type AllOf<T> = { readonly [Key in keyof T]-?: AllOf<T[Key]> }

afterAll(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

/** What the container of `change` prints and how it ends. */
const run = (script: string, change: (config: RuntimeConfig) => RuntimeConfig): CommandResult =>
  probe(runtime, bundle, script, { change })

const withLinux =
  (fields: Partial<Linux>) =>
  (config: RuntimeConfig): RuntimeConfig => ({ ...config, linux: { ...config.linux, ...fields } })

const withSeccomp = (fields: Partial<Seccomp>) =>
  withLinux({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', ...fields } })

// crun 1.8 has no such command; runc 1.1 knows an older form of the document.
describe.each(['tsrun'] as const)('%s: features', (name) => {
  let features: Features
  let linux: AllOf<LinuxFeatures>

  beforeAll(() => {
    bundle = makeBundle()
    // Root of a user namespace is nobody to the host: it must get through to the root filesystem.
    chmodSync(bundle.directory, 0o711)
    runtime = makeRuntime(name)
    features = JSON.parse(runtime.succeed(['features']))
    linux = features.linux as AllOf<LinuxFeatures>
  })

  it('has values, no nulls in their place [features.md#features-structure/1]', () => {
    const nulls: string[] = []
    JSON.parse(JSON.stringify(features), (key, value: unknown) => {
      if (value === null) nulls.push(key)
      return value
    })
    expect(nulls).toEqual([])
  })

  it('names versions that a config may have, the higher one as the maximum [features.md#specification-version/1] [features.md#specification-version/2] [features.md#specification-version/3]', () => {
    const { ociVersionMin, ociVersionMax } = features
    for (const ociVersion of [ociVersionMin, ociVersionMax])
      expect(run('echo ran', (config) => ({ ...config, ociVersion })).stdout).toBe('ran\n')
    const [least = [], most = []] = [ociVersionMin, ociVersionMax].map((version) =>
      version.split('.').map(Number),
    )
    const first = least.findIndex((part, i) => part !== most[i])
    expect(first === -1 || Number(least[first]) < Number(most[first])).toBe(true)
  })

  it('has the properties of that version alone [features.md#specification-version/4]', () => {
    const known =
      'ociVersionMin ociVersionMax hooks mountOptions annotations potentiallyUnsafeConfigAnnotations linux'
    const knownOfLinux =
      'namespaces capabilities cgroup seccomp apparmor selinux memoryPolicy intelRdt mountExtensions netDevices'
    const knownOf = {
      cgroup: 'v1 v2 systemd systemdUser rdma',
      seccomp: 'enabled actions operators archs knownFlags supportedFlags',
      apparmor: 'enabled',
      selinux: 'enabled',
      memoryPolicy: 'modes flags',
      intelRdt: 'enabled schemata monitoring',
      mountExtensions: 'idmap',
      netDevices: 'enabled',
    }
    const others = (value: object, names: string): readonly string[] =>
      Object.keys(value).filter((key) => !names.split(' ').includes(key))
    expect(others(features, known)).toEqual([])
    expect(others(linux, knownOfLinux)).toEqual([])
    for (const [section, names] of Object.entries(knownOf))
      expect(others(Reflect.get(linux, section), names)).toEqual([])
  })

  it('has annotations with names and values that are texts [features.md#annotations/1]', () => {
    expect(Object.keys(features.annotations)).not.toContain('')
    for (const value of Object.values(features.annotations)) expect(value).toBeTypeOf('string')
  })

  // A file system that is handed a word which it does not know fails with EINVAL: what is mounted, the runtime knew.
  it('names mount options that it knows [features.md#mount-options/1]', () => {
    const mountOf = (option: string): Mount => {
      const destination = `/m/${option}`
      const ids = [{ containerID: 0, hostID: 1000, size: 1 }]
      const mapping = { uidMappings: ids, gidMappings: ids }
      if (option === 'bind' || option === 'rbind')
        return { destination, source: bundle.directory, options: [option] }
      if (option === 'idmap' || option === 'ridmap')
        return { ...bind(bundle.directory, destination, option), ...mapping }
      if (option === 'remount') return { destination: '/m/ro', options: ['remount', 'rw'] }
      return tmpfs(destination, option)
    }
    const options = [...features.mountOptions].sort((a, b) =>
      a === 'remount' ? 1 : b === 'remount' ? -1 : 0,
    )
    expect(options.length).toBeGreaterThan(60)
    const { stdout, stderr } = probe(runtime, bundle, 'cd /m && echo *', {
      mounts: options.map(mountOf),
    })
    expect(stderr).toBe('')
    const made = options.filter((option) => option !== 'remount').sort()
    expect(stdout.trim().split(' ').sort()).toEqual(made)
    expect(probe(runtime, bundle, 'true', { mounts: [tmpfs('/m', 'x-unheard')] }).status).toBe(1)
  })

  it('names namespaces that it makes [features-linux.md#namespaces/1]', () => {
    const files: Readonly<Record<string, string>> = { mount: 'mnt', network: 'net' }
    for (const type of linux.namespaces) {
      const file = files[type] ?? type
      const namespaces = [...new Set(['mount', type] as const)].map((kind) => ({ type: kind }))
      const { stdout, stderr } = run(`readlink /proc/self/ns/${file}`, (config) => {
        // A user namespace cannot do much without the others.
        if (type === 'user') return inUserNamespace(config)
        const { hostname: _needsUts, ...rest } = withLinux({ namespaces })(config)
        return rest
      })
      expect(stderr).toBe('')
      expect(stdout).toMatch(new RegExp(`^${file}:`))
      expect(stdout.trim()).not.toBe(readlinkSync(`/proc/self/ns/${file}`))
    }
  })

  it('names capabilities that it knows [features-linux.md#capabilities/1]', () => {
    const sets = ['bounding', 'permitted', 'effective', 'inheritable', 'ambient']
    const capabilities = Object.fromEntries(sets.map((set) => [set, linux.capabilities]))
    const { status, log } = run('true', (config) => withProcess(config, { capabilities }))
    expect({
      status,
      unknown: log.filter((line) => line.includes('no capability of Linux')),
    }).toEqual({ status: 0, unknown: [] })
    const other = { bounding: ['CAP_UNHEARD'] }
    const wrong = run('true', (config) => withProcess(config, { capabilities: other }))
    expect(wrong.log.join()).toContain('no capability of Linux is named')
  })

  it('names seccomp actions that it takes [features-linux.md#seccomp/1]', async () => {
    await using agent = startSeccompAgent({ errno: 123 })
    const outcome = {
      SCMP_ACT_ALLOW: '0',
      SCMP_ACT_LOG: '0',
      SCMP_ACT_ERRNO: 'not permitted',
      SCMP_ACT_TRACE: 'not implemented',
      SCMP_ACT_TRAP: '159',
      SCMP_ACT_KILL: '159',
      SCMP_ACT_KILL_THREAD: '159',
      SCMP_ACT_KILL_PROCESS: '159',
      SCMP_ACT_NOTIFY: 'No medium',
    }
    expect(Object.keys(outcome).sort()).toEqual([...linux.seccomp.actions].sort())
    for (const action of linux.seccomp.actions) {
      const listenerPath = action === 'SCMP_ACT_NOTIFY' ? { listenerPath: agent.path } : {}
      const syscalls = [{ names: ['mkdir', 'mkdirat'], action }]
      bundle.configure((config) =>
        withProcess(withSeccomp({ syscalls, ...listenerPath })(config), {
          args: ['sh', '-c', 'sh -c "exec mkdir /dev/shm/x" 2>&1; echo $?'],
        }),
      )
      const text = await outputOf(runtime, bundle)
      expect(`${action} ${text}`).toContain(Reflect.get(outcome, action))
    }
  })

  it('names seccomp operators that it takes [features-linux.md#seccomp/2]', () => {
    const refused = {
      SCMP_CMP_EQ: '700',
      SCMP_CMP_NE: '600 755',
      SCMP_CMP_LT: '600',
      SCMP_CMP_LE: '600 700',
      SCMP_CMP_GE: '700 755',
      SCMP_CMP_GT: '755',
      SCMP_CMP_MASKED_EQ: '600 700',
    }
    expect(Object.keys(refused).sort()).toEqual([...linux.seccomp.operators].sort())
    const script = `cd /dev/shm && touch x && for mode in 600 700 755; do
      chmod $mode x 2>/dev/null || echo $mode; done`
    for (const op of linux.seccomp.operators) {
      // MASKED_EQ: the bits of group and others are clear.
      const numbers = op === 'SCMP_CMP_MASKED_EQ' ? { value: 0o077, valueTwo: 0 } : { value: 0o700 }
      const rule = (names: readonly string[], index: number) => ({
        names,
        action: 'SCMP_ACT_ERRNO',
        args: [{ index, op, ...numbers }],
      })
      const syscalls = [rule(['chmod'], 1), rule(['fchmodat', 'fchmodat2'], 2)]
      const { stdout } = run(script, withSeccomp({ syscalls }))
      expect(`${op} ${stdout.trim().replaceAll('\n', ' ')}`).toBe(
        `${op} ${Reflect.get(refused, op)}`,
      )
    }
  })

  it('names seccomp architectures that it takes [features-linux.md#seccomp/3]', () => {
    for (const architecture of linux.seccomp.archs) {
      const { stdout, stderr } = run(
        'grep Seccomp: /proc/self/status',
        withSeccomp({
          architectures: [architecture],
          syscalls: [{ names: ['acct'], action: 'SCMP_ACT_ERRNO' }],
        }),
      )
      expect({ stdout, stderr }).toEqual({ stdout: 'Seccomp:\t2\n', stderr: '' })
    }
    const wrong = run('true', withSeccomp({ architectures: ['SCMP_ARCH_UNHEARD'] }))
    expect(wrong.status).toBe(1)
  })

  it('names seccomp flags that it takes [features-linux.md#seccomp/4] [features-linux.md#seccomp/5]', async () => {
    const { knownFlags, supportedFlags } = linux.seccomp
    expect(supportedFlags.filter((flag) => !knownFlags.includes(flag))).toEqual([])
    await using agent = startSeccompAgent('continue')
    for (const flag of knownFlags) {
      // How to wait for an agent is a matter of rules that have one.
      const waits = flag.includes('WAIT')
      const syscalls = [{ names: ['acct'], action: waits ? 'SCMP_ACT_NOTIFY' : 'SCMP_ACT_ERRNO' }]
      const listener = waits ? { listenerPath: agent.path } : {}
      const { stdout, stderr } = run(
        'grep Seccomp: /proc/self/status',
        withSeccomp({ flags: [flag], syscalls, ...listener }),
      )
      expect({ stdout, stderr }).toEqual({ stdout: 'Seccomp:\t2\n', stderr: '' })
    }
    expect(run('true', withSeccomp({ flags: ['SECCOMP_FILTER_FLAG_UNHEARD'] })).status).toBe(1)
  })

  it('names memory policies that it takes, with their flags [features-linux.md#memorypolicy/1] [features-linux.md#memorypolicy/2]', () => {
    const shown = {
      MPOL_DEFAULT: 'default',
      MPOL_PREFERRED: 'prefer:0',
      MPOL_BIND: 'bind:0',
      MPOL_INTERLEAVE: 'interleave:0',
      MPOL_LOCAL: 'local',
      MPOL_PREFERRED_MANY: 'prefer (many):0',
      MPOL_WEIGHTED_INTERLEAVE: 'weighted interleave:0',
    }
    const { modes, flags } = linux.memoryPolicy
    expect(Object.keys(shown).sort()).toEqual([...modes].sort())
    const policyOf = (memoryPolicy: NonNullable<Linux['memoryPolicy']>): string => {
      const script = 'while read -r address policy; do echo "$policy"; done < /proc/self/numa_maps'
      const { stdout, stderr } = run(script, withLinux({ memoryPolicy }))
      expect(stderr).toBe('')
      return stdout
    }
    for (const mode of modes) {
      const nodes = mode === 'MPOL_DEFAULT' || mode === 'MPOL_LOCAL' ? {} : { nodes: '0' }
      expect(policyOf({ mode, ...nodes })).toContain(`${Reflect.get(shown, mode)} `)
    }
    const ofFlag = {
      MPOL_F_STATIC_NODES: 'bind=static:0',
      MPOL_F_RELATIVE_NODES: 'bind=relative:0',
      MPOL_F_NUMA_BALANCING: 'bind',
    }
    expect(Object.keys(ofFlag).sort()).toEqual([...flags].sort())
    for (const flag of flags) {
      const policy = policyOf({ mode: 'MPOL_BIND', nodes: '0', flags: [flag] })
      expect(policy).toContain(Reflect.get(ofFlag, flag))
    }
  })

  it('says that mounts can have mappings, and they can [features-linux.md#mountextensions/1]', () => {
    expect(linux.mountExtensions.idmap.enabled).toBe(true)
    const ids = [{ containerID: 0, hostID: 1000, size: 1 }]
    const mount = { ...bind(bundle.directory, '/m', 'idmap'), uidMappings: ids, gidMappings: ids }
    const { stdout, stderr } = probe(runtime, bundle, 'stat -c %u:%g /m', { mounts: [mount] })
    expect({ stdout, stderr }).toEqual({ stdout: '1000:1000\n', stderr: '' })
  })
})

/** Without keeping an agent in this process from answering. */
function outputOf(from: Runtime, { directory }: Bundle): Promise<string> {
  return new Promise((resolve) => {
    const args = ['run', '--bundle', directory, ID]
    const child = from.start(args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
    child.on('close', () => resolve(text))
  })
}
