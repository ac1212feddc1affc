import { describe, expect, it } from 'vitest'
import { examineHost } from '../../../../src/engine/doctor/examine.ts'
import type { HostReader } from '../../../../src/engine/doctor/host-reader.ts'
import { idsIn } from '../../../../src/engine/doctor/id-verdicts.ts'
import type { Verdict } from '../../../../src/engine/doctor/verdict.ts'
import { TsrunError } from '../../../../src/errors.ts'

const CGROUP2 = '30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n'

const FILES: Readonly<Record<string, string>> = {
  '/proc/self/mountinfo': CGROUP2,
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n',
  '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers':
    'cpuset cpu io memory pids\n',
  '/proc/sys/kernel/seccomp/actions_avail':
    'kill_process kill_thread trap errno user_notif trace\n',
  '/sys/module/apparmor/parameters/enabled': 'Y\n',
  '/proc/sys/user/max_user_namespaces': '60000\n',
  '/proc/filesystems': 'nodev\tproc\nnodev\toverlay\n\text4\n',
  '/lib/modules/6.1.0/modules.builtin': 'kernel/net/netfilter/nf_tables.ko\n',
  '/proc/sys/net/ipv4/ip_forward': '1\n',
  '/proc/sys/fs/inotify/max_user_instances': '1024\n',
  '/proc/sys/fs/inotify/max_user_watches': '524288\n',
  '/proc/sys/kernel/keys/root_maxkeys': '1000000\n',
  '/proc/sys/kernel/keys/maxkeys': '20000\n',
  '/etc/subuid': 'ann:100000:65536\n',
  '/etc/subgid': 'ann:100000:65536\n',
}

interface Changes {
  readonly files?: Readonly<Record<string, string | undefined>>
  readonly programs?: readonly string[]
  readonly host?: Partial<HostReader>
}

function host({ files, programs, host }: Changes = {}): HostReader {
  const all: Readonly<Record<string, string | undefined>> = { ...FILES, ...files }
  return {
    kernelRelease: '6.1.0',
    isRoot: true,
    uid: 0,
    user: 'root',
    dataRoot: '/var/lib/tsrun',
    env: {},
    read: (path) => all[path],
    exists: (path) => path === '/proc/self/ns/user' || path === '/dev/net/tun' || path in all,
    find: (program) =>
      (programs ?? ['criu', 'pasta', 'newuidmap', 'newgidmap']).includes(program)
        ? `/usr/bin/${program}`
        : undefined,
    mode: () => 0o104755,
    disk: () => ({ type: 0xef53, totalBytes: 1e12, freeBytes: 5e11, files: 1e6, freeFiles: 9e5 }),
    checkKernel: () => {},
    ...host,
  }
}

const ANN: Partial<HostReader> = { isRoot: false, uid: 1000, user: 'ann' }

function bad(changes: Changes): Verdict[] {
  return examineHost(host(changes)).filter(({ status }) => status !== 'ok')
}

describe('examineHost()', () => {
  it('finds nothing wrong with a good host, for root and for a user', () => {
    expect(bad({})).toEqual([])
    expect(bad({ host: ANN })).toEqual([])
  })

  it.each<[string, Changes, string, string, RegExp]>([
    ['memfd', { files: { '/proc/sys/vm/memfd_noexec': '2\n' } }, 'memfd', 'fail', /memfd_noexec=1/],
    ['cgroup v1', { files: { '/proc/self/mountinfo': '' } }, 'cgroup', 'fail', /cgroup2/],
    [
      'controllers',
      { files: { '/sys/fs/cgroup/cgroup.controllers': 'cpu\n' } },
      'cgroup',
      'warn',
      /controllers/,
    ],
    [
      'userns',
      { files: { '/proc/sys/user/max_user_namespaces': '0\n' } },
      'userns',
      'warn',
      /=15000/,
    ],
    [
      'Ubuntu',
      { files: { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1\n' } },
      'userns',
      'warn',
      /userns,/,
    ],
    ['overlay', { files: { '/proc/filesystems': '' } }, 'overlayfs', 'fail', /modprobe overlay/],
    ['criu', { programs: ['pasta'] }, 'criu', 'warn', /install criu/],
    [
      'bridge',
      { files: { '/proc/sys/net/bridge/bridge-nf-call-iptables': '1\n' } },
      'br_netfilter',
      'warn',
      /iptables=0/,
    ],
    [
      'keys',
      { files: { '/proc/sys/kernel/keys/root_maxkeys': '200\n' } },
      'keyrings',
      'warn',
      /20000/,
    ],
    ['subuid', { files: { '/etc/subuid': '' }, host: ANN }, 'subuid', 'warn', /--add-subuids/],
    [
      'pasta',
      { programs: ['criu', 'newuidmap', 'newgidmap'], host: ANN },
      'pasta',
      'warn',
      /passt/,
    ],
    [
      'delegation',
      {
        files: {
          '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers':
            'pids\n',
        },
        host: ANN,
      },
      'delegation',
      'warn',
      /Delegate=cpu memory pids io cpuset/,
    ],
  ])('tells the remedy for %s', (_, changes, check, status, remedy) => {
    expect(bad(changes)).toEqual([expect.objectContaining({ check, status })])
    expect(bad(changes)[0]?.remedy).toMatch(remedy)
  })

  it('fails on a kernel without the system calls and on a full or foreign disk', () => {
    const checkKernel = () => {
      throw new TsrunError('failed-precondition', 'it has no openat2(2)')
    }
    const disk = { type: 0xef53, totalBytes: 1e12, freeBytes: 1e6, files: 0, freeFiles: 0 }
    expect(bad({ host: { checkKernel } })[0]).toMatchObject({ check: 'kernel', status: 'fail' })
    expect(bad({ host: { disk: () => disk } })).toMatchObject([{ check: 'disk', status: 'fail' }])
    const overlay = { ...disk, type: 0x794c7630, freeBytes: 1e12 }
    expect(bad({ host: { disk: () => overlay } })).toMatchObject([
      { check: 'overlayfs', status: 'fail' },
      { check: 'idmapped mounts', status: 'warn' },
    ])
  })
})

describe('idsIn()', () => {
  it('adds up the ranges of a user and ignores what is none', () => {
    const text = 'ann:1000:10\nbob:1:5\n1000:20:30\nann:x:9\nann\n\nann:1:2:3\n'
    expect(idsIn(text, ['ann', '1000'])).toBe(42)
  })
})
