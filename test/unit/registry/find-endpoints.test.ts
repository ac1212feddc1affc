import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { formatReference, parseReference } from '../../../src/oci/reference.ts'
import {
  candidateReferences,
  endpointsToPull,
  endpointToPush,
} from '../../../src/registry/find-endpoints.ts'
import type { RegistryEndpoint } from '../../../src/registry/resolve-reference.ts'
import { createTempDir, type TempDir } from '../../support/temp-dir.ts'

let etc: TempDir

beforeEach(() => {
  etc = createTempDir('tsrun-etc-')
})
afterEach(() => etc[Symbol.dispose]())

function write(path: string, text: string): void {
  const whole = join(etc.path, path)
  mkdirSync(dirname(whole), { recursive: true })
  writeFileSync(whole, text)
}

/** `scheme[,scheme] host base/repository`, `unverified` and `mirror` where it is so. */
function show({
  schemes,
  host,
  basePath = '/v2',
  repository,
  verifyTls,
  isMirror,
}: RegistryEndpoint): string {
  const marks = [verifyTls ? '' : ' unverified', isMirror === true ? ' mirror' : ''].join('')
  return `${schemes.join(',')} ${host}${basePath}/${repository}${marks}`
}

async function pulls(name: string, verifyTls = true): Promise<string[]> {
  const options = { etc: etc.path, env: {}, verifyTls }
  return (await endpointsToPull(parseReference(name), options)).map(show)
}

const candidates = async (name: string): Promise<string[]> =>
  (await candidateReferences(name, { etc: etc.path, env: {} })).map(formatReference)

describe('endpointsToPull() without files', () => {
  it('asks the registry of the name', async () => {
    expect(await pulls('busybox')).toEqual(['https registry-1.docker.io/v2/library/busybox'])
    expect(await pulls('localhost:5000/a/b')).toEqual(['http,https localhost:5000/v2/a/b'])
    expect(await pulls('r.example/a', false)).toEqual(['https,http r.example/v2/a unverified'])
  })
})

describe('endpointsToPull() with registries.conf', () => {
  it('asks mirrors first, and the location instead of the name', async () => {
    write(
      'containers/registries.conf',
      `[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "mirror.example:5000/hub"
insecure = true
[[registry.mirror]]
location = "digests.example"
pull-from-mirror = "digest-only"
[[registry]]
prefix = "old.example/team"
location = "new.example/archive/team"
`,
    )
    expect(await pulls('busybox')).toEqual([
      'https,http mirror.example:5000/v2/hub/library/busybox unverified mirror',
      'https registry-1.docker.io/v2/library/busybox',
    ])
    expect(await pulls(`busybox@sha256:${'a'.repeat(64)}`)).toEqual([
      'https,http mirror.example:5000/v2/hub/library/busybox unverified mirror',
      'https digests.example/v2/library/busybox mirror',
      'https registry-1.docker.io/v2/library/busybox',
    ])
    expect(await pulls('old.example/team/app')).toEqual(['https new.example/v2/archive/team/app'])
    expect(await pulls('old.example/teams/app')).toEqual(['https old.example/v2/teams/app'])
    const push = await endpointToPush(parseReference('busybox'), { etc: etc.path, env: {} })
    expect(show(push)).toBe('https registry-1.docker.io/v2/library/busybox')
  })

  it('takes the longest prefix, wildcards and drop-ins, which win', async () => {
    write(
      'containers/registries.conf',
      '[[registry]]\nprefix = "*.example.org"\ninsecure = true\n[[registry]]\nprefix = "a.example.org/x"\nlocation = "long.example/x"\n[[registry]]\nlocation = "b.example"\nblocked = true\n',
    )
    write(
      'containers/registries.conf.d/50.conf',
      '[[registry]]\nlocation = "b.example"\ninsecure = true\n',
    )
    expect(await pulls('q.example.org/y')).toEqual(['https,http q.example.org/v2/y unverified'])
    expect(await pulls('a.example.org/x/y')).toEqual(['https long.example/v2/x/y'])
    expect(await pulls('b.example/y')).toEqual(['https,http b.example/v2/y unverified'])
  })

  it.each([
    [
      '[[registry]]\nlocation = "r.example"\nblocked = true\n',
      /cannot pull "r.example\/a:latest": registries.conf blocks r.example/,
    ],
    [
      '[registries.search]\nregistries = ["x"]\n',
      /it has the old format, with \[registries.search\]; hint|it has the old format/,
    ],
    ['[[registry]]\nblocked = true\n', /registry\[0\].prefix must be there/],
    ['[[registry]]\nlocation = 3\n', /registry\[0\].location must be a string/],
    [
      '[[registry]]\nlocation = "r.example"\n[[registry.mirror]]\nlocation = "m"\npull-from-mirror = "never"\n',
      /pull-from-mirror must be one of all, digest-only, tag-only/,
    ],
    ['= nonsense', /is not TOML/],
  ])('refuses %j in one sentence', async (text, message) => {
    write('containers/registries.conf', text)
    await expect(pulls('r.example/a')).rejects.toThrow(message)
  })
})

describe('candidateReferences()', () => {
  it('means Docker Hub when nobody says otherwise', async () => {
    expect(await candidates('busybox')).toEqual(['docker.io/library/busybox:latest'])
  })

  it('tries the registries of unqualified-search-registries in order, and aliases alone', async () => {
    write(
      'containers/registries.conf',
      'unqualified-search-registries = ["quay.io", "docker.io"]\n[aliases]\n"fedora" = "registry.fedoraproject.org/fedora"\n',
    )
    expect(await candidates('app:1')).toEqual(['quay.io/app:1', 'docker.io/library/app:1'])
    expect(await candidates('fedora:41')).toEqual(['registry.fedoraproject.org/fedora:41'])
    expect(await candidates('docker.io/app')).toEqual(['docker.io/library/app:latest'])
    expect(await candidates('localhost/app')).toEqual(['localhost/app:latest'])
  })
})

describe('endpointsToPull() with hosts.toml', () => {
  it('asks its hosts in order and then the server', async () => {
    write(
      'containerd/certs.d/docker.io/hosts.toml',
      `server = "https://docker.io"
[host."http://mirror.example:5000"]
  capabilities = ["pull", "resolve"]
[host."https://proxy.example/v2/hub"]
  override_path = true
  skip_verify = true
  capabilities = ["pull", "resolve"]
[host."https://push.example"]
  capabilities = ["push"]
`,
    )
    expect(await pulls('busybox')).toEqual([
      'http mirror.example:5000/v2/library/busybox mirror',
      'https proxy.example/v2/hub/library/busybox unverified mirror',
      'https registry-1.docker.io/v2/library/busybox',
    ])
    const push = await endpointToPush(parseReference('busybox'), { etc: etc.path, env: {} })
    expect(push.host).toBe('registry-1.docker.io')
  })

  it('refuses capabilities that it does not know and files that are not there', async () => {
    write('containerd/certs.d/r.example/hosts.toml', '[host."https://x"]\ncapabilities = ["fly"]\n')
    await expect(pulls('r.example/a')).rejects.toThrow(
      /host.https:\/\/x.capabilities must not have "fly"/,
    )
    write('containerd/certs.d/r.example/hosts.toml', 'ca = "none.crt"\n')
    await expect(pulls('r.example/a')).rejects.toThrow(/ca names none.crt, which is not there/)
  })
})

describe('certificates of certs.d', () => {
  it('come from the folder of the host alone', async () => {
    write('docker/certs.d/r.example:5000/ca.crt', 'CA')
    write('docker/certs.d/r.example:5000/client.cert', 'CERT')
    write('docker/certs.d/r.example:5000/client.key', 'KEY')
    const options = { etc: etc.path, env: {} }
    const [endpoint] = await endpointsToPull(parseReference('r.example:5000/a'), options)
    expect(endpoint?.certificates).toEqual({
      authorities: ['CA'],
      client: { certificate: 'CERT', key: 'KEY' },
    })
    const [other] = await endpointsToPull(parseReference('r.example/a'), options)
    expect(other?.certificates).toBeUndefined()
    write('containers/certs.d/s.example/client.cert', 'CERT')
    await expect(pulls('s.example/a')).rejects.toThrow(/there is no key client.key beside it/)
  })
})
