/** `history`, `prune`, `import`, `manifest`, `pull --lock` and saving to folders, by the command. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRegistry, type TestRegistry } from '../support/docker-registry.ts'
import { TestEngine } from '../support/engine.ts'
import { makeImage, makeIndex, pushImage } from '../support/make-image.ts'
import { buildTar, dir, file } from '../support/tar-builder.ts'

const one = makeImage([[file('a', 'x'.repeat(1000))], [file('b', 'y'.repeat(500))]], {
  editConfig: (config) => {
    config.history = [
      { created: '2024-01-02T03:04:05Z', created_by: 'ADD a' },
      { created: '2024-01-02T03:04:06Z', created_by: 'ENV x=y', empty_layer: true, comment: 'c' },
      { created: '2024-01-02T03:04:07Z', created_by: 'ADD b' },
    ]
  },
})
const two = makeImage([[file('a', 'x'.repeat(1000))], [file('c', 'z')]])
const foreign = makeImage([[file('c', 'z')]], { platform: { os: 'linux', architecture: 's390x' } })
const index = makeIndex([one, foreign])

let registry: TestRegistry
let engine: TestEngine

beforeAll(async () => {
  registry = await startRegistry()
  engine = new TestEngine()
  await pushImage(registry.host, 'app', 'v1', [one, foreign], index)
  await pushImage(registry.host, 'app', 'v2', two)
})
afterAll(async () => {
  engine[Symbol.dispose]()
  await registry[Symbol.asyncDispose]()
})

const blobs = (): string[] => readdirSync(join(engine.dataRoot, 'images/blobs/sha256')).sort()
const layers = (): string[] => readdirSync(join(engine.dataRoot, 'snapshots/layers')).sort()

it('pull --all-tags takes every tag, --lock what they meant when they were pulled first', async () => {
  const repository = `${registry.host}/app`
  expect(engine.succeed(['pull', '-qa', repository]).split('\n')).toEqual(
    [one, two].map(({ config }) => config.descriptor.digest.slice(7)),
  )
  const lock = join(engine.directory, 'images.lock')
  engine.succeed(['pull', '-q', '--lock', lock, `${repository}:v1`])
  const pin = { 'linux/amd64': one.manifest.descriptor.digest }
  const arch = process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64'
  expect(JSON.parse(readFileSync(lock, 'utf8'))).toEqual({
    version: 1,
    images: { [`${repository}:v1`]: { [arch]: pin['linux/amd64'] } },
  })
  // Somebody moves the tag.
  await pushImage(registry.host, 'app', 'v1', two)
  const id = (image: typeof one): string => image.config.descriptor.digest.slice(7)
  expect(engine.succeed(['pull', '-q', '--lock', lock])).toBe(id(one))
  expect(engine.succeed(['pull', '-q', `${repository}:v1`])).toBe(id(two))
  expect(engine.succeed(['pull', '-q', '--lock', lock, '--update-lock', `${repository}:v1`])).toBe(
    id(two),
  )
  expect(readFileSync(lock, 'utf8')).toContain(two.manifest.descriptor.digest)
  writeFileSync(lock, '{"version":1,"images":{"app":{}}}')
  expect(engine.run(['pull', '--lock', lock, `${repository}:v1`]).stderr).toMatch(
    /cannot use lock file ".*images.lock": "app" is not the whole name of an image/,
  )
  engine.succeed(['pull', '-q', `${repository}@${one.manifest.descriptor.digest}`])
  engine.succeed(['image', 'prune', '-af'])
  expect([blobs(), layers()]).toEqual([[], []])
})

it('history shows each step with the layer it made', async () => {
  await pushImage(registry.host, 'app', 'v1', [one, foreign], index)
  engine.succeed(['pull', '-q', `${registry.host}/app:v1`])
  const json = engine.succeed([
    'history',
    '--format',
    '{{.ID}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}',
    '-H=false',
    `${registry.host}/app:v1`,
  ])
  const id = one.config.descriptor.digest.slice(7, 19)
  expect(json.split('\n')).toEqual([
    `${id}|ADD b|500|`,
    '<missing>|ENV x=y|0|c',
    '<missing>|ADD a|1000|',
  ])
})

it('rmi and prune keep what another image still needs', () => {
  const [v1, v2] = [`${registry.host}/app:v1`, `${registry.host}/app:v2`]
  engine.succeed(['pull', '-q', v2])
  expect(layers()).toHaveLength(3)
  engine.succeed(['tag', v1, 'again:1'])
  expect(engine.succeed(['rmi', v1])).toBe(`Untagged: ${v1}`)
  engine.succeed(['rmi', 'again:1'])
  expect(layers()).toHaveLength(2)
  expect(blobs()).toEqual(
    [two.manifest, two.config, ...two.layers]
      .map(({ descriptor }) => descriptor.digest.slice(7))
      .sort(),
  )
  engine.succeed(['pull', '-q', v1])
  engine.succeed(['tag', v2, v1])
  expect(engine.succeed(['images', '-q']).split('\n')).toHaveLength(2)
  expect(engine.run(['image', 'prune'], { input: '' }).stderr).toContain('hint: use --force')
  expect(engine.succeed(['image', 'prune', '-f'])).toContain(
    `deleted: ${one.config.descriptor.digest}`,
  )
  expect(layers()).toHaveLength(2)
  expect(engine.succeed(['image', 'prune', '-af', '--filter', 'until=2020-01-01'])).toBe(
    'Total reclaimed space: 0B',
  )
  expect(engine.run(['image', 'prune', '-f', '--filter', 'size=3']).stderr).toMatch(
    /cannot use the filter "size=3": there are until=/,
  )
})

describe('import', () => {
  it('makes an image of one layer with the changes', () => {
    const tar = gzipSync(buildTar([dir('bin'), file('bin/x', 'x', { mode: 0o755 })]))
    const changes = [
      'CMD ["x", "y z"]',
      'ENV A="b c" D=e',
      'USER 7',
      'WORKDIR /bin',
      'LABEL a.b=c',
      'EXPOSE 80',
    ].flatMap((one) => ['-c', one])
    const id = engine.succeed(['import', ...changes, '-m', 'hello', '-', 'imported:1'], {
      input: tar,
    })
    const inspected = JSON.parse(engine.succeed(['image', 'inspect', 'imported:1']))[0]
    expect(inspected.Id).toBe(id)
    expect(inspected.Config).toEqual({
      Cmd: ['x', 'y z'],
      Env: ['A=b c', 'D=e'],
      User: '7',
      WorkingDir: '/bin',
      Labels: { 'a.b': 'c' },
      ExposedPorts: { '80/tcp': {} },
    })
    expect(inspected.History[0].comment).toBe('hello')
    const folder = join(engine.dataRoot, 'snapshots/layers', inspected.RootFS.Layers[0].slice(7))
    expect(
      readFileSync(join(folder, existsSync(join(folder, 'fs')) ? 'fs' : 'diff', 'bin/x'), 'utf8'),
    ).toBe('x')
  })

  it.each<[string, string[], Buffer, RegExp]>([
    [
      'a change that it does not know',
      ['-c', 'RUN x'],
      Buffer.alloc(0),
      /cannot use --change "RUN x": it must be one of CMD/,
    ],
    ['what is no tar', [], Buffer.from('rubbish'.repeat(200)), /cannot import "standard input": /],
    ['a tar that leaves the tree', [], buildTar([file('../x', 'x')]), /cannot use tar entry/],
  ])('refuses %s and keeps nothing', (_, args, input, message) => {
    const before = [blobs(), layers()]
    const { status, stderr } = engine.run(['import', ...args, '-', 'bad:1'], { input })
    expect(stderr).toMatch(message)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(status).toBe(125)
    expect([blobs(), layers()]).toEqual(before)
  })

  it('refuses an address by name', () => {
    expect(engine.run(['import', 'http://x/y.tar']).stderr).toMatch(
      /addresses are not fetched; hint: curl/,
    )
  })
})

describe('manifest', () => {
  it('makes a list over two platforms that a registry takes', async () => {
    const [v1, list] = [`${registry.host}/app:v1`, `${registry.host}/list:v1`]
    engine.succeed(['pull', '-q', v1])
    engine.succeed(['pull', '-q', '--platform', 'linux/s390x', v1])
    engine.succeed(['manifest', 'create', list, `${registry.host}/app:v2`])
    expect(engine.run(['manifest', 'create', list, v1]).stderr).toContain(
      'the name is taken; hint: use --amend',
    )
    engine.succeed(['manifest', 'create', '--amend', '--platform', 'linux/s390x', list, v1])
    engine.succeed([
      'manifest',
      'annotate',
      '--variant',
      'v9',
      list,
      foreign.manifest.descriptor.digest,
    ])
    const shown = JSON.parse(engine.succeed(['manifest', 'inspect', list]))
    expect(shown.manifests.map((entry: { digest: string }) => entry.digest)).toEqual(
      [two, foreign].map(({ manifest }) => manifest.descriptor.digest),
    )
    expect(shown.manifests[1].platform).toEqual({
      os: 'linux',
      architecture: 's390x',
      variant: 'v9',
    })
    engine.succeed(['manifest', 'push', list])
    expect(engine.succeed(['manifest', 'inspect', '--remote', '--raw', list])).toBe(
      engine.succeed(['manifest', 'inspect', '--raw', list]),
    )
  })

  it('refuses to change an image, and to annotate with nothing', () => {
    const v2 = `${registry.host}/app:v2`
    expect(engine.run(['manifest', 'create', '--amend', v2, v2]).stderr).toContain(
      'it is an image, not a manifest list',
    )
    expect(engine.run(['manifest', 'annotate', v2, v2]).stderr).toContain(
      'nothing is to be changed',
    )
  })
})

describe('a folder', () => {
  it('is written whole or not at all', () => {
    const full = join(engine.directory, 'full')
    mkdirSync(full)
    writeFileSync(join(full, 'x'), '')
    const save = (...args: string[]) =>
      engine.run(['save', '--format', 'oci-dir', ...args, 'imported:1'])
    expect(save('-o', full).stderr).toContain('it is not empty; hint: name a new one')
    expect(save().stderr).toContain('hint: use -o FOLDER')
    expect(save('-o', join(engine.directory, 'no/where')).stderr).toMatch(
      /cannot write the folder .*ENOENT/,
    )
    expect(readdirSync(full)).toEqual(['x'])
  })

  it('with a link in it is refused, because the link could lead anywhere', () => {
    const path = join(engine.directory, 'linked')
    engine.succeed(['save', '--format', 'oci-dir', '-o', path, 'imported:1'])
    symlinkSync('/etc/passwd', join(path, 'blobs/sha256', 'a'.repeat(64)))
    expect(engine.run(['load', '-i', path]).stderr).toMatch(
      /cannot load ".*linked": its "blobs\/sha256\/a+" is no plain file/,
    )
  })
})
