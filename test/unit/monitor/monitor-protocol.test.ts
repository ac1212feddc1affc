import { describe, expect, it } from 'vitest'
import {
  decodeControl,
  encodeControl,
  encodeFrame,
  encodeMonitorConfig,
  FrameDecoder,
} from '../../../src/monitor/monitor-protocol.ts'

const config = {
  terminal: true,
  input: false,
  inputOnce: true,
  rows: 24,
  columns: 80,
  descriptorCount: 7,
  initArgument: '3',
  logFile: 'log',
  logMaxSize: 1e6,
  logMaxFiles: 3,
  timeoutMs: 5000,
  tetherCount: 1,
  check: {
    retries: 3,
    intervalMs: 30_000,
    timeoutMs: 2000,
    startPeriodMs: 1,
    startIntervalMs: 4,
    action: 'stop',
  },
  stopSignal: 15,
  stopTimeoutMs: undefined,
  cleanup: ['/bin/tsrun', 'clean'],
} as const

describe('encodeMonitorConfig()', () => {
  it('lays header and strings out', () => {
    const bytes = encodeMonitorConfig(config)
    expect(bytes.toString('latin1', 0, 4)).toBe('TSRM')
    expect(bytes.readUInt16LE(6)).toBe(5)
    expect(bytes.toString('latin1', 80)).toBe('3\0log\0/bin/tsrun\0clean\0')
    const words = Array.from({ length: 14 }, (_, i) => bytes.readUInt32LE(24 + i * 4))
    expect(words).toEqual([
      ...[5000, 1, 1e6, 0, 3],
      ...[3, 30_000, 2000, 1, 4, 2],
      ...[15, 0xffffffff, 0],
    ])
  })

  it('says no log by an empty name and no check by no retries', () => {
    const bytes = encodeMonitorConfig({ ...config, logFile: undefined, check: undefined })
    expect(bytes.toString('latin1', 80)).toBe('3\0\0/bin/tsrun\0clean\0')
    expect(bytes.subarray(44, 68).every((byte) => byte === 0)).toBe(true)
  })

  it('refuses a command that is too long', () => {
    expect(() => encodeMonitorConfig({ ...config, cleanup: ['x'.repeat(5000)] })).toThrow(
      /clean-up command/,
    )
  })
})

describe('decodeControl()', () => {
  it('reads hello, failures and the end', () => {
    const hello = encodeControl('hello', 42)
    expect(decodeControl(hello, 16)).toEqual({ type: 'hello', pid: 42 })
    const failed = encodeControl('failed', 13)
    failed.writeUInt32LE(4, 4)
    expect(decodeControl(failed, 16)).toEqual({ type: 'failed', step: 'listen', errno: 13 })
    expect(decodeControl(Buffer.alloc(16), 0)).toEqual({ type: 'end' })
  })

  it('refuses a torn record', () => {
    expect(() => decodeControl(encodeControl('hello', 1), 7)).toThrow(/7 bytes/)
  })
})

describe('FrameDecoder', () => {
  const frame = (type: number, text: string) => {
    const bytes = Buffer.alloc(8 + text.length)
    bytes.writeUInt32LE(type, 0)
    bytes.writeUInt32LE(text.length, 4)
    bytes.write(text, 8)
    return bytes
  }

  it('joins frames that arrive in pieces', () => {
    const bytes = Buffer.concat([frame(1, 'out'), frame(2, 'error'), frame(3, '')])
    const decoder = new FrameDecoder()
    const frames = [...bytes].flatMap((byte) => decoder.push(Buffer.from([byte])))
    expect(frames.map(({ type, payload }) => [type, payload.toString()])).toEqual([
      ['stdout', 'out'],
      ['stderr', 'error'],
      ['attached', ''],
    ])
  })

  it('refuses unknown types and lengths', () => {
    expect(() => new FrameDecoder().push(frame(9, ''))).toThrow(/type 9/)
    const long = frame(1, '')
    long.writeUInt32LE(1 << 20, 4)
    expect(() => new FrameDecoder().push(long)).toThrow(/1048576/)
  })
})

describe('encodeFrame()', () => {
  it('refuses what the monitor would not take', () => {
    expect(() => encodeFrame('input', new Uint8Array(8193))).toThrow(RangeError)
  })
})
