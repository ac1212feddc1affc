/** An /etc/passwd of a container that is no plain file: tsrun reads it from outside the device filter. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { missing } from '../support/requires.ts'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('passwd')

describe.skipIf(missing('root'))('an /etc/passwd that is no file', () => {
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

  const startSleeping = (): void => {
    bundle.configure((config) => ({
      ...withProcess(config, { args: ['sleep', '1000'] }),
      root: { path: 'rootfs', readonly: false },
    }))
    runtime.succeed(['run', '--detach', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
  }

  it('run() and exec() open nothing there: a device of the host could be behind it', () => {
    const passwd = join(bundle.rootfs, 'etc/passwd')
    const opened = join(bundle.directory, 'opened')
    rmSync(passwd, { force: true })
    spawnSync('mkfifo', [passwd])
    // Opening it for writing waits for somebody who opens it for reading.
    const writer = spawn('sh', ['-c', `exec 3>"${passwd}"; : >"${opened}"`], { stdio: 'ignore' })
    try {
      startSleeping()
      expect(runtime.succeed(['exec', ID, 'sh', '-c', 'echo $HOME'])).toBe('/\n')
      expect(existsSync(opened)).toBe(false)
    } finally {
      writer.kill('SIGKILL')
    }
  })

  it('exec() reads no file of a procfs', () => {
    startSleeping()
    runtime.succeed(['exec', ID, 'ln', '-sf', '/proc/kmsg', '/etc/passwd'])
    expect(runtime.succeed(['exec', ID, 'sh', '-c', 'echo $HOME'])).toBe('/\n')
  })
})
