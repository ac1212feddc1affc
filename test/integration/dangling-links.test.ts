/** Mounts on links that lead to nothing: made where the link means, inside the root; peers run the same cases. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { followDanglingLinks } from '../../src/runtime/dangling-links.ts'
import { bind, probe, tmpfs } from '../support/mount-probe.ts'
import { installedRuntimes, makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('dangling')

let bundle: Bundle
let runtime: Runtime
let outside = ''

function setUp(name: Runtime['name']): void {
  bundle = makeBundle()
  runtime = makeRuntime(name)
  outside = join(bundle.directory, 'outside')
  mkdirSync(outside)
  writeFileSync(join(outside, 'file'), 'bound\n')
}
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

const link = (path: string, text: string): void => {
  rmSync(join(bundle.rootfs, path), { recursive: true, force: true })
  symlinkSync(text, join(bundle.rootfs, path))
}
const boundTo = (destination: string) => ({ mounts: [bind(join(outside, 'file'), destination)] })
/** The mount points below the root that `pattern` finds. */
const mountPoints = (pattern: string): string =>
  `cut -d" " -f5 /proc/self/mountinfo | grep ${pattern}`

describe.each(installedRuntimes())('%s', (name) => {
  beforeEach(() => setUp(name))

  it('a file on a link to a missing folder, as resolv.conf of a systemd image', () => {
    link('etc/resolv.conf', '../run/systemd/resolve/stub-resolv.conf')
    const script = `cat /etc/resolv.conf; ${mountPoints('resolv')}`
    const { stdout, stderr } = probe(runtime, bundle, script, boundTo('/etc/resolv.conf'))
    expect({ stdout, stderr }).toEqual({
      stdout: 'bound\n/run/systemd/resolve/stub-resolv.conf\n',
      stderr: '',
    })
  })

  // crun 1.8 makes no folder behind such a link.
  it.skipIf(name === 'crun')('a folder on a chain of links, absolute and relative', () => {
    link('first', '/second')
    link('second', 'a/../third')
    const script = mountPoints('third')
    const { stdout, stderr } = probe(runtime, bundle, script, { mounts: [tmpfs('/first/below')] })
    expect({ stdout, stderr }).toEqual({ stdout: '/third/below\n', stderr: '' })
  })

  it.skipIf(name === 'crun')('a link that leads out of the root leads to a place inside', () => {
    const host = join(outside, 'made')
    link('absolute', host)
    link('relative', `../../../../../../..${host}-too`)
    const { stdout } = probe(runtime, bundle, mountPoints('made'), {
      mounts: [bind(join(outside, 'file'), '/absolute'), tmpfs('/relative')],
    })
    expect(stdout).toBe(`${host}\n${host}-too\n`)
    expect(existsSync(host) || existsSync(`${host}-too`)).toBe(false)
  })

  it('a circle of links is refused', () => {
    link('round', '/round')
    const { status, stdout } = probe(runtime, bundle, 'echo ran', boundTo('/round'))
    expect(status).not.toBe(0)
    expect(stdout).toBe('')
  })

  it("a link below another mount is that mount's, not the image's", () => {
    mkdirSync(join(bundle.rootfs, 'data'))
    link('data/x', '/hidden')
    const { stdout } = probe(runtime, bundle, mountPoints('-e /data/x -e hidden'), {
      mounts: [bind(outside, '/data'), tmpfs('/data/x')],
    })
    expect(stdout).toBe('/data/x\n')
  })
})

// Replaces a link to nothing by a folder and back, as fast as it can.
const SWAPPER = `
const { mkdirSync, rmdirSync, symlinkSync, unlinkSync } = require('node:fs')
const path = process.argv[1]
for (;;) {
  symlinkSync('/missing', path)
  unlinkSync(path)
  mkdirSync(path)
  rmdirSync(path)
}`

describe('tsrun', () => {
  beforeEach(() => setUp('tsrun'))

  it('a working directory is made where a link to nothing leads, inside the root', () => {
    link('work', join(outside, 'of-the-host'))
    bundle.configure((config) => withProcess(config, { cwd: '/work/below', args: ['pwd', '-P'] }))
    const { stdout, stderr } = runtime.run(['run', '--bundle', bundle.directory, ID])
    expect({ stdout, stderr }).toEqual({ stdout: `${outside}/of-the-host/below\n`, stderr: '' })
    expect(existsSync(join(outside, 'of-the-host'))).toBe(false)
  })

  it('a link to a name that no file system takes is told, with its mount', () => {
    link('long', 'x'.repeat(300))
    const { status, stderr, log } = probe(runtime, bundle, 'echo ran', boundTo('/long'))
    expect(status).toBe(1)
    expect(log.at(-1)).toContain('mounts[7] (/long)')
    expect(log.at(-1)).toContain('ENAMETOOLONG (file name too long)')
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  it('a link that is being replaced is looked at without an error of its own', async () => {
    const path = join(bundle.rootfs, 'swapped')
    const swapper = spawn(process.execPath, ['-e', SWAPPER, path], { stdio: 'ignore' })
    const ended = once(swapper, 'exit')
    const config = { ociVersion: '1.0.0', mounts: [tmpfs('/swapped')] }
    const seen = new Set<string>()
    try {
      // Long enough for each step of one to fall between two of the other.
      for (let i = 0; i < 200_000 && swapper.exitCode === null; i++)
        seen.add(JSON.stringify(followDanglingLinks(bundle.rootfs, config)))
    } finally {
      swapper.kill('SIGKILL')
      await ended
    }
    expect(seen).toEqual(new Set(['{}', '{"/swapped":"/missing"}']))
  })

  it.each(['/proc/uptime', '/proc/self/attr/x'])(
    'a link of the image to %s chooses no place in /proc',
    (target) => {
      link('chosen', target)
      const { status, stdout } = probe(runtime, bundle, 'echo ran', boundTo('/chosen'))
      expect(status).not.toBe(0)
      expect(stdout).toBe('')
    },
  )

  it.each(['proc', 'sys', 'dev'])('/%s is never made behind a link', (folder) => {
    link(folder, '/elsewhere')
    const { status, stdout } = probe(runtime, bundle, 'echo ran')
    expect(status).not.toBe(0)
    expect(stdout).toBe('')
  })

  it('a destination may be named as a property of objects is', () => {
    const { stdout } = probe(runtime, bundle, mountPoints('proto'), {
      mounts: [tmpfs('/__proto__'), tmpfs('/constructor')],
    })
    expect(stdout).toBe('/__proto__\n')
  })
})
