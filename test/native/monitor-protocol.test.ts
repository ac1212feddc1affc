import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as protocol from '../../src/monitor/monitor-protocol.ts'

const header = readFileSync(new URL('../../native-bindings/monitor.h', import.meta.url), 'latin1')

function defined(name: string): number {
  const match = new RegExp(`#define ${name} (0x[0-9a-f]+|\\d+)u?\\b`).exec(header)
  return Number(match?.[1])
}

/** The constants of `enum name`, prefix cut off, as C counts them. */
function enumeration(name: string, prefix: string): Record<string, number> {
  const body = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(header)?.[1] ?? ''
  const constants: Record<string, number> = {}
  let next = 0
  for (const item of body.replaceAll(/\/\/.*$/gm, '').split(',')) {
    const match = /^\s*(\w+)(?:\s*=\s*(\d+))?\s*$/.exec(item)
    if (match?.[1] === undefined) continue
    if (match[2] !== undefined) next = Number(match[2])
    const words = match[1].slice(prefix.length).toLowerCase()
    constants[words.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())] = next++
  }
  return constants
}

describe('monitor.h and monitor-protocol.ts', () => {
  it('have the same sizes and marks', () => {
    expect(protocol.MONITOR_MAGIC).toBe(defined('MONITOR_MAGIC'))
    expect(protocol.MONITOR_VERSION).toBe(defined('MONITOR_VERSION'))
    expect(protocol.FRAME_HEADER).toBe(defined('FRAME_HEADER'))
    expect(protocol.MAX_FRAME).toBe(defined('MAX_FRAME'))
    expect(protocol.CHUNK).toBe(defined('CHUNK'))
    expect(protocol.MAX_STRINGS).toBe(defined('MAX_STRINGS'))
    expect(protocol.MAX_STRING_BYTES).toBe(defined('MAX_STRING_BYTES'))
    expect(protocol.MAX_TETHERS).toBe(defined('MAX_TETHERS'))
    expect(protocol.MAX_CHECK_RESULTS).toBe(defined('MAX_CHECK_RESULTS'))
    expect(protocol.RESTART_STATUS).toBe(defined('RESTART_STATUS'))
    expect(protocol.RESTART_STATUS_LAST).toBe(defined('RESTART_STATUS_LAST'))
    expect(protocol.RESTART_DELAY_MS).toBe(defined('RESTART_DELAY_MS'))
    expect(protocol.RESTART_MAX_DELAY_MS).toBe(defined('RESTART_MAX_DELAY_MS'))
    expect(header).toContain(`sizeof(struct monitor_config) == ${protocol.MONITOR_CONFIG_SIZE}`)
  })

  it('have the same numbers', () => {
    expect(protocol.MONITOR_FLAGS).toEqual(enumeration('monitor_flag', 'MONITOR_'))
    expect(protocol.CONTROL_TYPES).toEqual(enumeration('control_type', 'CONTROL_'))
    expect(protocol.CLIENT_FRAMES).toEqual(enumeration('client_frame', 'CLIENT_'))
    expect(protocol.CLIENT_FLAGS).toEqual(enumeration('client_flag', 'CLIENT_'))
    expect(protocol.CHECK_ACTIONS).toEqual(enumeration('check_action', 'ACTION_'))
    expect(Object.keys(enumeration('health', 'HEALTH_'))).toEqual(protocol.HEALTH_STATES)
    expect(protocol.MONITOR_FRAMES).toEqual(enumeration('monitor_frame', 'MONITOR_'))
  })

  it('name the same steps', () => {
    const steps = enumeration('monitor_step', 'STEP_')
    expect(
      Object.entries(steps).map(([name, number]) => protocol.MONITOR_STEPS[number] === name),
    ).not.toContain(false)
    expect(Object.keys(steps)).toHaveLength(protocol.MONITOR_STEPS.length - 1)
  })
})
