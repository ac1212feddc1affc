/** tsrun-init as a process: status, reports, signals and size. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CLONE_NEWNS, CLONE_VFORK, CLONE_VM } from '../../src/linux/namespaces.ts'
import { receiveEventSync, reply } from '../../src/native/executor-protocol.ts'
import { nativePart } from '../../src/native/library.ts'
import { newBatch, runBatch, runBatchAsync } from '../../src/native/run-batch.ts'
import {
  hasEnded,
  pidfdSendSignal,
  pollOperands,
  reap,
  sealedMemfd,
  seqpacketPair,
} from '../../src/native/syscalls.ts'
import { cloneArgs } from '../../src/plan/compile/kernel-structs.ts'
import { encodePlan, PC_REFUSED, REFUSALS } from '../../src/plan/wire-format.ts'
import { fuzzSeeds } from './fuzz-seeds.ts'
import { descriptorsOf, newPlan, runInit, startInit, statusField } from './start-init.ts'

const CLONE_FS = 0x200
const EXIT_REFUSED = 120
const EXIT_FAILED = 121
const SIGKILL = 9
const SIGPIPE = 13
const SIGCHLD = 17
const SIGCONT = 18
const SIGSTOP = 19

describe('tsrun-init', () => {
  it.each([
    [0, 0],
    [1, 1],
    [255, 255],
    [256, 0],
    [-1, 255],
  ])('exit %d ends with status %d', (status, exitCode) => {
    const { b } = newPlan()
    b.exit(status)
    expect(runInit(b)).toEqual({ event: { type: 'end' }, exit: { exitCode, signal: 0 } })
  })

  it('ends with status 0 behind the last instruction', () => {
    expect(runInit(newPlan().b).exit).toEqual({ exitCode: 0, signal: 0 })
  })

  it('hands the descriptors to the first slots, in order', () => {
    const devNull = openSync('/dev/null', 'r+')
    const { b, report } = newPlan()
    const first = b.descriptor('first')
    const second = b.descriptor('second')
    const place = b.compute(report, 'shl', 8)
    b.compute(place, 'or', first, place)
    b.compute(place, 'sub', second, place)
    b.exit(place)
    // Plan at 3, report at 4, first at 5, second at 6: (4 << 8 | 5) - 6, of which exit keeps 8 bits.
    const { exit } = runInit(b, [devNull, devNull])
    expect(exit?.exitCode).toBe(((4 << 8) | (5 - 6)) & 255)
    closeSync(devNull)
  })

  it('reports the instruction and the errno of a failure', () => {
    const { b } = newPlan()
    b.run('getpid', [])
    b.run('openat', [-100, b.string('/no/such/file'), 0, 0])
    expect(runInit(b)).toEqual({
      event: { type: 'failed', pc: 1, errno: 2 },
      exit: { exitCode: EXIT_FAILED, signal: 0 },
    })
  })

  it('goes on in a longer plan, with the slots and the data that it has', () => {
    const { b } = newPlan()
    const whole = b.descriptor('plan')
    const data = b.zeros(8)
    const kept = b.sys('getpid', [])
    b.store(4, data, 0, 39)
    const pointer = b.words([data, 8])
    b.extend(whole)
    const beginning = encodePlan(b.finish())
    const read = b.zeros(8)
    // The pointer from before leads to the new plan's own memory.
    b.store(4, data, 0, 40)
    b.run('process_vm_readv', [kept, b.words([read, 8]), 1, pointer, 1, 0])
    const own = b.sys('getpid', [])
    const same = b.label()
    b.branch(own, 'eq', kept, same)
    b.exit(1)
    b.place(same)
    b.exit(b.compute(b.load(8, read), 'add', 2))
    using file = sealedMemfd('longer-plan', encodePlan(b.finish()), false)
    expect(runInit(beginning, [file.fd])).toEqual({
      event: { type: 'end' },
      exit: { exitCode: 42, signal: 0 },
    })
  })

  it('clones a child in its memory, with slots and data of its own', () => {
    const { b } = newPlan()
    const data = b.zeros(8)
    const value = b.slot('value')
    const pointer = b.words([data, 8])
    const read = b.zeros(8)
    b.set(value, 20)
    b.store(4, data, 0, 20)
    const parent = b.label()
    const pid = b.clone(cloneArgs(b, CLONE_VM | CLONE_VFORK, SIGCHLD))
    b.branch(pid, 'ne', 0, parent)
    // The child's: the parent waits meanwhile (CLONE_VFORK), and must not see them.
    b.compute(value, 'add', 1, value)
    b.store(4, data, 0, 21)
    b.run('process_vm_readv', [b.sys('getpid', []), b.words([read, 8]), 1, pointer, 1, 0])
    b.exit(b.compute(b.load(4, read), 'add', value))
    b.place(parent)
    const status = b.zeros(8)
    b.run('wait4', [pid, status, 0, 0])
    const child = b.compute(b.load(4, status), 'shr', 8)
    // 42 of the child, 20 each of the parent's own.
    b.exit(b.compute(b.compute(child, 'add', value), 'add', b.load(4, data)))
    expect(runInit(b)).toEqual({ event: { type: 'end' }, exit: { exitCode: 82, signal: 0 } })
  })

  it('reports the errno of a clone', () => {
    const { b } = newPlan()
    b.clone(cloneArgs(b, CLONE_FS | CLONE_NEWNS, SIGCHLD))
    expect(runInit(b)).toEqual({
      event: { type: 'failed', pc: 0, errno: 22 },
      exit: { exitCode: EXIT_FAILED, signal: 0 },
    })
  })

  it('refuses to go on in what is no plan, or no longer one', () => {
    const part = () => {
      const { b } = newPlan()
      const whole = b.descriptor('plan')
      b.zeros(16)
      b.slot('value')
      b.run('getpid', [])
      b.extend(whole)
      return b
    }
    const shorter = newPlan().b
    shorter.descriptor('plan')
    const lessData = newPlan().b
    const slot = lessData.descriptor('plan')
    for (const _ of [1, 2, 3]) lessData.set(lessData.slot('value'), slot)
    for (const [what, image, refusal] of [
      ['garbage', Buffer.from('not a plan, but long enough for its header'), 'header'],
      ['nothing', Buffer.alloc(0), 'length'],
      ['a plan that ends before', encodePlan(shorter.finish()), 'length'],
      ['a plan with less data', encodePlan(lessData.finish()), 'length'],
    ] as const) {
      using file = sealedMemfd('longer-plan', image, false)
      expect(runInit(encodePlan(part().finish()), [file.fd]), what).toEqual({
        event: { type: 'failed', pc: PC_REFUSED, errno: REFUSALS.indexOf(refusal) },
        exit: { exitCode: EXIT_REFUSED, signal: 0 },
      })
    }
  })

  it('reports to where slot 0 points by then', () => {
    const [ours, theirs] = seqpacketPair()
    using closingOurs = ours
    using closingTheirs = theirs
    const { b, report } = newPlan()
    const other = b.descriptor('other')
    b.set(report, other)
    b.fail(5)
    const { event } = runInit(b, [closingTheirs.fd])
    expect(event).toEqual({ type: 'end' })
    expect(receiveEventSync(closingOurs.fd)).toEqual({ type: 'failed', pc: 1, errno: 5 })
  })

  it('sends nothing for a plan without descriptors', () => {
    const b = newBatch()
    const copy = b.sys('fcntl', [4, 0, 4])
    b.fail(copy)
    expect(copy.index).toBe(0)
    expect(runInit(b)).toEqual({
      event: { type: 'end' },
      exit: { exitCode: EXIT_FAILED, signal: 0 },
    })
  })

  it('is not killed by SIGPIPE when nobody listens to its failure', () => {
    const { b, report } = newPlan()
    const AF_UNIX = 1
    const SOCK_STREAM = 1
    const pair = b.zeros(8)
    b.run('socketpair', [AF_UNIX, SOCK_STREAM, 0, pair])
    b.run('close', [b.load(4, pair, 4)])
    b.set(report, b.load(4, pair))
    b.fail(5)
    expect(runInit(b).exit).toEqual({ exitCode: EXIT_FAILED, signal: 0 })
  })

  it('starts with SIGPIPE at its default', () => {
    const { b } = newPlan()
    const pipe = b.zeros(8)
    b.run('pipe2', [pipe, 0])
    b.run('close', [b.load(4, pipe)])
    b.run('write', [b.load(4, pipe, 4), pipe, 8])
    expect(runInit(b).exit).toEqual({ exitCode: 128 + SIGPIPE, signal: SIGPIPE })
  })

  it('waits on after it was stopped and continued', () => {
    const { b, report } = newPlan()
    b.run('sendto', [report, b.words([5, 0]), 16, 0, 0, 0])
    b.run('recvfrom', [report, b.zeros(16), 16, 0, 0, 0])
    b.exit(9)
    using init = startInit(encodePlan(b.finish()))
    expect(receiveEventSync(init.report.fd)).toEqual({ type: 'starting' })
    for (let i = 0; i < 20; i++) {
      pidfdSendSignal(init.child.pidfd.fd, SIGSTOP)
      pidfdSendSignal(init.child.pidfd.fd, SIGCONT)
    }
    expect(hasEnded(init.child.pidfd.fd)).toBe(false)
    reply(init.report.fd)
    expect(reap(init.child.pidfd.fd, true)).toEqual({ exitCode: 9, signal: 0 })
  })

  it('takes below 1 MB while it waits, with the plan of a whole container', () => {
    const { b, report } = newPlan()
    b.bytes(encodePlan(fuzzSeeds().get('default-create') ?? b.finish()))
    b.run('sendto', [report, b.words([5, 0]), 16, 0, 0, 0])
    b.run('recvfrom', [report, b.zeros(16), 16, 0, 0, 0])
    using init = startInit(encodePlan(b.finish()))
    expect(receiveEventSync(init.report.fd)).toEqual({ type: 'starting' })
    const resident = Number.parseInt(statusField(init.child.pid, 'VmRSS'), 10)
    expect(resident).toBeGreaterThan(0)
    expect(resident).toBeLessThan(1024)
    pidfdSendSignal(init.child.pidfd.fd, SIGKILL)
    expect(reap(init.child.pidfd.fd, true)?.signal).toBe(SIGKILL)
  })

  it('stays small', () => {
    expect(nativePart('tsrun-init').length).toBeLessThan(16_384)
    expect(nativePart('libtsrun.so').length).toBeLessThan(20_480)
  })
})

describe('tsrun_run()', () => {
  it('makes an interrupted call again', async () => {
    let signals = 0
    const count = () => signals++
    process.on('SIGUSR2', count)
    const sender = spawn('/bin/sh', [
      '-c',
      `read go; for i in 1 2 3 4 5 6 7 8 9 10; do kill -USR2 ${process.pid}; sleep 0.02; done`,
    ])
    sender.stdin.end('go\n')
    const batch = newBatch()
    const [idle, peer] = seqpacketPair()
    const ready = batch.sys('ppoll', pollOperands(batch, idle.fd, 700))
    expect(runBatch(batch).value(ready)).toBe(0)
    await once(sender, 'close')
    idle.close()
    peer.close()
    process.off('SIGUSR2', count)
    expect(signals).toBeGreaterThan(0)
  })

  it('waits in a thread of its own when it is asked to', async () => {
    const [ours, theirs] = seqpacketPair()
    using closingOurs = ours
    using closingTheirs = theirs
    const batch = newBatch()
    const buffer = batch.zeros(16)
    const length = batch.sys('recvfrom', [closingOurs.fd, buffer, 16, 0, 0, 0])
    const waiting = runBatchAsync(batch)
    reply(closingTheirs.fd, 42)
    const result = await waiting
    expect(result.value(length)).toBe(16)
    expect(result.bytes(buffer).toString('latin1').trim()).toBe('42')
  })

  it('leaves no descriptor behind 1,000 batches that fail', () => {
    const before = descriptorsOf()
    for (let i = 0; i < 1000; i++) {
      const batch = newBatch()
      batch.run('openat', [-100, batch.string('/no/such'), 0, 0])
      expect(() => runBatch(batch)).toThrow('ENOENT')
    }
    expect(descriptorsOf()).toEqual(before)
  })
})
