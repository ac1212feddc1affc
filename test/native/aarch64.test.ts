/** The executor for aarch64: cross-compiled, and run under QEMU's user mode on plans of its numbers. */
import { spawnSync } from 'node:child_process'
import {
  accessSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeEvent, type ExecutorEvent, RECORD_SIZE } from '../../src/native/executor-protocol.ts'
import { newBatch, runBatch } from '../../src/native/run-batch.ts'
import { seqpacketPair } from '../../src/native/syscalls.ts'
import { PlanBuilder } from '../../src/plan/plan-builder.ts'
import { encodePlan, PC_REFUSED } from '../../src/plan/wire-format.ts'

const TOOLS = {
  'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu and linux-libc-dev-arm64-cross',
  'aarch64-linux-gnu-objdump': 'binutils-aarch64-linux-gnu',
  'qemu-aarch64': 'qemu-user',
}
const nativeBindings = fileURLToPath(new URL('../../native-bindings', import.meta.url))
const executable = join(nativeBindings, 'build/aarch64/tsrun-init')
const library = join(nativeBindings, 'build/aarch64/libtsrun.so')
const missing = Object.entries(TOOLS)
  .filter(([tool]) => !isOnPath(tool))
  .map(([tool, packages]) => `${tool} (Debian: ${packages})`)
const needs = missing.length === 0 ? '' : `needs ${missing.join(', ')}`

let directory = ''

function isOnPath(tool: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK)
      return true
    } catch {
      return false // not there, or not for us: the next folder may have it
    }
  })
}

function newPlan() {
  const b = new PlanBuilder('aarch64')
  return { b, report: b.descriptor('report') }
}

/** Runs `plan` with standard streams, the plan at 3 and the report socket at 4. */
function run(plan: PlanBuilder | Buffer): { status: number | null; event: ExecutorEvent } {
  const file = join(directory, 'plan')
  writeFileSync(file, plan instanceof PlanBuilder ? encodePlan(plan.finish()) : plan)
  const planFd = openSync(file, 'r')
  const [ours, theirs] = seqpacketPair()
  using closingOurs = ours
  const { status, error } = spawnSync('qemu-aarch64', [executable, '3'], {
    stdio: ['ignore', 'ignore', 'inherit', planFd, theirs.fd],
  })
  closeSync(planFd)
  theirs.close()
  expect(error).toBeUndefined()
  const batch = newBatch()
  const buffer = batch.zeros(RECORD_SIZE)
  const length = batch.sys('recvfrom', [closingOurs.fd, buffer, RECORD_SIZE, 0, 0, 0])
  const received = runBatch(batch)
  return { status, event: decodeEvent(received.bytes(buffer), received.value(length)) }
}

describe.skipIf(needs !== '')(`tsrun-init for aarch64 ${needs}`, () => {
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'tsrun-aarch64-'))
    const make = spawnSync('make', ['-s', '-C', nativeBindings, 'ARCH=aarch64'], {
      encoding: 'utf8',
    })
    expect(make.stderr).toBe('')
    expect(make.status).toBe(0)
  }, 120_000)
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  it('is a static executable without an interpreter or relocations', () => {
    const { stdout } = spawnSync('aarch64-linux-gnu-objdump', ['-p', executable], {
      encoding: 'utf8',
    })
    expect(stdout).toContain('elf64-littleaarch64')
    expect(stdout).not.toMatch(/INTERP|DYNAMIC/)
    expect(stdout).toMatch(/STACK.*\n.*flags rw-/)
    expect(readFileSync(executable).length).toBeLessThan(80_000)
  })

  it('comes with a library that needs no other: gcc has calls for atomic operations there', () => {
    const { stdout } = spawnSync('aarch64-linux-gnu-objdump', ['-T', library], { encoding: 'utf8' })
    expect(stdout).toContain('tsrun_spawn')
    expect(stdout).not.toContain('*UND*')
  })

  it('makes system calls, branches, and ends with a status', () => {
    const { b, report } = newPlan()
    const pid = b.sys('getpid', [])
    const good = b.label()
    b.branch(pid, 'gt', 0, good)
    b.exit(1)
    b.place(good)
    const fd = b.sys('openat', [-100, b.string(join(directory, 'made')), 0o102, 0o600])
    b.run('write', [fd, b.string('from aarch64\n'), 13])
    b.run('close', [fd])
    const record = b.words([2, 0])
    b.store(4, record, 8, pid)
    b.run('sendto', [report, record, 16, 0x4000, 0, 0])
    b.exit(42)
    const { status, event } = run(b)
    expect(status).toBe(42)
    expect(event).toEqual({ type: 'pid', pid: expect.any(Number) })
    expect(readFileSync(join(directory, 'made'), 'latin1')).toBe('from aarch64\n')
  })

  it('passes six operands, relocated addresses and wide arithmetic', () => {
    const { b } = newPlan()
    const target = join(directory, 'vector')
    const fd = b.sys('openat', [-100, b.string(target), 0o102, 0o600])
    const iov = b.words([b.string('one '), 4, b.string('two'), 3])
    const written = b.sys('writev', [fd, iov, 2])
    const address = b.sys('mmap', [0, 4096, 3, 0x22, -1, 0])
    const unaligned = b.sys('mmap', [0, 4096, 3, 0x22, -1, 1], { tolerate: ['EINVAL'] })
    const wide = b.slot('wide')
    b.set(wide, -1)
    b.compute(wide, 'shr', 60, wide)
    const bad = b.label()
    b.branch(written, 'ne', 7, bad)
    b.branch(address, 'lt', 4096, bad)
    b.branch(unaligned, 'ne', -22, bad)
    b.branch(wide, 'ne', 15, bad)
    b.exit(0)
    b.place(bad)
    b.exit(1)
    expect(run(b).status).toBe(0)
    expect(readFileSync(target, 'latin1')).toBe('one two')
  })

  it('reports a failure with its instruction and errno', () => {
    const { b } = newPlan()
    b.run('getpid', [])
    b.run('openat', [-100, b.string('/no/such/file'), 0, 0])
    expect(run(b)).toEqual({ status: 121, event: { type: 'failed', pc: 1, errno: 2 } })
  })

  it('refuses a malformed plan', () => {
    const { b } = newPlan()
    b.exit(0)
    const image = encodePlan(b.finish())
    image.writeUInt8(99, 32)
    expect(run(image)).toEqual({ status: 120, event: { type: 'failed', pc: PC_REFUSED, errno: 3 } })
  })

  it('becomes another program, which QEMU lets the host run', () => {
    const { b } = newPlan()
    const args = b.stringArray(['sh', '-c', 'exit "$1"', 'sh', '33'])
    b.run('execve', [b.string('/bin/sh'), args, b.stringArray([])])
    expect(run(b)).toEqual({ status: 33, event: { type: 'end' } })
  })
})
