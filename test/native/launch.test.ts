/** Which command lines the launcher does itself, and that all others reach the engine as they were given. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DONE, LAUNCH_DATA } from '../../src/runtime/verb-plans/verb-plan.ts'
import { missing } from '../support/requires.ts'
import { createTempDir } from '../support/temp-dir.ts'

const ARCHITECTURE = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
const repository = fileURLToPath(new URL('../..', import.meta.url))
const LAUNCH = join(repository, 'dist/native', ARCHITECTURE, 'tsrun-launch')
const temporary = createTempDir('tsrun-launch-')
const root = join(temporary.path, 'root')
/** Stands in for Node: prints its arguments and ends with a status of its own. */
const engine = join(temporary.path, 'engine')
const ENGINE_STATUS = 42

function launch(words: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const result = spawnSync(LAUNCH, ['2', engine, 'script', ...words], { encoding: 'utf8', env })
  if (result.error) throw result.error
  return { status: result.status, stdout: result.stdout, stderr: result.stderr }
}

describe.skipIf(missing('root'))('tsrun-launch', () => {
  beforeAll(() => {
    mkdirSync(root, { mode: 0o700 })
    writeFileSync(engine, `#!/bin/sh\nprintf '%s\\n' "$@"\nexit ${ENGINE_STATUS}\n`)
    chmodSync(engine, 0o755)
  })
  afterAll(() => temporary[Symbol.dispose]())

  // A container that is not there, deleted by force: the one verb that needs no container.
  it.each([
    ['--root', root, 'delete', '--force', 'gone'],
    ['oci', '--root', root, 'delete', '--force', 'gone'],
    [`--root=${root}`, 'delete', '-f', 'gone'],
    [`-root=${root}`, 'delete', 'gone', '-force'],
    ['--root', '/nobody', '--root', `${root}/`, 'delete', '-f', 'a.b-c_d+E9'],
    ['--log', '/nowhere/log', '--log-format', 'json', '--root', root, 'delete', '-f', 'gone'],
    ['--debug', '--systemd-cgroup', '--log=', '--root', root, 'delete', '-f', '-f', 'gone'],
    ['--log-format=text', '--root', root, 'delete', '--force', 'x'.repeat(255)],
  ])('does %j itself', (...words) => {
    expect(launch(words)).toEqual({ status: DONE, stdout: '', stderr: '' })
    expect(existsSync('/nowhere')).toBe(false)
  })

  it.each([
    [],
    [''],
    ['oci'],
    ['oci', 'oci', '--root', root, 'delete', '-f', 'gone'],
    ['--root', root],
    ['--root'],
    ['--root', root, 'delete'],
    ['--root', root, 'delete', '-f'],
    ['--root', root, 'delete', 'gone'],
    ['--root', root, 'start', 'gone'],
    ['--root', root, 'start', '--force', 'gone'],
    ['--root', root, 'state', 'gone'],
    ['--root', root, 'delete', '-f', 'gone', 'more'],
    ['--root', root, 'delete', '-f', '--', 'gone'],
    ['--root', root, 'delete', '--force=true', 'gone'],
    ['--root', root, 'delete', '--forced', 'gone'],
    ['--root', root, 'delete', '--force', '--help'],
    ['--root', root, '--debug-timings', 'delete', '-f', 'gone'],
    ['--root', root, '--debug=false', 'delete', '-f', 'gone'],
    ['--root', root, '--log-format', 'yaml', 'delete', '-f', 'gone'],
    ['--root', root, '--', 'delete', '-f', 'gone'],
    ['---root', root, 'delete', '-f', 'gone'],
    ['--root', root, 'delete', '-f', ''],
    ['--root', root, 'delete', '-f', '.'],
    ['--root', root, 'delete', '-f', '..'],
    ['--root', root, 'delete', '-f', '../gone'],
    ['--root', root, 'delete', '-f', 'gone/'],
    ['--root', root, 'delete', '-f', 'ü'],
    ['--root', root, 'delete', '-f', 'x'.repeat(256)],
    ['--root', '/', 'delete', '-f', 'gone'],
    ['--root', '//', 'delete', '-f', 'gone'],
    ['--root', '/./', 'delete', '-f', 'gone'],
    ['--root', 'relative', 'delete', '-f', 'gone'],
    ['--root', `${root}/../root`, 'delete', '-f', 'gone'],
    ['--root', `/${'x'.repeat(4096)}`, 'delete', '-f', 'gone'],
    ['--root', `${root}/missing`, 'delete', '-f', 'gone'],
  ])('leaves %j to the engine, word by word', (...words) => {
    const { status, stdout, stderr } = launch(words)
    expect([status, stderr]).toEqual([ENGINE_STATUS, ''])
    expect(stdout).toBe(['script', ...words].map((word) => `${word}\n`).join(''))
  })

  it('gives the engine its environment, and no descriptor', () => {
    const script = join(temporary.path, 'environment')
    writeFileSync(script, '#!/bin/sh\necho "$A=$B"; ls /proc/self/fd\n')
    chmodSync(script, 0o755)
    mkdirSync(join(root, 'half'), { mode: 0o700 })
    const words = ['1', script, '--root', root, 'delete', 'half']
    const options = { encoding: 'utf8', env: { A: 'ä', B: '', PATH: '/bin' } } as const
    const { stdout } = spawnSync(LAUNCH, words, options)
    expect(stdout).toMatch(/^ä=\n/)
    expect(stdout).toBe(spawnSync(script, words.slice(2), options).stdout)
  })

  it('names an engine that cannot be executed', () => {
    const result = spawnSync(LAUNCH, ['1', '/nosuchnode', 'ps'], { encoding: 'utf8' })
    expect(result.status).toBe(125)
    expect(result.stderr).toMatch(
      /^tsrun: cannot start: cannot execute "\/nosuchnode"; hint: .*\n$/,
    )
  })

  it.each([[[]], [['x']], [['0']], [['3', 'a', 'b']], [['22', 'a', 'b']]])(
    'refuses to be called with %j',
    (words) => {
      expect(spawnSync(LAUNCH, words).status).toBe(125)
    },
  )
})

describe('launch.h', () => {
  it('has the layout of the plans', () => {
    const text = readFileSync(join(repository, 'native-bindings/launch.h'), 'utf8')
    const constant = (name: string): number =>
      Number(new RegExp(`#define ${name} (\\d+)`).exec(text)?.[1])
    expect(constant('LAUNCH_ROOT_SIZE')).toBe(LAUNCH_DATA.rootSize)
    expect(constant('LAUNCH_ROOT_SIZE')).toBe(LAUNCH_DATA.id)
    expect(constant('LAUNCH_ID_SIZE')).toBe(LAUNCH_DATA.idSize)
    expect(constant('LAUNCH_DONE')).toBe(DONE)
  })
})
