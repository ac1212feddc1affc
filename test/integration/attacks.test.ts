/** Known attacks on runtimes, by CVE: what the container tries must not get out of it. */
import { closeSync, openSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
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

/** Runs with descriptors 3 to 9 open on the host's root, as a careless caller leaves them. */
function runWithLeaks(args: readonly string[]) {
  const leaks = Array.from({ length: 7 }, () => openSync('/', 'r'))
  try {
    return runtime.run(args, { stdio: ['ignore', 'pipe', 'pipe', ...leaks] })
  } finally {
    for (const fd of leaks) closeSync(fd)
  }
}

describe('CVE-2024-21626: a working directory through a leaked descriptor', () => {
  it.each(Array.from({ length: 12 }, (_, i) => i + 3))('create refuses /proc/self/fd/%i', (fd) => {
    bundle.configure((config) =>
      withProcess(config, {
        cwd: `/proc/self/fd/${fd}`,
        args: ['ls', '../../../../../etc/hostname'],
      }),
    )
    const result = runWithLeaks(['run', '--bundle', bundle.directory, 'a'])
    expect(result).toMatchObject({ status: 1, stdout: '' })
  })

  it('exec refuses it too', () => {
    bundle.command('sleep', '1000')
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, 'a'], { stdio: 'ignore' })
    for (let fd = 3; fd < 15; fd++) {
      const cwd = `/proc/self/fd/${fd}`
      const result = runWithLeaks(['exec', '--cwd', cwd, 'a', 'ls', '../../../etc/hostname'])
      expect(result, cwd).toMatchObject({ status: 255, stdout: '' })
    }
  })
})

describe('CVE-2022-29162: inheritable capabilities', () => {
  it('are none, for the container and for exec', () => {
    const script = ['grep', 'CapInh', '/proc/self/status']
    bundle.command('sleep', '1000')
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, 'a'], { stdio: 'ignore' })
    const none = 'CapInh:\t0000000000000000\n'
    expect(runtime.succeed(['exec', 'a', ...script])).toBe(none)
    expect(runtime.succeed(['exec', '--cap', 'CAP_CHOWN', 'a', ...script])).toBe(none)
  })
})

describe('CVE-2019-5736: the runtime as the program of the container', () => {
  it('cannot be opened for writing', () => {
    // The container runs itself as tsrun-init runs it: /proc/self/exe is the sealed copy then.
    bundle.configure((config) => withProcess(config, { args: ['/proc/self/exe', '3'] }))
    const result = runtime.run(['run', '--bundle', bundle.directory, 'a'])
    expect(result.status).not.toBe(0)
    bundle.command('sh', '-c', 'for f in /proc/[0-9]*/exe; do ls -l $f; done')
    expect(runtime.run(['run', '--bundle', bundle.directory, 'a']).stdout).not.toMatch(/node|memfd/)
  })
})
