/** The records of a plan: what compiled plans send is what Node reads, and nothing else is read. */
import { describe, expect, it } from 'vitest'
import {
  decodeEvent,
  RECORD_SIZE,
  RECORD_TYPES,
  receiveEvent,
  receiveEventSync,
  reply,
  SYNC_POINTS,
  type SyncPoint,
} from '../../src/native/executor-protocol.ts'
import type { OwnedFd } from '../../src/native/owned-fd.ts'
import { newBatch, runBatch } from '../../src/native/run-batch.ts'
import { reap, seqpacketPair, streamPair } from '../../src/native/syscalls.ts'
import { emitRecord, emitSync } from '../../src/plan/compile/report-records.ts'
import { encodePlan } from '../../src/plan/wire-format.ts'
import { newPlan, runInit, startInit } from './start-init.ts'

const EXIT_ABANDONED = 122

function record(type: number, a: number, b: number): Buffer {
  const bytes = Buffer.alloc(RECORD_SIZE)
  bytes.writeUInt32LE(type, 0)
  bytes.writeUInt32LE(a, 4)
  bytes.writeInt32LE(b, 8)
  return bytes
}

function send(fd: number, bytes: Buffer): void {
  const batch = newBatch()
  batch.run('sendto', [fd, batch.bytes(bytes), bytes.length, 0, 0, 0])
  runBatch(batch)
}

describe('receiveEvent()', () => {
  it.each([
    ['stream', streamPair],
    ['seqpacket', seqpacketPair],
  ])('hears the last word of a plan that left an answer unread: %s', async (_kind, pair) => {
    const [ours, theirs] = pair()
    using report = ours
    send(theirs.fd, record(RECORD_TYPES.failed, 7, 13))
    expect(reply(report.fd, 1)).toBe(true)
    theirs.close()
    expect(await receiveEvent(report.fd)).toEqual({ type: 'failed', pc: 7, errno: 13 })
    expect(await receiveEvent(report.fd)).toEqual({ type: 'end' })
    expect(reply(report.fd, 1)).toBe(false)
  })
})

describe('decodeEvent()', () => {
  it('reads each record', () => {
    const decode = (bytes: Buffer) => decodeEvent(bytes, RECORD_SIZE)
    expect(decode(record(RECORD_TYPES.failed, 7, 13))).toEqual({ type: 'failed', pc: 7, errno: 13 })
    expect(decode(record(RECORD_TYPES.pid, 0, 99))).toEqual({ type: 'pid', pid: 99 })
    expect(decode(record(RECORD_TYPES.exited, 0, 256))).toEqual({ type: 'exited', status: 256 })
    expect(decode(record(RECORD_TYPES.starting, 0, 0))).toEqual({ type: 'starting' })
    expect(decodeEvent(Buffer.alloc(RECORD_SIZE), 0)).toEqual({ type: 'end' })
    expect(decodeEvent(Buffer.alloc(RECORD_SIZE), -104)).toEqual({ type: 'end' })
  })

  it('refuses torn and unknown records', () => {
    expect(() => decodeEvent(record(RECORD_TYPES.pid, 0, 1), 15)).toThrow('a report of 15 bytes')
    expect(() => decodeEvent(record(0, 0, 0), RECORD_SIZE)).toThrow('a report of type 0')
    expect(() => decodeEvent(record(77, 0, 0), RECORD_SIZE)).toThrow('a report of type 77')
    expect(() => decodeEvent(record(RECORD_TYPES.sync, 0, 9), RECORD_SIZE)).toThrow('sync point 9')
  })
})

describe('emitRecord() and emitSync()', () => {
  it.each(['pid', 'exited', 'starting'] as const)('send %s as Node reads it', (type) => {
    const { b, report } = newPlan()
    emitRecord(b, report, type, 1234)
    const { event } = runInit(b)
    expect(event.type).toBe(type)
    expect(Object.values(event).slice(1)).toEqual(type === 'starting' ? [] : [1234])
  })

  it.each(Object.keys(SYNC_POINTS) as SyncPoint[])('wait at sync %s for Node', (point) => {
    const { b, report } = newPlan()
    emitSync(b, report, point)
    b.exit(1)
    const image = encodePlan(b.finish())
    const runUntilSync = (answer: (fd: OwnedFd) => void) => {
      using init = startInit(image)
      expect(receiveEventSync(init.report.fd)).toEqual({ type: 'sync', point, descriptor: 0 })
      answer(init.report)
      return reap(init.child.pidfd.fd, true)?.exitCode
    }
    expect(runUntilSync((fd) => reply(fd.fd))).toBe(1)
    expect(runUntilSync((fd) => fd.close())).toBe(EXIT_ABANDONED)
  })
})

describe('receiveEvent()', () => {
  it('keeps records apart on a stream, and ends with it', async () => {
    const [ours, theirs] = streamPair()
    using closing = ours
    send(
      theirs.fd,
      Buffer.concat([record(RECORD_TYPES.pid, 0, 5), record(RECORD_TYPES.sync, 0, 1)]),
    )
    expect(await receiveEvent(closing.fd)).toEqual({ type: 'pid', pid: 5 })
    expect(receiveEventSync(closing.fd)).toEqual({ type: 'sync', point: 'mappings', descriptor: 0 })
    const waiting = receiveEvent(closing.fd)
    send(theirs.fd, record(RECORD_TYPES.exited, 0, 9))
    expect(await waiting).toEqual({ type: 'exited', status: 9 })
    const end = receiveEvent(closing.fd)
    theirs.close()
    expect(await end).toEqual({ type: 'end' })
  })
})
