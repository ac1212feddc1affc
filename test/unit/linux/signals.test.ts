import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { parseSignal, signalName } from '../../../src/linux/signals.ts'

describe('signals', () => {
  it('parseSignal() agrees with the running system for every name Node knows', () => {
    for (const [name, number] of Object.entries(constants.signals)) {
      expect(parseSignal(name), name).toBe(number)
    }
  })

  it.each([
    ['9', 9],
    ['0', 0],
    ['64', 64],
    ['KILL', 9],
    ['kill', 9],
    ['sigterm', 15],
    ['SIGRTMIN', 34],
    ['RTMIN+3', 37],
    ['sigrtmin+30', 64],
    ['RTMAX', 64],
    ['SIGRTMAX-30', 34],
  ])('parseSignal() takes %s', (text, number) => {
    expect(parseSignal(text)).toBe(number)
  })

  it.each([
    '',
    '65',
    '-9',
    '+9',
    '9 ',
    '1e1',
    '0x9',
    'SIG',
    'SIGSIGKILL',
    'RTMIN+31',
    'RTMAX-31',
    'RTMIN-1',
    'toString',
    '__proto__',
    '٣',
    '9\0',
  ])('parseSignal() refuses %j', (text) => {
    expect(parseSignal(text)).toBeUndefined()
  })

  it('signalName() names standard, real-time and unknown signals', () => {
    expect(signalName(15)).toBe('SIGTERM')
    expect(signalName(34)).toBe('SIGRTMIN')
    expect(signalName(37)).toBe('SIGRTMIN+3')
    expect(signalName(32)).toBe('signal 32')
    expect(signalName(99)).toBe('signal 99')
  })
})
