/** The mount option tmpcopyup: a tmpfs that starts with what it covers; peers run the same cases. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bind, inUserNamespace, probe, tmpfs } from '../support/mount-probe.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle } from '../support/runtime-bundle.ts'

let bundle: Bundle
let runtime: Runtime
let directory: string

function setUp(name: Runtime['name']): void {
  bundle = makeBundle()
  runtime = makeRuntime(name)
  chmodSync(bundle.directory, 0o711)
  directory = join(bundle.rootfs, 'srv')
  mkdirSync(join(directory, 'sub/deep'), { recursive: true })
  writeFileSync(join(directory, 'sub/deep/file'), 'content\n')
  writeFileSync(join(directory, 'owned'), '')
  chownSync(join(directory, 'owned'), 1000, 1001)
  chmodSync(join(directory, 'owned'), 0o4751)
  symlinkSync('sub/deep/file', join(directory, 'link'))
  chmodSync(directory, 0o2775)
}
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

describe.each(installedRuntimes())('%s', (name) => {
  beforeEach(() => setUp(name))

  it('shows what the directory held, and leaves that as it is', () => {
    const script =
      'cat /srv/link; stat -c "%a %u:%g" /srv/owned; readlink /srv/link; touch /srv/new; stat -f -c %T /srv'
    const result = probe(runtime, bundle, script, { mounts: [tmpfs('/srv', 'tmpcopyup')] })
    expect(result.stderr).toBe('')
    expect(result.stdout).toBe('content\n4751 1000:1001\nsub/deep/file\ntmpfs\n')
    expect(readdirSync(directory).sort()).toEqual(['link', 'owned', 'sub'])
  })

  it('is an empty tmpfs where nothing was', () => {
    const result = probe(runtime, bundle, 'ls -A /nothing; stat -f -c %T /nothing', {
      mounts: [tmpfs('/nothing', 'tmpcopyup')],
    })
    expect(result.stdout).toBe('tmpfs\n')
  })
})

describe('tsrun', () => {
  beforeEach(() => setUp('tsrun'))
  const run = (script: string, ...options: readonly string[]) =>
    probe(runtime, bundle, script, { mounts: [tmpfs('/srv', 'tmpcopyup', ...options)] })

  it('copies links, times, devices and attributes', () => {
    linkSync(join(directory, 'sub/deep/file'), join(directory, 'hard'))
    spawnSync('mkfifo', [join(directory, 'fifo')])
    spawnSync('mknod', [join(directory, 'null'), 'c', '1', '3'])
    spawnSync('touch', ['-hd', '2001-02-03 04:05:06 UTC', join(directory, 'owned')])
    spawnSync('touch', ['-d', '2001-02-03 04:05:06 UTC', join(directory, 'sub')])
    const script = [
      'stat -c %i /srv/hard /srv/sub/deep/file | uniq | wc -l',
      'stat -c "%F" /srv/fifo',
      'stat -c "%t:%T" /srv/null',
      'stat -c %Y /srv/owned /srv/sub',
    ].join('; ')
    expect(run(script).stdout).toBe('1\nfifo\n1:3\n981173106\n981173106\n')
  })

  it('copies names that are not UTF-8', () => {
    spawnSync('sh', ['-c', `printf x >"$1/$(printf 'a\\377b')"`, 'sh', directory])
    expect(run('ls /srv | wc -l; cat /srv/a*b').stdout).toBe('4\nx')
  })

  it('has the mode of the directory, or the one that is asked for', () => {
    expect(run('stat -c %a /srv').stdout).toBe('2775\n')
    expect(run('stat -c %a /srv', 'mode=700').stdout).toBe('700\n')
  })

  it('can be read-only', () => {
    const result = run('cat /srv/link; touch /srv/x', 'ro')
    expect(result.stdout).toBe('content\n')
    expect(result.stderr).toMatch(/Read-only/)
  })

  it('copies what is mounted there before', () => {
    const result = probe(runtime, bundle, 'ls /srv', {
      mounts: [bind(join(directory, 'sub'), '/srv'), tmpfs('/srv', 'tmpcopyup')],
    })
    expect(result.stdout).toBe('deep\n')
  })

  it('says so when the tmpfs is too small, and leaves nothing behind', () => {
    writeFileSync(join(directory, 'big'), Buffer.alloc(100_000))
    const result = run('echo ran', 'size=16k')
    expect(result.stdout).toBe('')
    expect(result.stderr).toMatch(/tmpcopyup\): ENOSPC.*greater size=/)
    expect(runtime.succeed(['list', '-q'])).toBe('')
  })

  it('keeps the owners of the files in a user namespace', () => {
    chownSync(join(directory, 'owned'), 101000, 101000)
    const result = probe(
      runtime,
      bundle,
      'stat -c %u:%g /srv /srv/owned; touch /srv/new; stat -c %u /srv/new',
      { mounts: [tmpfs('/srv', 'tmpcopyup')], change: inUserNamespace },
    )
    expect(result.stderr).toBe('')
    expect(result.stdout).toBe('0:0\n1000:1000\n0\n')
  })
})
