/** Which of the devices of --device and --gpus are names of the Container Device Interface, and which are paths. */
import { parseCdiName } from '../oci/cdi.ts'
import { refuseOption } from './invalid-option.ts'
import type { SpecOptions } from './spec-input.ts'

/** Devices that are named by their path on the host. */
export function hostDevices({ devices = [] }: SpecOptions): readonly string[] {
  return devices.filter((text) => parseCdiName(text) === undefined)
}

/** Devices as `vendor/class=name`; --gpus are NVIDIA's, as docker has them with CDI. */
export function cdiDevices({ devices = [], gpus }: SpecOptions): readonly string[] {
  const named = devices.filter((text) => parseCdiName(text) !== undefined)
  return [...named, ...(gpus === undefined ? [] : gpuNames(gpus))]
}

function gpuNames(text: string): readonly string[] {
  const kind = 'nvidia.com/gpu'
  if (text === 'all') return [`${kind}=all`]
  if (/^[1-9]\d?$/.test(text))
    return Array.from({ length: Number(text) }, (_, index) => `${kind}=${index}`)
  const [, list] = /^"?device=([A-Za-z0-9_.:,-]+)"?$/.exec(text) ?? []
  if (list !== undefined) return list.split(',').map((name) => `${kind}=${name}`)
  return refuseOption('gpus', text, 'it is all, a number, or device=NAME,NAME')
}
