/** A host with vm.memfd_noexec=2: the sysctl belongs to a pid namespace, so one of its own is such a host. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { missing } from '../support/requires.ts'
import { makeRuntime } from '../support/runtime.ts'
import { makeBundle } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('m')

const SYSCTL = '/proc/sys/vm/memfd_noexec'

// Since 6.3.
const isKnown = existsSync(SYSCTL)

describe.skipIf(missing('root') ?? !isKnown)('vm.memfd_noexec', () => {
  const runUnder = (value: number) => {
    using bundle = makeBundle()
    using runtime = makeRuntime()
    const command = runtime.commandLine(['run', '--bundle', bundle.directory, ID])
    const script = `echo ${value} > ${SYSCTL} && exec "$@"`
    const inside = ['-pf', '--mount-proc', 'sh', '-c', script, 'sh', ...command]
    const { status, stdout, stderr } = spawnSync('unshare', inside, { encoding: 'utf8' })
    return { status, stdout, stderr }
  }

  it('2 forbids the native parts: the error says what to do', () => {
    const { status, stderr } = runUnder(2)
    expect(status).toBe(1)
    expect(stderr).toContain('cannot start tsrun-init: vm.memfd_noexec is 2')
    expect(stderr).toContain('sysctl vm.memfd_noexec=1')
  })

  it('1 lets everything run', () => {
    expect(runUnder(1)).toEqual({ status: 0, stdout: 'hello\n', stderr: '' })
  })
})
