/** --blkio-weight and the limits of single block devices as `linux.resources.blockIO`. */
import type { Resources, ThrottleDevice } from '../oci/runtime-config.ts'
import { parseSize } from '../util/size.ts'
import { refuseOption } from './invalid-option.ts'
import type { DeviceStat, SpecOptions } from './spec-input.ts'

type BlockIo = NonNullable<Resources['blockIO']>

/** Options of the form `path:number` and what they are in config.json. */
const THROTTLES = [
  ['deviceReadBps', 'device-read-bps', 'throttleReadBpsDevice'],
  ['deviceWriteBps', 'device-write-bps', 'throttleWriteBpsDevice'],
  ['deviceReadIops', 'device-read-iops', 'throttleReadIOPSDevice'],
  ['deviceWriteIops', 'device-write-iops', 'throttleWriteIOPSDevice'],
] as const

/** Paths of the devices that the options limit. */
export function limitedDevices(options: SpecOptions): readonly string[] {
  const throttled = THROTTLES.flatMap(([key, option]) =>
    (options[key] ?? []).map((text) => splitDevice(option, text).path),
  )
  const weighted = (options.blkioWeightDevice ?? []).map(
    (text) => splitDevice('blkio-weight-device', text).path,
  )
  return [...weighted, ...throttled]
}

/** Undefined when nothing is asked for. */
export function buildBlockIo(
  options: SpecOptions,
  stats: readonly DeviceStat[],
): BlockIo | undefined {
  const weight = options.blkioWeight
  const weightDevice = (options.blkioWeightDevice ?? []).map((text) => ({
    ...numbersOf('blkio-weight-device', text, stats),
    weight: checkWeight(
      'blkio-weight-device',
      splitDevice('blkio-weight-device', text).value,
      text,
    ),
  }))
  const throttles = THROTTLES.flatMap(([key, option, field]): [string, ThrottleDevice[]][] => {
    const texts = options[key] ?? []
    if (texts.length === 0) return []
    return [[field, texts.map((text) => throttleOf(option, text, stats))]]
  })
  const blockIo: BlockIo = {
    // docker's 0 is "not given".
    ...(weight === undefined || weight === 0
      ? {}
      : { weight: checkWeight('blkio-weight', String(weight), String(weight)) }),
    ...(weightDevice.length === 0 ? {} : { weightDevice }),
    ...Object.fromEntries(throttles),
  }
  return Object.keys(blockIo).length === 0 ? undefined : blockIo
}

function throttleOf(option: string, text: string, stats: readonly DeviceStat[]): ThrottleDevice {
  const { value } = splitDevice(option, text)
  const isCount = option.endsWith('iops')
  const rate = isCount ? (/^\d{1,15}$/.test(value) ? Number(value) : undefined) : parseSize(value)
  if (rate === undefined || rate === 0) {
    const what = isCount ? 'a number of operations' : 'bytes, or with b k m g,'
    refuseOption(option, text, `after the colon there must be ${what} a second, above 0`)
  }
  return { ...numbersOf(option, text, stats), rate }
}

function numbersOf(
  option: string,
  text: string,
  stats: readonly DeviceStat[],
): { readonly major: number; readonly minor: number } {
  const { path } = splitDevice(option, text)
  const stat = stats.find((device) => device.path === path)
  if (stat === undefined) return refuseOption(option, text, `there is no device "${path}"`)
  if (stat.type !== 'b') return refuseOption(option, text, `"${path}" is no block device`)
  return { major: stat.major, minor: stat.minor }
}

function checkWeight(option: string, value: string, text: string): number {
  const weight = /^\d{1,5}$/.test(value) ? Number(value) : 0
  if (weight >= 10 && weight <= 1000) return weight
  return refuseOption(option, text, 'a weight is from 10 to 1000')
}

function splitDevice(
  option: string,
  text: string,
): { readonly path: string; readonly value: string } {
  const colon = text.lastIndexOf(':')
  const path = text.slice(0, Math.max(colon, 0))
  if (!path.startsWith('/dev/')) refuseOption(option, text, 'it must be /dev/path:value')
  return { path, value: text.slice(colon + 1) }
}
