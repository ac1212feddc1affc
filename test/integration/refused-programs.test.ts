/** Programs that are there and cannot run: the error names the cause; exit codes are runc’s. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeRuntime, type Runtime } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('refused')

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

const FOREIGN = Buffer.alloc(128)
FOREIGN.write('\x7fELF\x02\x01\x01', 'latin1')
FOREIGN.writeUInt16LE(2, 16)
FOREIGN.writeUInt16LE(22, 18) // EM_S390

const PROGRAMS = [
  ['#!/bin/nowhere\n', '#! line names, /bin/nowhere, is not in the container'],
  ['#!/bin/sh\r\necho hi\r\n', 'has Windows line endings'],
  ['echo hi\n', 'is a script without a #! line'],
  [FOREIGN, 'is built for s390x, and this machine is'],
] as const

describe('a program that cannot run', () => {
  it.each(PROGRAMS)('%j is explained by run, start and exec', (content, text) => {
    const path = join(bundle.rootfs, 'bin/program')
    writeFileSync(path, content)
    chmodSync(path, 0o755)
    bundle.command('program')
    const run = runtime.run(['run', '--bundle', bundle.directory, ID])
    expect(run.stderr).toContain(text)
    expect(run.status).toBe(1)
    runtime.succeed(['create', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    expect(runtime.run(['start', ID]).stderr).toContain(text)
    runtime.succeed(['delete', '--force', ID])
    bundle.command('sleep', '1000')
    runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
    const exec = runtime.run(['exec', ID, '/bin/program'])
    expect(exec.stderr).toContain(text)
    expect(exec.status).toBe(255)
  })

  it('on a noexec mount names the mount', () => {
    bundle.configure((config) =>
      withProcess(
        {
          ...config,
          mounts: [
            ...(config.mounts ?? []),
            {
              destination: '/programs',
              type: 'bind',
              source: join(bundle.rootfs, 'bin'),
              options: ['bind', 'noexec'],
            },
          ],
        },
        { args: ['/programs/busybox', 'true'] },
      ),
    )
    const { status, stderr } = runtime.run(['run', '--bundle', bundle.directory, ID])
    expect(stderr).toContain('(/programs) has the option noexec')
    expect(status).toBe(1)
  })

  it('as a user that the namespace does not map says where the maps are', () => {
    chmodSync(bundle.directory, 0o711)
    const MAPPING = [{ containerID: 0, hostID: 100000, size: 10 }]
    bundle.configure((config) =>
      withProcess(
        {
          ...config,
          linux: {
            ...config.linux,
            namespaces: [...(config.linux?.namespaces ?? []), { type: 'user' }],
            uidMappings: MAPPING,
            gidMappings: MAPPING,
          },
        },
        { user: { uid: 10, gid: 0 } },
      ),
    )
    expect(runtime.run(['run', '--bundle', bundle.directory, ID]).stderr).toContain(
      'does not map this uid: see linux.uidMappings',
    )
  })
})
