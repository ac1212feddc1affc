/** linux.rootfsPropagation and the propagation options of single mounts; peers run the same cases. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { bind, type Probe, probe } from '../support/mount-probe.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'

let bundle: Bundle
let runtime: Runtime
let volume: string

function setUp(name: Runtime['name']): void {
  bundle = makeBundle()
  runtime = makeRuntime(name)
  volume = join(bundle.directory, 'volume')
  mkdirSync(volume)
}
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

/** The optional fields of a mount's line: `shared`, `master`, both, `unbindable`, or nothing. */
const propagationOf = (destination: string): string =>
  `awk '$5 == "${destination}" { for (i = 7; $i != "-"; i++) { sub(":.*", "", $i); print $i } }' /proc/self/mountinfo`

/** A host whose mounts are shared, as systemd makes them, with a volume that is a mount. */
const sharedHost = (after: string): NonNullable<Probe['options']> => ({
  mountNamespace: {
    before: `mount --make-rshared /; mount -t tmpfs volume ${volume}; mkdir ${volume}/sub`,
    after,
  },
})

const withRootPropagation =
  (rootfsPropagation: string) =>
  (config: RuntimeConfig): RuntimeConfig => ({
    ...config,
    linux: { ...config.linux, rootfsPropagation },
  })

describe.each(installedRuntimes())('%s', (name) => {
  // It applies rootfsPropagation, rprivate when absent, to every mount in the end.
  const overrides = name === 'crun'
  beforeEach(() => setUp(name))

  it.skipIf(overrides).each([
    ['rprivate', ''],
    ['private', ''],
    ['rslave', 'master\n'],
    ['slave', 'master\n'],
    ['rshared', 'shared\nmaster\n'],
    ['shared', 'shared\nmaster\n'],
    ['unbindable', 'unbindable\n'],
    ['runbindable', 'unbindable\n'],
  ])('a bind mount with %s', (option, expected) => {
    const result = probe(runtime, bundle, propagationOf('/data'), {
      mounts: [bind(volume, '/data', option)],
      options: sharedHost(':'),
    })
    expect(result).toMatchObject({ status: 0, stdout: expected })
  })

  // runc 1.1 does not share the root.
  it.skipIf(name === 'runc').each(['shared', 'rshared'])(
    'rootfsPropagation %s shares the root',
    (propagation) => {
      const result = probe(runtime, bundle, propagationOf('/'), {
        change: withRootPropagation(propagation),
        options: sharedHost(':'),
      })
      expect(result).toMatchObject({ status: 0, stdout: 'shared\n' })
    },
  )

  it.each(['rshared', 'shared', 'rslave', 'slave', 'rprivate', 'private'])(
    'rootfsPropagation %s leaves no mount on the host',
    (propagation) => {
      const result = probe(runtime, bundle, 'true', {
        change: withRootPropagation(propagation),
        options: sharedHost(`grep -c ' ${bundle.rootfs}' /proc/self/mountinfo`),
      })
      expect(result).toMatchObject({ status: 0, stdout: '0\n' })
    },
  )

  it('a shared volume of a container with shared propagation shows its mounts to the host', () => {
    const result = probe(runtime, bundle, 'mount -t tmpfs inner /data/sub', {
      mounts: [bind(volume, '/data', 'rshared')],
      capabilities: ['CAP_SYS_ADMIN'],
      change: withRootPropagation('rshared'),
      options: sharedHost(`grep -c ' ${volume}/sub .* inner ' /proc/self/mountinfo`),
    })
    expect(result).toMatchObject({ status: 0, stdout: '1\n' })
  })

  it('a shared volume of any other container does not', () => {
    const result = probe(runtime, bundle, 'mount -t tmpfs inner /data/sub', {
      mounts: [bind(volume, '/data', 'rshared')],
      capabilities: ['CAP_SYS_ADMIN'],
      options: sharedHost(`grep -c ' ${volume}/sub .* inner ' /proc/self/mountinfo`),
    })
    expect(result).toMatchObject({ status: 0, stdout: '0\n' })
  })

  it.skipIf(overrides)('a slave volume shows what the host mounts there later', () => {
    const script =
      'for i in $(seq 500); do grep -q " /data/sub " /proc/mounts && break; sleep 0.01; done; ls /data/sub'
    const prepared = join(bundle.directory, 'prepared')
    mkdirSync(join(prepared, 'seen'), { recursive: true })
    const result = probe(runtime, bundle, script, {
      mounts: [bind(volume, '/data', 'rslave')],
      options: {
        mountNamespace: {
          before: `${sharedHost(':').mountNamespace?.before}
            { while [ ! -e ${bundle.rootfs}/ready ]; do sleep 0.01; done
              mount --bind ${prepared} ${volume}/sub; } &`,
        },
      },
      change: (config) => ({
        ...config,
        process: { cwd: '/', ...config.process, args: ['sh', '-c', `touch /ready; ${script}`] },
      }),
    })
    expect(result.stdout).toBe('seen\n')
  })

  it.skipIf(overrides)('rootfsPropagation rslave leaves a mount as its own option makes it', () => {
    const result = probe(runtime, bundle, propagationOf('/data'), {
      mounts: [bind(volume, '/data', 'shared')],
      change: withRootPropagation('rslave'),
      options: sharedHost(':'),
    })
    expect(result.stdout).toBe('shared\nmaster\n')
  })
})

describe('tsrun', () => {
  it.each(['unbindable', 'runbindable'])('takes the rootfsPropagation %s', (propagation) => {
    setUp('tsrun')
    const result = probe(runtime, bundle, propagationOf('/'), {
      mounts: [bind(volume, '/data')],
      change: withRootPropagation(propagation),
      options: sharedHost(':'),
    })
    expect(result).toMatchObject({ status: 0, stdout: 'unbindable\n' })
  })
})
