/** Damages config.json files: random edits of a valid one, and fields of the schema with wrong or rare values. */
import { defaultRuntimeConfig } from '../../src/oci/default-config.ts'
import type { Random } from './random-profiles.ts'

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }
type Path = readonly (string | number)[]

/** What any value may turn into. No text here names anything on the host that a container could spoil. */
const SCALARS: readonly Json[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  7,
  0.5,
  255,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  1e300,
  '',
  '.',
  '..',
  'a',
  '/mnt',
  '/mnt/deep/er',
  '../../../mnt',
  'relative/mnt',
  '/dev/shm',
  '/proc/sys',
  '/proc/self/fd',
  '/dev/null',
  '/tmp/link',
  'ro',
  'rw',
  'bind',
  'rbind',
  'noexec',
  'tmpfs',
  'proc',
  'a\nb',
  'a\0b',
  'ä'.repeat(100),
  'x'.repeat(5000),
  'CAP_SYS_ADMIN',
  'CAP_CHOWN',
  'CAP_NOPE',
  'RLIMIT_NPROC',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_ALLOW',
  'pid',
  'user',
  'network',
  'time',
  [],
  {},
  [null],
  [[]],
  { a: 1 },
  ['a', 'a'],
]

/** Optional fields of the specification with a value that is right, so that mutations reach them too. */
const FIELDS: readonly (readonly [Path, Json])[] = [
  [['domainname'], 'example.org'],
  [['annotations'], { 'org.example.key': 'value' }],
  [['process', 'oomScoreAdj'], 100],
  [['process', 'user'], { uid: 1000, gid: 1000, umask: 63, additionalGids: [10, 20] }],
  [['process', 'cwd'], '/tmp'],
  [['process', 'noNewPrivileges'], false],
  [['process', 'rlimits'], [{ type: 'RLIMIT_CORE', hard: 0, soft: 0 }]],
  [['process', 'capabilities', 'inheritable'], ['CAP_KILL']],
  [['process', 'capabilities'], { bounding: ['CAP_CHOWN', 'CAP_SETUID'] }],
  [['process', 'scheduler'], { policy: 'SCHED_BATCH', nice: 5 }],
  [['process', 'ioPriority'], { class: 'IOPRIO_CLASS_BE', priority: 4 }],
  [['process', 'execCPUAffinity'], { initial: '0', final: '0' }],
  [['process', 'apparmorProfile'], 'none-such'],
  [['process', 'selinuxLabel'], 'none-such'],
  [['root', 'readonly'], false],
  [['hooks'], { createRuntime: [{ path: '/bin/true', args: ['true'], timeout: 5 }] }],
  [['hooks'], { startContainer: [{ path: '/bin/true' }], poststop: [{ path: '/bin/true' }] }],
  [['hooks'], { createContainer: [{ path: '/bin/false' }] }],
  [['linux', 'uidMappings'], [{ containerID: 0, hostID: 100_000, size: 65_536 }]],
  [['linux', 'gidMappings'], [{ containerID: 0, hostID: 100_000, size: 65_536 }]],
  [['linux', 'sysctl'], { 'net.ipv4.ip_forward': '1' }],
  [['linux', 'sysctl'], { 'kernel.shmmax': '1000', 'fs.mqueue.msg_max': '20' }],
  [['linux', 'timeOffsets'], { monotonic: { secs: 10, nanosecs: 5 } }],
  [['linux', 'cgroupsPath'], '/tsrun-mutated/c'],
  [['linux', 'resources'], { pids: { limit: 10 } }],
  [['linux', 'resources'], { memory: { limit: 1 << 26 }, cpu: { shares: 100 } }],
  [
    ['linux', 'resources', 'devices'],
    [{ allow: true, type: 'c', major: 1, minor: 3, access: 'rw' }],
  ],
  [['linux', 'resources', 'unified'], { 'memory.high': '100000000' }],
  [['linux', 'devices'], [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 438 }]],
  [['linux', 'devices'], [{ path: '/dev/pipe', type: 'p' }]],
  [['linux', 'rootfsPropagation'], 'rslave'],
  [
    ['linux', 'maskedPaths'],
    ['/proc/keys', '/etc/passwd', '/none/such'],
  ],
  [
    ['linux', 'readonlyPaths'],
    ['/etc', '/tmp', '/none/such'],
  ],
  [['linux', 'personality'], { domain: 'LINUX32' }],
  [['linux', 'memoryPolicy'], { mode: 'MPOL_DEFAULT', nodes: '' }],
  [['linux', 'mountLabel'], 'none-such'],
  [['linux', 'intelRdt'], { closID: 'none' }],
  [['linux', 'netDevices'], { none0: { name: 'eth0' } }],
  [['linux', 'namespaces', 0], { type: 'time' }],
  [['linux', 'namespaces', 1], { type: 'user' }],
  [['linux', 'namespaces', 1], { type: 'network', path: '/proc/self/ns/net' }],
  [['linux', 'namespaces', 2], { type: 'ipc', path: '/proc/self/ns/uts' }],
  [
    ['linux', 'seccomp'],
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64'],
      syscalls: [{ names: ['getcwd', 'unheard_of'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
    },
  ],
  [
    ['mounts', 7],
    { destination: '/mnt', type: 'tmpfs', source: 'tmpfs', options: ['ro', 'nosuid'] },
  ],
  [
    ['mounts', 7],
    { destination: '/mnt/a/b', type: 'tmpfs', source: 'x', options: ['noexec', 'nodev'] },
  ],
  [
    ['mounts', 7],
    { destination: '/etc/passwd', type: 'bind', source: '/dev/null', options: ['bind', 'ro'] },
  ],
  [['mounts', 7], { destination: '/mnt', type: 'bind', source: '/dev', options: ['rbind', 'rro'] }],
]

/** A config whose program is `args`, with a few random edits; the same for the same `random`. */
export function mutatedConfig(random: Random, args: readonly string[]): Json {
  const original = defaultRuntimeConfig()
  let config: Json = JSON.parse(
    JSON.stringify({ ...original, process: { ...original.process, terminal: false, args } }),
  )
  for (let i = random.below(4); i > 0; i--) config = put(config, ...random.pick(FIELDS))
  for (let i = random.below(3); i > 0; i--) config = edit(config, random)
  return config
}

function edit(config: Json, random: Random): Json {
  const paths = pathsOf(config)
  const path = random.pick(paths)
  switch (random.below(6)) {
    case 0:
      return remove(config, path)
    case 1:
      return put(config, path, valueAt(config, random.pick(paths)) ?? null)
    case 2:
      return put(config, [...path.slice(0, -1), 'unknown'], random.pick(SCALARS))
    case 3: {
      const list = valueAt(config, path)
      return Array.isArray(list) ? put(config, path, [...list, ...list]) : config
    }
    default:
      return put(config, path, random.pick(SCALARS))
  }
}

function pathsOf(value: Json, path: Path = []): readonly Path[] {
  const here = path.length === 0 ? [] : [path]
  if (typeof value !== 'object' || value === null) return here
  const inner = Object.entries(value).flatMap(([name, child]) =>
    pathsOf(child, [...path, Array.isArray(value) ? Number(name) : name]),
  )
  return [...here, ...inner]
}

function valueAt(value: Json, path: Path): Json | undefined {
  return path.reduce<Json | undefined>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null ? Reflect.get(inner, name) : undefined,
    value,
  )
}

function put(value: Json, path: Path, wanted: Json): Json {
  const [name, ...rest] = path
  if (name === undefined) return wanted
  if (Array.isArray(value)) {
    const copy = [...value]
    const at = Math.min(Number(name) || 0, copy.length)
    copy[at] = put(copy[at] ?? {}, rest, wanted)
    return copy
  }
  const object = typeof value === 'object' && value !== null ? value : {}
  return { ...object, [name]: put(Reflect.get(object, name) ?? {}, rest, wanted) }
}

function remove(value: Json, path: Path): Json {
  const parent = valueAt(value, path.slice(0, -1))
  const name = path.at(-1)
  if (Array.isArray(parent))
    return put(
      value,
      path.slice(0, -1),
      parent.filter((_, i) => i !== name),
    )
  const { [String(name)]: _gone, ...others } = parent as Readonly<Record<string, Json>>
  return put(value, path.slice(0, -1), others)
}
