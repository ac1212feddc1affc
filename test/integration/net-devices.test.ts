/** linux.netDevices: interfaces of a "host" that is a network namespace of its own move into the container. */
import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { makeRuntime, type Runtime, TSRUN } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'

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

const HOST = [
  'ip link add tsrun0 type veth peer name peer0',
  'ip link add tsrun1 type veth peer name peer1',
  'ip link set tsrun0 mtu 1300 address 02:00:00:00:00:07 up',
  'ip link set peer0 up',
  'ip addr add 10.77.0.2/24 brd + dev tsrun0',
  'ip addr add 10.77.0.3/32 dev tsrun0',
  'ip addr add 169.254.9.9/16 scope link dev tsrun0',
  'ip addr add 10.77.0.9/24 valid_lft 100 preferred_lft 100 dev tsrun0',
  'ip addr add fd77::2/64 nodad dev tsrun0',
]

/** What `script` prints in a container with these devices, on a host made by HOST. */
function run(
  netDevices: NonNullable<NonNullable<RuntimeConfig['linux']>['netDevices']>,
  script: string,
  after = 'true',
) {
  bundle.configure((config) =>
    withProcess(
      { ...config, linux: { ...config.linux, netDevices } },
      { args: ['sh', '-c', script] },
    ),
  )
  const oci = `${TSRUN} oci --root ${runtime.root} run --bundle ${bundle.directory} net`
  const host = ['set -e', ...HOST, `status=0; ${oci} || status=$?`, after, 'exit $status'].join(
    '\n',
  )
  return spawnSync('unshare', ['-n', 'sh', '-c', host], { encoding: 'utf8', timeout: 60_000 })
}

describe('linux.netDevices', () => {
  it('moves an interface with its lasting addresses, renamed and up [config-linux.md#network-devices/1] [config-linux.md#network-devices/4] [config-linux.md#network-devices/5]', () => {
    const { stdout, stderr } = run(
      { tsrun0: { name: 'eth0' } },
      'ip -o addr show dev eth0; ip link show dev eth0',
    )
    expect(stderr).toBe('')
    expect(stdout).toContain('inet 10.77.0.2/24 brd 10.77.0.255 scope global eth0')
    expect(stdout).toContain('inet 10.77.0.3/32')
    expect(stdout).toContain('inet6 fd77::2/64')
    expect(stdout).not.toContain('169.254.9.9')
    expect(stdout).not.toContain('10.77.0.9')
    expect(stdout).toMatch(/<[^>]*\bUP\b[^>]*> mtu 1300/)
    expect(stdout).toContain('02:00:00:00:00:07')
  })

  it('keeps the name of the host, and numbers a template [config-linux.md#network-devices/3]', () => {
    const devices = { tsrun0: {}, tsrun1: { name: 'eth%d' } }
    const { stdout, stderr } = run(devices, 'cd /sys/class/net && echo *')
    expect({ stdout, stderr }).toEqual({ stdout: 'eth0 lo tsrun0\n', stderr: '' })
  })

  it('moves into a user namespace', () => {
    bundle.configure()
    const MAPPING = [{ containerID: 0, hostID: 100000, size: 65536 }]
    spawnSync('chmod', ['711', bundle.directory])
    const script = 'ip -o addr show dev tsrun0'
    bundle.configure((config) =>
      withProcess(
        {
          ...config,
          linux: {
            ...config.linux,
            namespaces: [...(config.linux?.namespaces ?? []), { type: 'user' }],
            uidMappings: MAPPING,
            gidMappings: MAPPING,
            netDevices: { tsrun0: {} },
          },
        },
        { args: ['sh', '-c', script] },
      ),
    )
    const oci = `${TSRUN} oci --root ${runtime.root} run --bundle ${bundle.directory} net`
    const host = ['set -e', ...HOST, oci].join('\n')
    const { stdout, stderr } = spawnSync('unshare', ['-n', 'sh', '-c', host], { encoding: 'utf8' })
    expect(stderr).toBe('')
    expect(stdout).toContain('inet 10.77.0.2/24')
  })

  it.each([
    [{ nowhere: {} }, 'into the container: the host has no such interface'],
    [
      { tsrun0: { name: 'lo' } },
      'the container has an interface lo already; hint: give linux.netDevices.tsrun0.name',
    ],
    [{ lo: { name: 'lo1' } }, 'into the container: EINVAL'],
    [{ tsrun0: { name: 'eth%s' } }, '/linux/netDevices/tsrun0/name must be the name'],
  ])(
    'refuses %j, and leaves the host as it was [config-linux.md#network-devices/2] [runtime.md#errors/1]',
    (devices, message) => {
      const { status, stderr, stdout } = run(
        devices,
        'true',
        'cd /sys/class/net; ip -o addr show dev tsrun0',
      )
      expect(status).toBe(1)
      expect(stderr).toContain(message)
      expect(stdout).toContain('10.77.0.2/24')
    },
  )
})
