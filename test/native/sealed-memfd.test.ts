/** sealedMemfd(): whole or not at all, and unchangeable. */
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { newBatch, runBatch } from '../../src/native/run-batch.ts'
import { sealedMemfd } from '../../src/native/syscalls.ts'
import { descriptorsOf } from './start-init.ts'

const RLIMIT_FSIZE = 1

/** Runs `action` while no file of this process may grow beyond `limit` bytes (setrlimit(2)). */
function withFileSizeLimit(limit: number, action: () => void): void {
  const ignore = () => undefined
  process.on('SIGXFSZ', ignore)
  const batch = newBatch()
  const old = batch.zeros(16)
  batch.run('prlimit64', [0, RLIMIT_FSIZE, 0, old])
  const saved = runBatch(batch).bytes(old)
  const set = (soft: bigint) => {
    const setting = newBatch()
    setting.run('prlimit64', [0, RLIMIT_FSIZE, setting.words([soft, saved.readBigUInt64LE(8)]), 0])
    runBatch(setting)
  }
  set(BigInt(limit))
  try {
    action()
  } finally {
    set(saved.readBigUInt64LE(0))
    process.off('SIGXFSZ', ignore)
  }
}

describe('sealedMemfd()', () => {
  it('cannot be changed, grown, shrunk or unsealed', () => {
    using memfd = sealedMemfd('test', Buffer.from('content'), false)
    expect(readFileSync(`/proc/self/fd/${memfd.fd}`, 'latin1')).toBe('content')
    expect(() => writeSync(memfd.fd, 'x', 0)).toThrow('EPERM')
    expect(() => ftruncateSync(memfd.fd, 3)).toThrow('EPERM')
    expect(() => ftruncateSync(memfd.fd, 30)).toThrow('EPERM')
    const batch = newBatch()
    const seals = batch.sys('fcntl', [memfd.fd, 1034, 0])
    expect(runBatch(batch).value(seals) & 15).toBe(15)
  })

  it('is executable only when asked for', () => {
    using plain = sealedMemfd('test', Buffer.from('x'), false)
    using program = sealedMemfd('test', Buffer.from('x'), true)
    expect(statSync(`/proc/self/fd/${program.fd}`).mode & 0o111).toBe(0o111)
    const kernel = readFileSync('/proc/sys/kernel/osrelease', 'latin1').split('.').map(Number)
    const knowsNoExec = (kernel[0] ?? 0) > 6 || (kernel[0] === 6 && (kernel[1] ?? 0) >= 3)
    if (knowsNoExec) expect(statSync(`/proc/self/fd/${plain.fd}`).mode & 0o111).toBe(0)
  })

  it('fails without a descriptor left when the content does not fit whole', () => {
    const before = descriptorsOf()
    withFileSizeLimit(100, () => {
      expect(() => sealedMemfd('test', Buffer.alloc(5000), false)).toThrow('EFBIG')
    })
    expect(() => sealedMemfd('x'.repeat(300), Buffer.alloc(1), false)).toThrow('EINVAL')
    expect(descriptorsOf()).toEqual(before)
  })

  it('takes empty and large content', () => {
    using empty = sealedMemfd('test', Buffer.alloc(0), false)
    expect(readFileSync(`/proc/self/fd/${empty.fd}`)).toHaveLength(0)
    const content = Buffer.alloc(3 << 20, 'tsrun')
    using large = sealedMemfd('test', content, false)
    const copy = openSync(`/proc/self/fd/${large.fd}`, 'r')
    expect(readFileSync(copy).equals(content)).toBe(true)
    closeSync(copy)
  })
})
