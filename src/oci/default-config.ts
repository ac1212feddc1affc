/** The config.json that `tsrun spec` prints: the same container as `runc spec` describes. */
import type { Linux, Mount, NamespaceType, RuntimeConfig } from './runtime-config.ts'

/** The version of runtime-spec that tsrun writes. */
export const OCI_VERSION = '1.3.0'

export interface DefaultConfigOptions {
  /** For a caller that is not root: a user namespace that maps only the caller, no network of its own. */
  readonly rootless?: boolean
  /** Effective ids of the caller, mapped to root in a rootless container. */
  readonly hostUid?: number
  readonly hostGid?: number
}

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']

/** Files of /proc and /sys that tell about or reach the host; config-linux.md "Masked Paths". */
export const SPEC_MASKED_PATHS: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/sys/firmware',
  '/proc/scsi',
]

/** Files of /proc that change the host when written; config-linux.md "Readonly Paths". */
export const SPEC_READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
]

/** A config that runs `sh` in `rootfs` beside it. */
export function defaultRuntimeConfig(options: DefaultConfigOptions = {}): RuntimeConfig {
  const rootless = options.rootless === true
  return {
    ociVersion: OCI_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: {
        bounding: CAPABILITIES,
        effective: CAPABILITIES,
        permitted: CAPABILITIES,
      },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'tsrun',
    mounts: defaultMounts(rootless),
    linux: defaultLinux(rootless, options.hostUid ?? 0, options.hostGid ?? 0),
  }
}

function defaultMounts(rootless: boolean): readonly Mount[] {
  const quiet = ['nosuid', 'noexec', 'nodev']
  return [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: [
        'nosuid',
        'noexec',
        'newinstance',
        'ptmxmode=0666',
        'mode=0620',
        // Group tty is not mapped in a rootless container.
        ...(rootless ? [] : ['gid=5']),
      ],
    },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: [...quiet, 'mode=1777', 'size=65536k'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: quiet },
    // A new sysfs needs a network namespace of the same user namespace; rootless has the host's.
    rootless
      ? { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', ...quiet, 'ro'] }
      : { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...quiet, 'ro'] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [...quiet, 'relatime', 'ro'],
    },
  ]
}

function defaultLinux(rootless: boolean, hostUid: number, hostGid: number): Linux {
  const types: readonly NamespaceType[] = rootless
    ? ['pid', 'ipc', 'uts', 'mount', 'cgroup', 'user']
    : ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup']
  return {
    ...(rootless
      ? {
          uidMappings: [{ containerID: 0, hostID: hostUid, size: 1 }],
          gidMappings: [{ containerID: 0, hostID: hostGid, size: 1 }],
        }
      : { resources: { devices: [{ allow: false, access: 'rwm' }] } }),
    namespaces: types.map((type) => ({ type })),
    maskedPaths: SPEC_MASKED_PATHS,
    readonlyPaths: SPEC_READONLY_PATHS,
  }
}
