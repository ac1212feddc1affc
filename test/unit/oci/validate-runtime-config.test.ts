import { describe, expect, it } from 'vitest'
import { TsrunError } from '../../../src/errors.ts'
import {
  parseProcess,
  parseResources,
  parseRuntimeConfig,
  validateRuntimeConfig,
} from '../../../src/oci/validate-runtime-config.ts'

type Json = Record<string, unknown>

const NAMESPACES = ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type }))

function config(parts: { process?: Json; linux?: Json } & Json = {}): Json {
  const { process, linux, ...rest } = parts
  return {
    ociVersion: '1.0.2',
    root: { path: 'rootfs' },
    process: { cwd: '/', args: ['sh'], ...process },
    linux: { namespaces: NAMESPACES, ...linux },
    ...rest,
  }
}

function problemsOf(value: unknown): readonly string[] {
  return validateRuntimeConfig(value).map(({ pointer, message }) => `${pointer} ${message}`)
}

describe('validateRuntimeConfig()', () => {
  it('accepts a small config', () => {
    expect(problemsOf(config())).toEqual([])
  })

  it.each([null, undefined, 1, 'x', [], true])('refuses %j as a document', (value) => {
    expect(validateRuntimeConfig(value)).toHaveLength(1)
  })

  it('names every missing field of an empty document', () => {
    expect(problemsOf({})).toEqual(['/ociVersion is required', '/root is required'])
  })

  it('collects several problems in document order', () => {
    expect(problemsOf(config({ root: { path: '' }, process: { cwd: 'tmp', args: [] } }))).toEqual([
      '/root/path must not be empty',
      '/process/args must hold a command',
      '/process/cwd must be an absolute path, not "tmp"',
    ])
  })

  it.each(['1.0.0', '1.0.2-dev', '1.3.0', '1.2.1+dev', '1.99.0-rc.1'])(
    'accepts ociVersion %s',
    (ociVersion) => {
      expect(problemsOf(config({ ociVersion }))).toEqual([])
    },
  )

  it.each(['0.9.0', '2.0.0', '1', '1.0', 'v1.0.0', '', '1.0.0 ', '1.0.0\n', 3])(
    'refuses ociVersion %j',
    (ociVersion) => {
      expect(problemsOf(config({ ociVersion }))[0]).toMatch(/^\/ociVersion must be/)
    },
  )

  it.each<[string, Json, string]>([
    [
      'args item',
      { process: { args: ['a', 1] } },
      '/process/args/1 must be a string, not a number',
    ],
    ['args null item', { process: { args: [null] } }, '/process/args/0 must not be null'],
    ['args text', { process: { args: 'sh' } }, '/process/args must be an array, not a string'],
    ['NUL in args', { process: { args: ['a\0b'] } }, '/process/args/0 must not hold a NUL byte'],
    ['NUL in env', { process: { env: ['A=\0'] } }, '/process/env/0 must not hold a NUL byte'],
    [
      'terminal',
      { process: { terminal: 'yes' } },
      '/process/terminal must be true or false, not a string',
    ],
    [
      'uid -1',
      { process: { user: { uid: -1, gid: 0 } } },
      '/process/user/uid must be from 0 to 4294967294, not -1',
    ],
    [
      'uid 2^32-1',
      { process: { user: { uid: 4294967295 } } },
      '/process/user/uid must be from 0 to 4294967294, not 4294967295',
    ],
    [
      'uid 2^32',
      { process: { user: { uid: 4294967296 } } },
      '/process/user/uid must be from 0 to 4294967294, not 4294967296',
    ],
    [
      'uid fraction',
      { process: { user: { uid: 0.5 } } },
      '/process/user/uid must be a whole number, not 0.5',
    ],
    [
      'uid text',
      { process: { user: { uid: '0' } } },
      '/process/user/uid must be a whole number, not a string',
    ],
    [
      'umask',
      { process: { user: { umask: 0o1000 } } },
      '/process/user/umask must be from 0 to 511, not 512',
    ],
    [
      'gids',
      { process: { user: { additionalGids: [1, -2] } } },
      '/process/user/additionalGids/1 must be from 0 to 4294967294, not -2',
    ],
    [
      'oom',
      { process: { oomScoreAdj: 1001 } },
      '/process/oomScoreAdj must be from -1000 to 1000, not 1001',
    ],
    [
      'rlimit type',
      { process: { rlimits: [{ type: 'RLIMIT_X', hard: 1, soft: 1 }] } },
      '/process/rlimits/0/type must be a resource limit of Linux, not "RLIMIT_X"',
    ],
    [
      'rlimit order',
      { process: { rlimits: [{ type: 'RLIMIT_CPU', hard: 1, soft: 2 }] } },
      '/process/rlimits/0 has a soft limit 2 above its hard limit 1',
    ],
    ['mount', { mounts: [{ type: 'bind', source: 'x' }] }, '/mounts/0/destination is required'],
    [
      'mount options',
      { mounts: [{ destination: '/x', type: 'tmpfs', options: [1] }] },
      '/mounts/0/options/0 must be a string, not a number',
    ],
    [
      'mount mappings',
      { mounts: [{ destination: '/x', type: 'bind', uidMappings: [] }] },
      '/mounts/0 must have both uidMappings and gidMappings or neither',
    ],
    [
      'hook path',
      { hooks: { poststop: [{ path: 'true' }] } },
      '/hooks/poststop/0/path must be an absolute path, not "true"',
    ],
    [
      'hook timeout',
      { hooks: { prestart: [{ path: '/t', timeout: 0 }] } },
      '/hooks/prestart/0/timeout must be above 0 seconds, not 0',
    ],
    ['annotation', { annotations: { a: 1 } }, '/annotations/a must be a string, not a number'],
    [
      'namespace type',
      { linux: { namespaces: [{ type: 'net' }] } },
      '/linux/namespaces/0/type must be one of time, mount, cgroup, uts, ipc, user, pid, network, not "net"',
    ],
    [
      'namespace path',
      { linux: { namespaces: [{ type: 'pid', path: 'x' }] } },
      '/linux/namespaces/0/path must be an absolute path, not "x"',
    ],
    [
      'device type',
      { linux: { devices: [{ path: '/dev/x', type: 'z' }] } },
      '/linux/devices/0/type must be one of c, b, u, p, not "z"',
    ],
    [
      'device numbers',
      { linux: { devices: [{ path: '/dev/x', type: 'c', major: 1 }] } },
      '/linux/devices/0/minor is required',
    ],
    [
      'propagation',
      { linux: { rootfsPropagation: 'public' } },
      '/linux/rootfsPropagation must be one of private, rprivate, slave, rslave, shared, rshared, unbindable, runbindable, not "public"',
    ],
    [
      'masked path',
      { linux: { maskedPaths: ['proc'] } },
      '/linux/maskedPaths/0 must be an absolute path, not "proc"',
    ],
    [
      'seccomp',
      { linux: { seccomp: { defaultAction: 'ALLOW' } } },
      '/linux/seccomp/defaultAction must be one of SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY, not "ALLOW"',
    ],
    [
      'unified',
      { linux: { resources: { unified: { '../memory.max': '1' } } } },
      '/linux/resources/unified/..~1memory.max must be named by a cgroup file such as memory.high, not "../memory.max"',
    ],
    [
      'memory',
      { linux: { resources: { memory: { limit: '1g' } } } },
      '/linux/resources/memory/limit must be a whole number, not a string',
    ],
    [
      'device rule',
      { linux: { resources: { devices: [{ allow: true, access: 'rx' }] } } },
      '/linux/resources/devices/0/access must be made of r, w and m, not "rx"',
    ],
  ])('refuses a wrong %s', (_, parts, problem) => {
    expect(problemsOf(config(parts))).toContain(problem)
  })

  it('takes an access of all in a device rule that denies, not in one that allows', () => {
    const rule = (allow: boolean) => ({
      linux: { resources: { devices: [{ allow, access: 'rwa' }] } },
    })
    expect(problemsOf(config(rule(false)))).toEqual([])
    expect(problemsOf(config(rule(true)))[0]).toMatch(/must be made of r, w and m, not "rwa"/)
  })

  it('takes field names in other letter case, as Go decodes them, but no keys of maps', () => {
    const text = JSON.stringify({
      ...config({ Linux: { Sysctl: { 'Net.x': '1' } } }),
      Root: { Path: 'rootfs', READONLY: true },
      root: undefined,
      Annotations: { Root: 'kept', root: 'too' },
    })
    const { root, linux, annotations } = parseRuntimeConfig(text)
    expect(root).toEqual({ path: 'rootfs', readonly: true })
    expect(annotations).toEqual({ Root: 'kept', root: 'too' })
    expect(linux?.namespaces).toHaveLength(NAMESPACES.length)
    expect(problemsOf({ ...config(), root: { Path: 7 } })).toEqual([
      '/root/path must be a string, not a number',
    ])
  })

  it('prefers the exact name of a field to the same in other letter case', () => {
    const text = JSON.stringify({
      ...config(),
      root: { path: 'rootfs', readonly: true, Readonly: false },
    })
    expect(parseRuntimeConfig(text).root).toMatchObject({ readonly: true })
  })

  it('refuses duplicates', () => {
    const rlimit = { type: 'RLIMIT_CPU', hard: 1, soft: 1 }
    expect(problemsOf(config({ process: { rlimits: [rlimit, rlimit] } }))).toEqual([
      '/process/rlimits/1 sets RLIMIT_CPU a second time',
    ])
    expect(
      problemsOf(config({ linux: { namespaces: [{ type: 'pid' }, { type: 'pid' }] } })),
    ).toEqual(['/linux/namespaces/1 lists the pid namespace a second time'])
  })

  it('refuses what would change the host', () => {
    const linux = {
      namespaces: [{ type: 'pid' }],
      sysctl: { 'net.ipv4.ip_forward': '1', 'kernel.shmmax': '1', 'kernel.panic': '1' },
      maskedPaths: ['/proc/kcore'],
    }
    expect(problemsOf(config({ hostname: 'web', linux }))).toEqual([
      '/linux/sysctl/net.ipv4.ip_forward needs a namespace of type network in /linux/namespaces, or it would change the host',
      '/linux/sysctl/kernel.shmmax needs a namespace of type ipc in /linux/namespaces, or it would change the host',
      '/linux/sysctl/kernel.panic must not be set: it belongs to the host and to no namespace',
      '/linux/maskedPaths needs a mount namespace in /linux/namespaces, or it would change the host',
      '/hostname needs a uts namespace in /linux/namespaces, or it would rename the host',
    ])
  })

  it('takes sysctls of namespaces the container has or joins', () => {
    const linux = {
      namespaces: [{ type: 'network', path: '/proc/1/ns/net' }, { type: 'ipc' }, { type: 'mount' }],
      sysctl: { 'net/ipv4/conf/eth0.100/forwarding': '1', 'fs.mqueue.msg_max': '10' },
    }
    expect(problemsOf(config({ linux }))).toEqual([])
  })

  it.each(['net..x', 'net.ipv4/../../kernel/panic', 'net/../kernel/panic', '', '.', 'net.'])(
    'refuses sysctl name %j',
    (name) => {
      expect(problemsOf(config({ linux: { sysctl: { [name]: '1' } } }))).not.toEqual([])
    },
  )

  it('wants mappings with a new user namespace and none without', () => {
    const mapping = [{ containerID: 0, hostID: 1000, size: 1 }]
    expect(problemsOf(config({ linux: { uidMappings: mapping } }))).toEqual([
      '/linux/uidMappings needs a user namespace in /linux/namespaces',
    ])
    const namespaces = [...NAMESPACES, { type: 'user' }]
    expect(problemsOf(config({ linux: { namespaces, uidMappings: mapping } }))).toEqual([
      '/linux/gidMappings is required for a new user namespace',
    ])
    const joined = [...NAMESPACES, { type: 'user', path: '/proc/1/ns/user' }]
    expect(problemsOf(config({ linux: { namespaces: joined } }))).toEqual([])
  })

  it('refuses mappings that overlap or run over the last id', () => {
    const linux = {
      namespaces: [...NAMESPACES, { type: 'user' }],
      uidMappings: [
        { containerID: 0, hostID: 1000, size: 10 },
        { containerID: 9, hostID: 5000, size: 1 },
      ],
      gidMappings: [{ containerID: 0, hostID: 4294967290, size: 10 }],
    }
    expect(problemsOf(config({ linux }))).toEqual([
      '/linux/uidMappings/1 maps container ids that an earlier mapping maps',
      '/linux/gidMappings/0 must end below id 4294967295',
    ])
  })

  it('wants a new time namespace with offsets', () => {
    const timeOffsets = { monotonic: { secs: -1, nanosecs: 5 } }
    const joined = [...NAMESPACES, { type: 'time', path: '/proc/1/ns/time' }]
    const problem = '/linux/timeOffsets needs a new time namespace in /linux/namespaces'
    expect(problemsOf(config({ linux: { timeOffsets } }))).toEqual([problem])
    expect(problemsOf(config({ linux: { namespaces: joined, timeOffsets } }))).toEqual([problem])
    const fresh = [...NAMESPACES, { type: 'time' }]
    expect(problemsOf(config({ linux: { namespaces: fresh, timeOffsets } }))).toEqual([])
  })

  it('treats null as absent and inherited names as absent', () => {
    expect(problemsOf(config({ hooks: null, mounts: null, annotations: null }))).toEqual([])
    expect(problemsOf(JSON.parse('{"__proto__": {"ociVersion": "1.0.0"}}'))).toContain(
      '/ociVersion is required',
    )
  })

  it('tolerates unknown fields, odd env strings and unknown capabilities [config.md#extensibility/1]', () => {
    expect(
      problemsOf(
        config({ future: {}, process: { env: ['A'], capabilities: { bounding: ['CAP_X'] } } }),
      ),
    ).toEqual([])
  })
})

describe('parseRuntimeConfig()', () => {
  it('normalises relative destinations, nulls, empty namespace paths and the user', () => {
    const parsed = parseRuntimeConfig(
      JSON.stringify(
        config({
          mounts: [{ destination: 'data', type: 'tmpfs', source: null }],
          process: { user: {} },
          linux: { namespaces: [{ type: 'mount', path: '' }, { type: 'uts' }] },
        }),
      ),
    )
    expect(parsed.mounts).toEqual([{ destination: '/data', type: 'tmpfs' }])
    expect(parsed.process?.user).toEqual({ uid: 0, gid: 0 })
    expect(parsed.linux?.namespaces).toEqual([{ type: 'mount' }, { type: 'uts' }])
  })

  it('keeps 2^64-1 as a value above 2^53', () => {
    const text = JSON.stringify(config()).replace(
      '"args":["sh"]',
      '"args":["sh"],"rlimits":[{"type":"RLIMIT_CORE","hard":18446744073709551615,"soft":18446744073709551615}]',
    )
    expect(parseRuntimeConfig(text).process?.rlimits?.[0]?.hard).toBeGreaterThan(
      Number.MAX_SAFE_INTEGER,
    )
  })

  it.each(['', '{', 'null', '[]', '{"ociVersion":', '\0'])(
    'refuses %j with one sentence',
    (text) => {
      expect(() => parseRuntimeConfig(text)).toThrow(TsrunError)
      expect(() => parseRuntimeConfig(text)).toThrow(/^cannot (parse|use) "config\.json": /)
    },
  )

  it('names at most four problems', () => {
    const args = Array.from({ length: 100 }, () => 1)
    expect(() => parseRuntimeConfig(JSON.stringify(config({ process: { args } })))).toThrow(
      /\/process\/args\/3 must be a string, not a number; and 96 more$/,
    )
  })
})

describe('parseProcess()', () => {
  it('reads a process and refuses a wrong one by pointer', () => {
    expect(parseProcess('{"cwd":"/","args":["id"]}').args).toEqual(['id'])
    expect(() => parseProcess('{"args":["id"]}')).toThrow(
      'cannot use "process.json": /cwd is required',
    )
    expect(() => parseProcess('[]')).toThrow(TsrunError)
  })
})

describe('parseResources()', () => {
  it('reads resources and refuses wrong ones by pointer', () => {
    expect(parseResources('{"memory":{"limit":-1},"cpu":null}')).toEqual({ memory: { limit: -1 } })
    expect(() => parseResources('{"pids":{"limit":"1"}}')).toThrow(
      '/pids/limit must be a whole number',
    )
  })
})
