/** tsrun_spawn: what a child gets from Node, and above all what it does not get. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errnoNumber } from '../../src/linux/errno.ts'
import { sealedExecutable, startExecutable, startPlan } from '../../src/native/executor.ts'
import { receiveEventSync, reply } from '../../src/native/executor-protocol.ts'
import { nativeLibrary } from '../../src/native/library.ts'
import { newBatch, runBatchAsync } from '../../src/native/run-batch.ts'
import { reap, streamPair, syscall } from '../../src/native/syscalls.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { encodePlan, PC_NOT_STARTED } from '../../src/plan/wire-format.ts'
import { children, descriptorsOf, newPlan, runInit, startInit, statusField } from './start-init.ts'

const F_DUPFD = 0
const EINVAL = 22
const MSG_NOSIGNAL = 0x4000

let directory = ''
let files: number[] = []

/** Says that it runs and waits for a reply: a child to look at. */
function waitingPlan(): Plan {
  const { b, report } = newPlan()
  b.run('sendto', [report, b.words([5, 0]), 16, MSG_NOSIGNAL, 0, 0])
  b.run('recvfrom', [report, b.zeros(16), 16, 0, 0, 0])
  b.exit(7)
  return b.finish()
}

/** Runs `look` on a waiting child whose descriptors 0, 1, … are `wanted`. */
function lookAtChild(wanted: readonly number[], look: (pid: number) => void): void {
  using init = startInit(encodePlan(waitingPlan()), wanted)
  try {
    expect(receiveEventSync(init.report.fd)).toEqual({ type: 'starting' })
    look(init.child.pid)
  } finally {
    reply(init.report.fd)
    expect(reap(init.child.pidfd.fd, true)).toEqual({ exitCode: 7, signal: 0 })
  }
}

function targets(pid: number | 'self', numbers: readonly number[]): string[] {
  return numbers.map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
}

describe('tsrun_spawn()', () => {
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'tsrun-spawn-'))
    files = ['a', 'b', 'c', 'd'].map((name) => openSync(join(directory, name), 'w+'))
  })
  afterAll(() => {
    for (const fd of files) closeSync(fd)
    rmSync(directory, { recursive: true, force: true })
  })

  it('gives exactly the descriptors, and leaves -1 closed', () => {
    const [a = -1, b = -1, c = -1] = files
    lookAtChild([a, -1, b, -1, c, c], (pid) => {
      // 6 was the plan, which init closes; 7 is the report socket.
      expect(descriptorsOf(pid)).toEqual([0, 2, 4, 5, 7])
      expect(targets(pid, [0, 2, 4, 5])).toEqual(
        ['a', 'b', 'c', 'c'].map((n) => join(directory, n)),
      )
    })
  })

  it('swaps the standard streams', () => {
    lookAtChild([2, 1, 0], (pid) => {
      expect(targets(pid, [0, 1, 2])).toEqual(targets('self', [2, 1, 0]))
    })
  })

  it('swaps descriptors whose numbers are targets of others', () => {
    const [a = -1, b = -1, c = -1] = files
    const wanted = Array.from({ length: Math.max(a, b, c) + 2 }, () => -1)
    wanted[a] = c
    wanted[b] = a
    wanted[c] = b
    lookAtChild(wanted, (pid) => {
      expect(targets(pid, [a, b, c])).toEqual(targets('self', [c, a, b]))
      expect(descriptorsOf(pid)).toEqual([a, b, c, wanted.length + 1].sort((x, y) => x - y))
    })
  })

  it('gives 256 descriptors and refuses 257', () => {
    const [a = -1] = files
    const wanted = Array.from({ length: 254 }, () => a)
    lookAtChild(wanted, (pid) => {
      expect(descriptorsOf(pid)).toHaveLength(255)
    })
    expect(() => startInit(encodePlan(waitingPlan()), [...wanted, a])).toThrow('EINVAL')
  })

  it('passes nothing that Node inherited without O_CLOEXEC (CVE-2024-21626)', () => {
    const [a = -1] = files
    const leaky = syscall('fcntl', [a, F_DUPFD, 200])
    try {
      lookAtChild([0, 1, 2], (pid) => expect(descriptorsOf(pid)).toEqual([0, 1, 2, 4]))
    } finally {
      closeSync(leaky)
    }
  })

  it('resets every signal and its mask, and gives no environment', () => {
    const handler = () => undefined
    process.on('SIGUSR2', handler)
    const sigpipe = 1n << 12n
    expect(BigInt(`0x${statusField('self', 'SigIgn')}`) & sigpipe).toBe(sigpipe)
    lookAtChild([0, 1, 2], (pid) => {
      for (const field of ['SigBlk', 'SigIgn', 'SigCgt', 'SigPnd', 'ShdPnd']) {
        expect(statusField(pid, field), field).toBe('0000000000000000')
      }
      expect(readFileSync(`/proc/${pid}/environ`)).toHaveLength(0)
      expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).toBe('tsrun-init\x003\x00')
    })
    process.off('SIGUSR2', handler)
    expect(statusField('self', 'SigBlk')).toBe('0000000000000000')
  })

  it('starts a child whose executable nobody can write (CVE-2019-5736)', () => {
    lookAtChild([0, 1, 2], (pid) => {
      expect(readlinkSync(`/proc/${pid}/exe`)).toMatch(/^\/memfd:tsrun-init /)
      expect(() => closeSync(openSync(`/proc/${pid}/exe`, 'r+'))).toThrow(/EACCES|EPERM|ETXTBSY/)
    })
  })

  it('returns the errno of a failed exec and leaves neither zombie nor descriptor', () => {
    const script = join(directory, 'not-a-program')
    writeFileSync(script, 'words', { mode: 0o755 })
    const fd = openSync(script, 'r')
    const plain = openSync(join(directory, 'a'), 'r')
    const folder = openSync(directory, 'r')
    const before = descriptorsOf()
    const childrenBefore = children()
    expect(() => startExecutable(fd, ['x'], [0, 1, 2])).toThrow('ENOEXEC')
    expect(() => startExecutable(plain, ['x'], [0, 1, 2])).toThrow('EACCES')
    expect(() => startExecutable(folder, ['x'], [0, 1, 2])).toThrow('EACCES')
    expect(() => startExecutable(9999, ['x'], [0, 1, 2])).toThrow('EBADF')
    expect(() => startExecutable(fd, ['x'], [0, 9999, 2])).toThrow('EBADF')
    expect(descriptorsOf()).toEqual(before)
    expect(children()).toEqual(childrenBefore)
    for (const open of [fd, plain, folder]) closeSync(open)
  })

  it('says on the report socket that a start failed for which nobody waits', () => {
    const path = join(directory, 'neither-elf-nor-script')
    writeFileSync(path, 'words', { mode: 0o755 })
    const program = openSync(path, 'r')
    const before = descriptorsOf()
    try {
      for (let i = 0; i < 20; i++) {
        const [ours, theirs] = streamPair()
        const child = startExecutable(program, ['x'], [0, -1, 2, theirs.fd], theirs.fd)
        theirs.close()
        expect(receiveEventSync(ours.fd)).toEqual({
          type: 'failed',
          pc: PC_NOT_STARTED,
          errno: errnoNumber('ENOEXEC'),
        })
        expect(receiveEventSync(ours.fd)).toEqual({ type: 'end' })
        expect(reap(child.pidfd.fd, true)).toEqual({ exitCode: 127, signal: 0 })
        ours.close()
        child.pidfd.close()
      }
      expect(descriptorsOf()).toEqual(before)
    } finally {
      closeSync(program)
    }
  })

  it('refuses malformed requests', () => {
    const valid = (change: (request: Buffer) => void) => {
      const request = Buffer.alloc(24 + 1024 + 4096)
      request.writeInt32LE(9999, 0)
      request.writeUInt32LE(1, 12)
      request.writeUInt32LE(2, 16)
      request.writeInt32LE(-1, 20)
      request.write('x\0', 24 + 1024)
      change(request)
      return nativeLibrary().spawn(request)
    }
    const EBADF = 9
    expect(valid(() => undefined)).toBe(-EBADF)
    expect(valid((r) => r.writeUInt32LE(257, 8))).toBe(-EINVAL)
    expect(valid((r) => r.writeUInt32LE(0xffffffff, 8))).toBe(-EINVAL)
    expect(valid((r) => r.writeUInt32LE(17, 12))).toBe(-EINVAL)
    expect(valid((r) => r.writeUInt32LE(2, 12))).toBe(-EINVAL)
    expect(valid((r) => r.writeUInt32LE(0, 12))).toBe(-EINVAL)
    expect(valid((r) => r.writeUInt32LE(4097, 16))).toBe(-EINVAL)
    expect(valid((r) => r.writeUInt32LE(1, 16))).toBe(-EINVAL)
    const program = sealedExecutable('tsrun-init').fd
    const many = Array.from({ length: 17 }, () => 'x')
    expect(() => startExecutable(program, many, [0])).toThrow('EINVAL')
    expect(() => startExecutable(program, ['x', 'y'.repeat(4096)], [0])).toThrow('EINVAL')
    expect(() => startExecutable(program, ['x\0y'], [0])).toThrow('EINVAL')
  })
})

describe('startPlan()', () => {
  it('starts more at once than it has memory for set aside', () => {
    const sessions = Array.from({ length: 40 }, () =>
      startPlan(waitingPlan(), { stdio: [0, 1, 2], descriptors: [] }),
    )
    for (const { report, launcher } of sessions) {
      expect(receiveEventSync(report.fd)).toEqual({ type: 'starting' })
      expect(descriptorsOf(launcher.pid)).toEqual([0, 1, 2, 4])
      reply(report.fd)
      expect(reap(launcher.pidfd.fd, true)).toEqual({ exitCode: 7, signal: 0 })
    }
    for (const session of sessions) session[Symbol.dispose]()
    expect(children()).toEqual([])
  })

  it('leaves no descriptor when the start fails', () => {
    sealedExecutable('tsrun-init')
    const before = descriptorsOf()
    for (let i = 0; i < 20; i++) {
      expect(() => startPlan(waitingPlan(), { stdio: [0, 1, 9999], descriptors: [] })).toThrow(
        'EBADF',
      )
    }
    expect(descriptorsOf()).toEqual(before)
  })

  it('leaves no descriptor over 1,000 plans that fail at different instructions', () => {
    sealedExecutable('tsrun-init')
    const plans = Array.from({ length: 10 }, (_, calls) => {
      const { b } = newPlan()
      for (let i = 0; i < calls; i++) b.sys('openat', [-100, b.string('/dev/null'), 0, 0])
      b.run('openat', [-100, b.string('/no/such/file'), 0, 0])
      return b
    })
    const before = descriptorsOf()
    const childrenBefore = children()
    for (let i = 0; i < 1000; i++) {
      const point = i % plans.length
      const { event, exit } = runInit(plans[point] ?? newPlan().b)
      expect(event).toEqual({ type: 'failed', pc: point, errno: 2 })
      expect(exit).toEqual({ exitCode: 121, signal: 0 })
    }
    expect(descriptorsOf()).toEqual(before)
    expect(children()).toEqual(childrenBefore)
  }, 60_000)

  it('starts plans while other threads run and signals arrive', async () => {
    let signals = 0
    const count = () => signals++
    process.on('SIGUSR2', count)
    const sender = spawn('/bin/sh', ['-c', `while kill -USR2 ${process.pid}; do :; done`])
    const busy = newBatch()
    const pid = busy.slot('pid')
    for (let i = 0; i < 20_000; i++) busy.sys('getpid', [], { into: pid })
    const plan = busy.finish()
    const { b } = newPlan()
    b.exit(7)
    const image = encodePlan(b.finish())
    for (let i = 0; i < 15; i++) {
      const others = Promise.all([
        runBatchAsync(plan),
        runBatchAsync(plan),
        readFile('/proc/self/maps'),
      ])
      for (let k = 0; k < 5; k++) expect(runInit(image).exit).toEqual({ exitCode: 7, signal: 0 })
      expect(() => startExecutable(9999, ['x'], [0])).toThrow('EBADF')
      const [first] = await others
      expect(first.value(pid)).toBe(process.pid)
    }
    sender.kill('SIGKILL')
    await once(sender, 'close')
    process.off('SIGUSR2', count)
    expect(signals).toBeGreaterThan(0)
  }, 60_000)
})
