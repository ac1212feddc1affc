import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeError } from '../../../src/errors.ts'
import { dockerConfigPath, findCredentials } from '../../../src/registry/credentials.ts'
import { createTempDir, type TempDir } from '../../support/temp-dir.ts'

const path = process.env.PATH
let folder: TempDir

beforeEach(() => {
  folder = createTempDir('tsrun-credentials-')
  process.env.PATH = `${folder.path}${delimiter}${path}`
})
afterEach(() => {
  process.env.PATH = path
  folder[Symbol.dispose]()
})

function find(host: string, config: unknown, helperMs = 20_000) {
  const configPath = join(folder.path, 'config.json')
  writeFileSync(configPath, typeof config === 'string' ? config : JSON.stringify(config))
  return findCredentials(host, { configPath, helperMs })
}

/** `docker-credential-x`, a shell script. */
function helper(script: string): void {
  const program = join(folder.path, 'docker-credential-x')
  writeFileSync(program, `#!/bin/sh\n${script}\n`)
  chmodSync(program, 0o755)
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const ME = { kind: 'password', username: 'me', password: 'se:cret' }

describe('findCredentials() in the file', () => {
  it.each([
    ['r.example', 'r.example'],
    ['r.example', 'https://r.example'],
    ['r.example:5000', 'r.example:5000'],
    ['docker.io', 'https://index.docker.io/v1/'],
    ['registry-1.docker.io', 'https://index.docker.io/v1/'],
  ])('finds those of %s under %s', async (host, key) => {
    expect(await find(host, { auths: { [key]: { auth: base64('me:se:cret') } } })).toEqual(ME)
  })

  it('takes a name and a password in the clear, and an identity token before both', async () => {
    const plain = { username: 'me', password: 'se:cret' }
    expect(await find('r', { auths: { r: plain } })).toEqual(ME)
    expect(await find('r', { auths: { r: { ...plain, identitytoken: 't' } } })).toEqual({
      kind: 'identity-token',
      token: 't',
    })
  })

  it.each([
    ['no entry', { auths: { other: { auth: base64('a:b') } } }],
    ['an empty entry, as a helper leaves it', { auths: { r: {} } }],
    ['no object', []],
    ['an entry of the prototype', { auths: {} }],
  ])('has none with %s', async (_, config) => {
    expect(await find('r', config)).toBeUndefined()
    expect(await find('constructor', config)).toBeUndefined()
  })

  it('names the file that is no JSON, and the entry that is no base64 of user:password', async () => {
    await expect(find('r', '{')).rejects.toMatchObject({ kind: 'failed-precondition' })
    await expect(find('r', { auths: { r: { auth: base64('me') } } })).rejects.toThrow(
      `cannot use the credentials of "r" in ${join(folder.path, 'config.json')}`,
    )
  })
})

describe('findCredentials() by a credential helper', () => {
  const config = { credHelpers: { r: 'x' }, auths: { r: { auth: base64('file:x') } } }

  it('asks it for the key and takes what it says before the file', async () => {
    helper(
      `[ "$1" = get ] || exit 9\ncat >${folder.path}/asked\necho '{"ServerURL":"r","Username":"me","Secret":"se:cret"}'`,
    )
    expect(await find('r', config)).toEqual(ME)
    expect(readFileSync(join(folder.path, 'asked'), 'utf8')).toBe('r\n')
  })

  it('takes credsStore for every registry', async () => {
    helper(`echo '{"Username":"<token>","Secret":"refresh"}'`)
    expect(await find('any.example', { credsStore: 'x' })).toEqual({
      kind: 'identity-token',
      token: 'refresh',
    })
  })

  it('has none when it says that it finds none', async () => {
    helper('echo "credentials not found in native keychain"; exit 1')
    expect(await find('r', config)).toBeUndefined()
  })

  it.each([
    ['fails', 'echo "the key ring is locked"; exit 1', 'failed: the key ring is locked'],
    ['prints garbage', 'echo "<html>"', 'docker-credential-x printed no JSON'],
    ['never ends to print', 'exec cat /dev/zero', 'docker-credential-x failed'],
  ])('says so when it %s', async (_, script, message) => {
    helper(script)
    await expect(find('r', config)).rejects.toThrow(message)
  })

  it('does not quote what it printed: it may be a secret', async () => {
    helper('echo hunter2')
    const error = await find('r', config).catch(describeError)
    expect(error).toContain('docker-credential-x printed no JSON')
    expect(error).not.toContain('hunter2')
  })

  it('kills one that hangs, also when its own child holds the pipe', async () => {
    const pids = join(folder.path, 'pids')
    helper(`sleep 300 2>/dev/null & echo $! $$ >${pids}; wait`)
    await expect(find('r', config, 1000)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('did not answer within 1 seconds'),
    })
    const [child = 0, killed = 0] = readFileSync(pids, 'utf8').split(' ').map(Number)
    process.kill(child)
    await expect.poll(() => existsSync(`/proc/${killed}`)).toBe(false)
  })

  it('says that it is missing', async () => {
    await expect(find('r', { credsStore: 'tsrun-has-none' })).rejects.toMatchObject({
      message: expect.stringContaining('docker-credential-tsrun-has-none does not start'),
      hint: expect.stringContaining('install the credential helper'),
    })
  })

  it.each(['../../bin/sh', 'a b', 'x;y'])('runs no program such as %j', async (credsStore) => {
    await expect(find('r', { credsStore })).rejects.toMatchObject({ kind: 'invalid-argument' })
  })
})

describe('dockerConfigPath()', () => {
  it('follows DOCKER_CONFIG', () => {
    expect(dockerConfigPath({ DOCKER_CONFIG: '/etc/d' })).toBe('/etc/d/config.json')
    expect(dockerConfigPath({})).toMatch(/\/\.docker\/config\.json$/)
  })
})
