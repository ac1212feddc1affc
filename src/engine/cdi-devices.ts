/** Finds the CDI devices that a request names in the descriptions of the host. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../errors.ts'
import { type CdiEdits, type CdiSpec, parseCdiName, parseCdiSpec } from '../oci/cdi.ts'
import { namesIn } from '../util/if-there.ts'

/** The one for what is made at boot comes last, and its devices win. */
const FOLDERS = ['/etc/cdi', '/var/run/cdi']

/** The edits of the devices, those of their kinds first and once. Throws `not-found` naming what is not described. */
export function cdiEditsOf(
  names: readonly string[],
  folders: readonly string[] = FOLDERS,
): readonly CdiEdits[] {
  if (names.length === 0) return []
  const specs = folders.flatMap(readSpecs).reverse()
  const edits = new Set<CdiEdits>()
  for (const text of names) {
    const wanted = parseCdiName(text)
    const spec = specs.find(
      ({ kind, devices }) => kind === wanted?.kind && devices.has(wanted.name),
    )
    const device = spec?.devices.get(wanted?.name ?? '')
    if (spec === undefined || device === undefined) throw notDescribed(text, folders)
    edits.add(spec.common).add(device)
  }
  return [...edits]
}

function readSpecs(folder: string): readonly CdiSpec[] {
  return namesIn(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => parseCdiSpec(readFileSync(join(folder, name), 'utf8'), join(folder, name)))
}

function notDescribed(text: string, folders: readonly string[]): TsrunError {
  const hasYaml = folders.some((folder) => namesIn(folder).some((name) => /\.ya?ml$/.test(name)))
  return new TsrunError(
    'not-found',
    `cannot give the device "${text}": no file *.json in ${folders.join(' or ')} describes it`,
    {
      hint: hasYaml
        ? 'descriptions are read as JSON alone: nvidia-ctk cdi generate --format json'
        : 'for NVIDIA: nvidia-ctk cdi generate --format json --output /etc/cdi/nvidia.json',
    },
  )
}
