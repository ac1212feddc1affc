/** Golden plans: the text of `tsrun explain` for the default config and for each concern alone. */
import { describe, expect, test } from 'vitest'
import { beginCreate, compileCreate } from '../../../src/plan/compile-create.ts'
import { compileExec } from '../../../src/plan/compile-exec.ts'
import { formatPlan } from '../../../src/plan/format-plan.ts'
import {
  FEATURES,
  type Golden,
  OPTIONS,
  SMALL,
  testGoldenPlans,
} from '../../support/golden-plan.ts'

const CASES: readonly Golden[] = [
  { name: 'small' },
  {
    name: 'supervised',
    options: { supervise: true, gate: false },
    origins: ['launcher', 'gate', '/linux/namespaces'],
  },
  {
    name: 'tethered',
    options: { supervise: true, tethered: true, gate: false },
    origins: ['launcher', '/linux/namespaces'],
  },
  {
    name: 'namespaces',
    linux: {
      namespaces: [
        { type: 'mount' },
        { type: 'pid', path: '/proc/7/ns/pid' },
        { type: 'network', path: '/run/netns/blue' },
        { type: 'uts' },
        { type: 'ipc' },
        { type: 'cgroup' },
      ],
    },
    origins: ['/linux/namespaces', 'loopback'],
  },
  {
    name: 'user-namespace',
    linux: {
      namespaces: [{ type: 'mount' }, { type: 'pid' }, { type: 'user' }],
      uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
      gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
    },
    origins: ['/linux', 'sync mappings', 'default devices', '/process/user'],
  },
  {
    name: 'without-root',
    config: { mounts: [{ destination: '/data', source: '/host/dir', options: ['rbind'] }] },
    process: { oomScoreAdj: 100 },
    linux: {
      namespaces: [{ type: 'mount' }, { type: 'user' }, { type: 'pid', path: '/proc/7/ns/pid' }],
      uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
    },
    options: { features: { ...FEATURES, makesDevices: false, rootless: true } },
    origins: ['launcher', '/linux', 'sync mappings', '/mounts', '/process/oomScoreAdj'],
  },
  {
    name: 'joined-user-namespace-without-root',
    linux: {
      namespaces: [
        { type: 'mount' },
        { type: 'pid', path: '/proc/7/ns/pid' },
        { type: 'user', path: '/proc/7/ns/user' },
      ],
    },
    options: { features: { ...FEATURES, makesDevices: false, rootless: true } },
    origins: ['/linux'],
  },
  {
    name: 'bind-mount-in-user-namespace',
    config: { mounts: [{ destination: '/data', source: '/host/dir', options: ['rbind', 'ro'] }] },
    linux: { namespaces: [{ type: 'mount' }, { type: 'user' }] },
    origins: ['source helper', '/mounts', 'launcher'],
  },
  {
    name: 'id-mapped-mounts',
    config: {
      mounts: [
        {
          destination: '/data',
          source: '/host/dir',
          options: ['rbind', 'ridmap'],
          uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
          gidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
        },
      ],
    },
    linux: { namespaces: [{ type: 'mount' }] },
    origins: ['/mounts'],
  },
  {
    name: 'tmpfs-copy-up',
    config: {
      mounts: [
        { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup', 'size=1m'] },
      ],
    },
    linux: { namespaces: [{ type: 'mount' }] },
    origins: ['/mounts', 'sync copyUp'],
  },
  {
    name: 'remount',
    config: {
      mounts: [
        { destination: '/a', options: ['remount', 'bind', 'ro', 'nosuid'] },
        { destination: '/b', type: 'ext4', options: ['remount', 'ro', 'commit=5'] },
      ],
    },
    linux: { namespaces: [{ type: 'mount' }] },
    origins: ['/mounts'],
  },
  {
    name: 'time-namespace',
    linux: {
      namespaces: [{ type: 'mount' }, { type: 'time' }],
      timeOffsets: { monotonic: { secs: 100, nanosecs: 5 } },
    },
    origins: ['/linux/namespaces', '/linux/timeOffsets'],
  },
  {
    name: 'cgroup-mount-without-cgroup-namespace',
    config: {
      mounts: [
        {
          destination: '/sys/fs/cgroup',
          type: 'cgroup',
          source: 'cgroup',
          options: ['nosuid', 'rw'],
        },
      ],
    },
    linux: { namespaces: [{ type: 'mount' }, { type: 'user' }] },
    options: { cgroupMount: '/sys/fs/cgroup/unified' },
    origins: ['/mounts'],
  },
  {
    name: 'cgroup',
    options: { cgroupPath: '/sys/fs/cgroup/golden' },
    origins: ['/linux/namespaces', '/linux/cgroupsPath'],
  },
  {
    name: 'cgroup-without-clone-into',
    options: {
      cgroupPath: '/sys/fs/cgroup/golden',
      features: { ...FEATURES, cloneIntoCgroup: false },
    },
    origins: ['/linux/namespaces', 'sync'],
  },
  {
    name: 'mounts',
    linux: { namespaces: [{ type: 'mount' }, { type: 'cgroup' }] },
    config: {
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        {
          destination: '/tmp',
          type: 'tmpfs',
          source: 'tmpfs',
          options: ['nosuid', 'ro', 'size=1m', 'mode=1777'],
        },
        {
          destination: '/sys/fs/cgroup',
          type: 'cgroup',
          source: 'cgroup',
          options: ['ro', 'nosuid'],
        },
        {
          destination: '/deep/er',
          type: 'bind',
          source: '/host/dir',
          options: ['rbind', 'rro', 'rprivate'],
        },
        {
          destination: '/etc/hosts',
          source: 'hosts',
          options: ['bind', 'ro', 'noatime', 'shared'],
        },
        { destination: '/img', type: 'ext4', source: '/dev/vdb', options: ['ro', 'sync'] },
      ],
    },
    origins: ['/mounts', '/root/readonly'],
  },
  {
    name: 'overlay-with-many-layers',
    config: {
      mounts: [
        {
          destination: '/data',
          type: 'overlay',
          source: 'overlay',
          options: [
            `lowerdir=${Array.from({ length: 12 }, (_, i) => `/layers/${String(i).repeat(20)}`).join(':')}`,
          ],
        },
      ],
    },
    origins: ['/mounts'],
  },
  {
    name: 'readonly-root',
    config: { root: { path: 'rootfs', readonly: true } },
    origins: ['/root'],
  },
  {
    name: 'no-pivot',
    options: { noPivot: true, wholeMounts: ['/proc', '/sys'] },
    origins: ['/root'],
  },
  {
    name: 'rootfs-propagation',
    linux: { namespaces: [{ type: 'mount' }], rootfsPropagation: 'rshared' },
    origins: ['/root', '/linux/rootfsPropagation'],
  },
  {
    name: 'devices',
    linux: {
      namespaces: [{ type: 'mount' }],
      devices: [
        { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o660, uid: 1, gid: 2 },
        { path: '/dev/net/tun', type: 'c', major: 10, minor: 200 },
        { path: '/dev/sdb', type: 'b', major: 8, minor: 16 },
        { path: '/dev/pipe', type: 'p' },
      ],
    },
    origins: ['/linux/devices', 'default'],
  },
  {
    name: 'masked-and-readonly-paths',
    linux: {
      namespaces: [{ type: 'mount' }],
      maskedPaths: ['/proc/kcore', '/sys/firmware', '/proc/kcore'],
      readonlyPaths: ['/proc/sys'],
    },
    origins: ['/linux/maskedPaths', '/linux/readonlyPaths'],
  },
  {
    name: 'sysctl',
    linux: {
      namespaces: [{ type: 'mount' }, { type: 'network' }],
      sysctl: { 'net.ipv4.ip_forward': '1', 'net/ipv4/conf/eth0.1/forwarding': '1' },
    },
    origins: ['/linux/sysctl'],
  },
  {
    name: 'hostname',
    config: { hostname: 'web', domainname: 'example.org' },
    origins: ['/hostname', '/domainname'],
  },
  {
    name: 'terminal',
    process: { terminal: true, consoleSize: { height: 24, width: 80 } },
    options: { console: true },
    origins: ['/process/terminal', '/process/consoleSize'],
  },
  {
    name: 'rlimits',
    process: {
      rlimits: [
        { type: 'RLIMIT_NOFILE', soft: 1024, hard: 4096 },
        { type: 'RLIMIT_CORE', soft: 2 ** 64, hard: 2 ** 64 },
      ],
    },
    origins: ['/process/rlimits'],
  },
  {
    name: 'capabilities',
    process: {
      capabilities: {
        bounding: ['CAP_KILL', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT'],
        permitted: ['CAP_KILL', 'CAP_NET_BIND_SERVICE'],
        effective: ['CAP_KILL'],
        inheritable: ['CAP_NET_BIND_SERVICE'],
        ambient: ['CAP_NET_BIND_SERVICE'],
      },
    },
    origins: ['/process/capabilities'],
  },
  {
    name: 'credentials',
    process: {
      cwd: '/srv',
      user: { uid: 1000, gid: 1001, additionalGids: [10, 20], umask: 0o77 },
      noNewPrivileges: true,
      oomScoreAdj: 100,
    },
    origins: [
      '/process/user',
      '/process/cwd',
      '/process/noNewPrivileges',
      '/process/oomScoreAdj',
      'keyring',
    ],
  },
  {
    name: 'seccomp-without-no-new-privileges',
    process: {
      capabilities: { bounding: ['CAP_KILL'], permitted: ['CAP_KILL'], effective: ['CAP_KILL'] },
    },
    options: { seccomp: { program: Buffer.alloc(24), flags: 2 } },
    origins: ['/linux/seccomp', '/process/capabilities'],
  },
  {
    name: 'seccomp-with-no-new-privileges',
    process: { noNewPrivileges: true },
    options: { seccomp: { program: Buffer.alloc(24), flags: 0 } },
    origins: ['/linux/seccomp', '/process/noNewPrivileges', '/process/args'],
  },
  {
    name: 'hooks',
    config: {
      hooks: {
        createRuntime: [{ path: '/host/net' }],
        createContainer: [{ path: '/host/hook', args: ['hook', 'now'], env: ['A=1'], timeout: 3 }],
        startContainer: [{ path: '/inside' }],
      },
    },
    origins: ['/hooks', 'sync hooks'],
  },
  {
    name: 'executable-lookup',
    process: { args: ['server', '--port', '80'], env: ['PATH=/usr/bin:/bin', 'LANG=C'] },
    origins: ['/process/args'],
  },
  {
    name: 'preserved-descriptors',
    options: { preservedFds: 2 },
    origins: ['descriptors', 'launcher', ''],
  },
]

describe('compileCreate() golden plans', () => testGoldenPlans(CASES))

describe('compileExec() golden plans', () => {
  test('exec joins by pidfd', async () => {
    const plan = compileExec(
      { cwd: '/', args: ['/bin/id'], env: [], user: { uid: 5, gid: 6 } },
      SMALL,
      { ...OPTIONS, cgroup: true, joinFlags: 0x02000000 | 0x20000 | 0x20000000 },
    )
    await expect(formatPlan(plan)).toMatchFileSnapshot('../../golden/exec.txt')
  })
})

describe('compileCreate() refusals', () => {
  test('a mount option that is not done yet is refused by name', () => {
    const config = {
      ...SMALL,
      mounts: [{ destination: '/x', type: 'bind', options: ['src-nofollow'] }],
    }
    expect(() => compileCreate(config, OPTIONS)).toThrow(
      'unsupported: mounts[0].options "src-nofollow" (/x)',
    )
  })

  test.each(['upperdir', 'lowerdir'])('a value of %s that the kernel does not take', (key) => {
    const options = [`${key}=/${'x'.repeat(255)}`]
    const config = {
      ...SMALL,
      mounts: [{ destination: '/x', type: 'overlay', source: 'overlay', options }],
    }
    expect(() => compileCreate(config, OPTIONS)).toThrow(
      `cannot mount a file system with the option ${key}: its value is longer than 255 bytes`,
    )
  })

  test('a container without a mount namespace is refused by name', () => {
    const config = { ...SMALL, linux: { namespaces: [] } }
    expect(() => compileCreate(config, OPTIONS)).toThrow(
      'unsupported: a container without a mount namespace',
    )
  })
})

describe('beginCreate()', () => {
  test('of a launcher that waits for the next container', async () => {
    const { plan } = beginCreate(
      { ociVersion: '1.3.0', linux: { namespaces: [{ type: 'network' }] } },
      { ...OPTIONS, gate: false, supervise: true, standby: true },
    )
    await expect(formatPlan(plan)).toMatchFileSnapshot('../../golden/standby.txt')
  })
})
