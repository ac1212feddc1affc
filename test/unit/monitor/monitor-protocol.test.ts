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
  cleanup: ['/bin/tsrun', 'clean'],
}

describe('encodeMonitorConfig()', () => {
  it('lays header and strings out', () => {
    const bytes = encodeMonitorConfig(config)
    expect(bytes.toString('latin1', 0, 4)).toBe('TSRM')
    expect(bytes.readUInt16LE(6)).toBe(5)
    expect(bytes.toString('latin1', 24)).toBe('3\0/bin/tsrun\0clean\0')
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
