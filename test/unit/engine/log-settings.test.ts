import { describe, expect, it } from 'vitest'
import { parseLogSettings } from '../../../src/engine/log-settings.ts'

describe('parseLogSettings()', () => {
  it('takes the names and options of docker and podman', () => {
    expect(parseLogSettings(undefined, [])).toEqual({ driver: 'k8s-file', maxSize: 0, maxFiles: 1 })
    expect(parseLogSettings('json-file', ['max-size=10m', 'max-file=3'])).toEqual({
      driver: 'json-file',
      maxSize: 10 * 1024 * 1024,
      maxFiles: 3,
    })
    expect(parseLogSettings('k8s-file', ['max-size=-1']).maxSize).toBe(0)
    expect(parseLogSettings('none', []).driver).toBe('none')
  })

  it.each([
    ['journald', [], /the log driver "journald".*k8s-file, json-file/],
    ['none', ['max-size=1m'], /none has no options/],
    ['k8s-file', ['tag=x'], /"tag=x": the options of k8s-file are max-size and max-file/],
    ['k8s-file', ['max-size=0'], /max-size is a size/],
    ['k8s-file', ['max-size=lots'], /max-size is a size/],
    ['k8s-file', ['max-size=1m', 'max-file=0'], /from 1 to 1000/],
    ['k8s-file', ['max-size=1m', 'max-file=1001'], /from 1 to 1000/],
    ['k8s-file', ['max-file=3'], /one file without max-size/],
    ['k8s-file', ['max-size'], /max-size is a size/],
  ] as const)('refuses %s %j', (driver, options, message) => {
    expect(() => parseLogSettings(driver, options)).toThrow(message)
  })
})
