/** `tsrun push`, `login` and `logout` against a real registry: what arrives is what was sent. */
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRegistry, type TestRegistry } from '../support/docker-registry.ts'
import { TestEngine } from '../support/engine.ts'
import { type MadeImage, makeImage, makeIndex, pushImage } from '../support/make-image.ts'
import { file } from '../support/tar-builder.ts'

/** `me`, `secret`; bcrypt of cost 4. */
const HTPASSWD = 'me:$2b$04$I7yI0oJvucqcmzFzB1c/Lu6544gRQjjGiuO42mnGW5GVdh2feb/2q\n'
const arm = { os: 'linux', architecture: 's390x' }
const image = makeImage([[file('a', 'x')], [file('b', randomBytes(200_000))]])
const other = makeImage([[file('a', 'z')]], { platform: arm })
const index = makeIndex([image, other])

let registry: TestRegistry
let engine: TestEngine

beforeAll(async () => {
  registry = await startRegistry()
  engine = new TestEngine()
  await pushImage(registry.host, 'from', 'v1', image)
  await pushImage(registry.host, 'multi', 'v1', [image, other], index)
  engine.succeed(['pull', `${registry.host}/from:v1`])
})
afterAll(async () => {
  engine[Symbol.dispose]()
  await registry[Symbol.asyncDispose]()
})

async function get(path: string, accept = '*/*'): Promise<Buffer> {
  const response = await fetch(`http://${registry.host}/v2/${path}`, { headers: { accept } })
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  return Buffer.from(await response.arrayBuffer())
}

async function expectThere(repository: string, tag: string, made: MadeImage): Promise<void> {
  const { descriptor, bytes } = made.manifest
  expect(await get(`${repository}/manifests/${tag}`, descriptor.mediaType)).toEqual(bytes)
  for (const part of [made.config, ...made.layers])
    expect((await get(`${repository}/blobs/${part.descriptor.digest}`)).equals(part.bytes)).toBe(
      true,
    )
}

describe('push', () => {
  it('mounts the blobs of another repository and sends the manifest as it is', async () => {
    const name = `${registry.host}/mounted:v1`
    engine.succeed(['tag', `${registry.host}/from:v1`, name])
    const { stdout, stderr, status } = engine.run(['push', name])
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `${name}: digest: ${image.manifest.descriptor.digest} size: ${image.manifest.descriptor.size}\n`,
    })
    expect(stderr).toContain('mounted from another repository')
    await expectThere('mounted', 'v1', image)
  })

  it('sends what is not there, and nothing twice', async () => {
    await using second = await startRegistry()
    const name = `${second.host}/deep/er:v2`
    expect(engine.run(['push', `${registry.host}/from:v1`, name]).stderr).toContain(': done (')
    const again = engine.run(['push', `${registry.host}/from:v1`, name]).stderr
    expect(again.match(/exists already/g)).toHaveLength(3)
    const pulled = new TestEngine()
    const id = pulled.succeed(['pull', '-q', name])
    pulled[Symbol.dispose]()
    expect(`sha256:${id}`).toBe(image.config.descriptor.digest)
  })

  it('pushes an index whole when all of it is there, else the one image that is here', async () => {
    engine.succeed(['pull', `${registry.host}/multi:v1`])
    engine.succeed(['push', `${registry.host}/multi:v1`, `${registry.host}/multi:v2`])
    expect(await get('multi/manifests/v2', index.descriptor.mediaType)).toEqual(index.bytes)
    const { stderr } = engine.run(['push', `${registry.host}/multi:v1`, `${registry.host}/one:v1`])
    expect(stderr).toContain('only the image for one platform is pushed: 1 others')
    await expectThere('one', 'v1', image)
    engine.succeed(['pull', '--platform', 'linux/s390x', `${registry.host}/multi:v1`])
    engine.succeed(['push', `${registry.host}/multi:v1`, `${registry.host}/both:v1`])
    expect(await get('both/manifests/v1', index.descriptor.mediaType)).toEqual(index.bytes)
    await expectThere('both', other.manifest.descriptor.digest, other)
    engine.succeed([
      'push',
      '--platform',
      'linux/s390x',
      `${registry.host}/multi:v1`,
      `${registry.host}/alone:v1`,
    ])
    await expectThere('alone', 'v1', other)
  })

  it('pushes all tags of a repository', async () => {
    for (const tag of ['x', 'y'])
      engine.succeed(['tag', `${registry.host}/from:v1`, `${registry.host}/tags:${tag}`])
    const lines = engine.succeed(['push', '-q', '--all-tags', `${registry.host}/tags`]).split('\n')
    expect(lines).toEqual([`${registry.host}/tags:x`, `${registry.host}/tags:y`])
    await expectThere('tags', 'y', image)
  })

  it.each<[string, string[], RegExp]>([
    ['a name that is not here', ['nowhere/x'], /^tsrun: cannot find image "nowhere\/x"/],
    [
      'a digest as the name',
      ['FROM', `HOST/from@${image.manifest.descriptor.digest}`],
      /a digest follows from the content/,
    ],
    ['--all-tags with a tag', ['--all-tags', 'HOST/from:v1'], /takes a repository without a tag/],
    ['--all-tags of nothing', ['--all-tags', 'HOST/none'], /none of its tags is here/],
    ['a platform that is not here', ['--platform', 'linux/arm64', 'FROM'], /nothing for|only for/],
    ['a registry that is not there', ['FROM', '127.0.0.1:1/x'], /nothing listens there/],
  ])('refuses %s', (_, args, message) => {
    const real = args.map((arg) =>
      arg.replace('FROM', `${registry.host}/multi:v1`).replace('HOST', registry.host),
    )
    const { status, stderr } = engine.run(['push', ...real])
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(stderr).toMatch(message)
    expect(status).toBe(125)
  })

  it('refuses a blob that is gone from the store', () => {
    const gone = new TestEngine()
    try {
      gone.succeed(['pull', `${registry.host}/from:v1`])
      const hex = image.layers[1]?.descriptor.digest.slice(7) ?? ''
      const path = join(gone.dataRoot, 'images/blobs/sha256', hex)
      expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(hex)
      writeFileSync(path, '')
      expect(gone.run(['push', `${registry.host}/from:v1`, `${registry.host}/g:1`]).stderr).toBe(
        `tsrun: cannot push blob "sha256:${hex}": it is not in the store; hint: pull the image again\n`,
      )
    } finally {
      gone[Symbol.dispose]()
    }
  })
})

describe('login', () => {
  it('keeps a password that the registry takes, and no other', async () => {
    await using guarded = await startRegistry({ htpasswd: HTPASSWD })
    const env = { ...process.env, DOCKER_CONFIG: join(engine.directory, 'docker') }
    const name = `${guarded.host}/private:v1`
    const push = ['push', `${registry.host}/from:v1`, name]
    const login = ['login', '-u', 'me', '--password-stdin', guarded.host]
    expect(engine.run(push, { env }).stderr).toContain('it asks for a login')
    const wrong = engine.run(login, { env, input: 'wrong\n' })
    expect(wrong.stderr).toContain('it refuses this user name or password')
    expect(wrong.status).toBe(125)
    expect(engine.succeed(login, { env, input: 'secret\n' })).toBe('Login Succeeded')
    const config = JSON.parse(readFileSync(join(engine.directory, 'docker/config.json'), 'utf8'))
    expect(config.auths[guarded.host]).toEqual({
      auth: Buffer.from('me:secret').toString('base64'),
    })
    engine.succeed(push, { env })
    expect(engine.succeed(['logout', guarded.host], { env })).toContain('Removing login')
    expect(engine.succeed(['logout', guarded.host], { env })).toContain('Not logged in to')
    expect(engine.run(push, { env }).stderr).toContain('it asks for a login')
  })
})
