import { describe, expect, it } from 'vitest'
import type { ImageProcess } from '../../../src/oci/image.ts'
import {
  containerHostname,
  mergeArguments,
  stopSignal,
  workingDirectory,
} from '../../../src/spec/command.ts'

const IMAGE: ImageProcess = { Entrypoint: ['/entry'], Cmd: ['serve', '-v'], WorkingDir: 'srv' }

describe('mergeArguments()', () => {
  it.each([
    [IMAGE, {}, ['/entry', 'serve', '-v']],
    [IMAGE, { command: ['sh'] }, ['/entry', 'sh']],
    [IMAGE, { entrypoint: ['/own'] }, ['/own']],
    [IMAGE, { entrypoint: ['/own'], command: ['x'] }, ['/own', 'x']],
    [IMAGE, { entrypoint: [], command: ['x'] }, ['x']],
    [{ Cmd: ['sh'] }, {}, ['sh']],
    [undefined, { command: ['x'] }, ['x']],
    [IMAGE, { init: true }, ['/run/tsrun-init', '--', '/entry', 'serve', '-v']],
  ])('merges %j with %j', (image, options, expected) => {
    expect(mergeArguments(image, options)).toEqual(expected)
  })

  it('refuses an image without a command, also when the entrypoint is cleared', () => {
    expect(() => mergeArguments({}, {})).toThrow('it has no command and none was given')
    expect(() => mergeArguments(IMAGE, { entrypoint: [] })).toThrow('it has no command')
    expect(() => mergeArguments({}, { command: ['a\0'] })).toThrow('NUL')
  })
})

describe('workingDirectory()', () => {
  it('prefers the user and makes the path of the image absolute', () => {
    expect(workingDirectory(IMAGE, {})).toBe('/srv')
    expect(workingDirectory(undefined, {})).toBe('/')
    expect(workingDirectory(IMAGE, { workdir: '/x' })).toBe('/x')
    expect(() => workingDirectory(IMAGE, { workdir: 'x' })).toThrow('must be an absolute path')
  })
})

describe('stopSignal()', () => {
  it('takes the signal of the user, of the image, or SIGTERM', () => {
    expect(stopSignal(undefined, {})).toBe('SIGTERM')
    expect(stopSignal({ StopSignal: 'QUIT' }, {})).toBe('SIGQUIT')
    expect(stopSignal({ StopSignal: 'QUIT' }, { stopSignal: '37' })).toBe('SIGRTMIN+3')
    expect(stopSignal({ StopSignal: '' }, {})).toBe('SIGTERM')
  })

  it.each(['0', 'SIGNOPE', '', '-9'])('refuses %j', (text) => {
    expect(() => stopSignal(undefined, { stopSignal: text })).toThrow(/^cannot use stop-signal /)
  })
})

describe('containerHostname()', () => {
  it('is given, or of the host, or from the id', () => {
    expect(containerHostname({ hostname: 'a.b-c' }, 'x', 'host')).toBe('a.b-c')
    expect(containerHostname({ network: 'host' }, 'x', 'host')).toBe('host')
    expect(containerHostname({}, '0123456789abcdef', 'host')).toBe('0123456789ab')
  })

  it.each(['-a', 'a-', 'a..b', 'a b', 'a\n', 'a/b', 'ü', 'a'.repeat(65)])(
    'refuses %j',
    (hostname) => {
      expect(() => containerHostname({ hostname }, 'x', 'host')).toThrow(/^cannot use hostname /)
    },
  )
})
