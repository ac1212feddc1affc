/** User namespaces, joined namespaces and device rules, as a process inside sees them. */
import { chmodSync, readlinkSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('n')

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

const MAPPING = [{ containerID: 0, hostID: 100000, size: 65536 }]

function withUserNamespace(config: RuntimeConfig): RuntimeConfig {
  return {
    ...config,

    linux: {
      ...config.linux,
      namespaces: [...(config.linux?.namespaces ?? []), { type: 'user' }],
      uidMappings: MAPPING,
      gidMappings: MAPPING,
    },
  }
}

const run = (...args: readonly string[]) =>
  runtime.run(['run', ...args, '--bundle', bundle.directory, ID])

describe('a user namespace', () => {
  it('has the mappings of the config, for exec too', () => {
    // Root of the namespace is nobody to the host: it must get through to the root filesystem.
    chmodSync(bundle.directory, 0o711)
    const script = 'cat /proc/self/uid_map; id -u'
    bundle.configure((config) =>
      withProcess(withUserNamespace(config), { args: ['sh', '-c', script] }),
    )
    const { stdout, stderr } = run()
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^\s+0\s+100000\s+65536\n0\n$/)
    bundle.configure((config) =>
      withProcess(withUserNamespace(config), { args: ['sleep', '1000'] }),
    )
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    expect(runtime.succeed(['exec', ID, 'sh', '-c', script])).toMatch(/100000\s+65536\n0\n$/)
  })
})

describe('a namespace by path', () => {
  it('is joined, and exec goes there too [config-linux.md#namespaces/3]', () => {
    bundle.configure((config) =>
      withProcess(
        {
          ...config,
          linux: {
            ...config.linux,
            namespaces: (config.linux?.namespaces ?? []).map((namespace) =>
              namespace.type === 'network'
                ? { ...namespace, path: '/proc/self/ns/net' }
                : namespace,
            ),
          },
        },
        { args: ['sleep', '1000'] },
      ),
    )
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    const ours = readlinkSync('/proc/self/ns/net')
    expect(readlinkSync(`/proc/${runtime.state(ID).pid}/ns/net`)).toBe(ours)
    expect(runtime.succeed(['exec', ID, 'readlink', '/proc/self/ns/net'])).toBe(`${ours}\n`)
    const pid = runtime.succeed(['exec', ID, 'readlink', '/proc/1/ns/pid'])
    expect(pid).not.toBe(`${readlinkSync('/proc/self/ns/pid')}\n`)
  })

  it('of the wrong type is refused [config-linux.md#namespaces/4]', () => {
    bundle.configure((config) => ({
      ...config,
      linux: {
        ...config.linux,
        namespaces: (config.linux?.namespaces ?? []).map((namespace) =>
          namespace.type === 'network' ? { ...namespace, path: '/proc/self/ns/uts' } : namespace,
        ),
      },
    }))
    const result = run()
    expect(result.status).toBe(1)
    expect(result.stderr).toMatch(/linux\.namespaces\[\d\] \(network .*not a network namespace/)
  })
})

describe('device rules', () => {
  const configure = (resources: NonNullable<RuntimeConfig['linux']>['resources'], script: string) =>
    bundle.configure((config) =>
      withProcess(
        {
          ...config,
          linux: { ...config.linux, ...(resources === undefined ? {} : { resources }) },
        },
        {
          args: ['sh', '-c', script],
          capabilities: Object.fromEntries(
            ['bounding', 'effective', 'permitted'].map((set) => [set, ['CAP_MKNOD', 'CAP_SYSLOG']]),
          ),
        },
      ),
    )
  // /dev/kmsg: there on every host, and not of the default devices; reading it takes CAP_SYSLOG.
  const OPEN = 'mknod /dev/probe c 1 11 && echo made && exec 3</dev/probe && echo opened'

  it('deny what the config does not allow, even to who may make the node', () => {
    configure({ devices: [{ allow: false, access: 'rwm' }] }, OPEN)
    const { stdout, stderr } = run()
    expect(stdout).toBe('made\n')
    expect(stderr).toMatch(/not permitted/)
  })

  it('allow the default devices always', () => {
    configure(
      { devices: [{ allow: false, access: 'rwm' }] },
      'echo x >/dev/null && head -c 3 /dev/zero | wc -c',
    )
    expect(run()).toMatchObject({ status: 0, stdout: '3\n' })
  })

  it('allow what the config names', () => {
    const allow = { allow: true, type: 'c', major: 1, minor: 11, access: 'rwm' }
    configure({ devices: [{ allow: false, access: 'rwm' }, allow] }, OPEN)
    expect(run().stdout).toBe('made\nopened\n')
  })
})
